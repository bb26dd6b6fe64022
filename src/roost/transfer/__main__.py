"""``python -m roost.transfer``: the command that rented machines run. People type ``roost sync``.

``attend`` reads one line of JSON, a job, and tells how far it is and how it ended, a line of JSON
for each; ``stop`` reads one and ends it; ``work SPOOL`` is the unit that does it.
"""

from __future__ import annotations

import json
import sys

from roost.transfer.job import Job
from roost.transfer.remote import attach, unit


def main() -> None:
    """Run the command that the first word names."""
    what, *words = sys.argv[1:]
    if what == "work":
        unit.main(words)
        return
    found = json.loads(sys.stdin.readline())
    if what == "stop":
        attach.stop(Job.from_json(found["job"]))
        return
    try:
        for line in attach.attend(found, attach.begin_unit):
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:  # the follower has gone; the job continues
        sys.stderr.close()


if __name__ == "__main__":
    main()
