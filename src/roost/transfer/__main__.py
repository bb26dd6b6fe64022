"""``python -m roost.transfer``: what a rented machine runs. People type ``roost sync``.

``attend`` reads one line of JSON, a job, and tells how far it is and how it ended, a line of JSON
for each; ``stop`` reads one and ends it; ``work ROOM`` is the unit that does it.
"""

from __future__ import annotations

import json
import sys

from roost.transfer.job import Job
from roost.transfer.remote import attach, unit


def main() -> None:
    """By the first word."""
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
    except BrokenPipeError:  # who followed has gone away; the job goes on
        sys.stderr.close()


if __name__ == "__main__":
    main()
