"""``python -m roost.sync``: what a rented machine runs. People type ``roost sync``.

``attend`` reads one line of JSON, a job, and tells how far it is and how it ended, a line of JSON
for each; ``stop`` reads one and ends it; ``work ROOM`` is the unit that does it.
"""

from __future__ import annotations

import json
import sys

from roost.sync import far_attend, far_unit
from roost.sync.far import job_of


def main() -> None:
    """By the first word."""
    what, *words = sys.argv[1:]
    if what == "work":
        far_unit.main(words)
        return
    found = json.loads(sys.stdin.readline())
    if what == "stop":
        far_attend.stop(job_of(found["job"]))
        return
    try:
        for line in far_attend.attend(found, far_attend.begin_unit):
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:  # who followed has gone away; the job goes on
        sys.stderr.close()


if __name__ == "__main__":
    main()
