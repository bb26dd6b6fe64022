"""Runs a sync on a rented machine, where it goes on whatever becomes of this computer.

``run_there`` is all of it: the machine gets what it needs (the same ``roost.sync`` as here), the
job becomes a unit of its systemd, and this computer follows it. The same job again, from here or
from another computer, attaches to the one that runs.
"""

from __future__ import annotations

from collections.abc import Callable

from roost.access.machines import Machines
from roost.plan.resources import Instance
from roost.sync.far import Job, Outcome, Progress

Tell = Callable[[Progress], None]
Note = Callable[[str], None]


def run_there(machines: Machines, instance: Instance, job: Job, tell: Tell, note: Note) -> Outcome:
    """Copy on a machine that is up, and wait for the end. ``note`` hears what is worth a line.

    The machine's role is used where it has one and S3 is Amazon's; else the credentials that
    ``job.where`` finds here are lent to this one job. It runs as root for a ``tree``, else as who
    owns the folder. A lost connection is made again, and the job goes on meanwhile; Ctrl-C (or
    ``machines.end()``) ends it, and the same job goes on where it was.

    What is not in order is in ``failed`` and makes ``proof.whole`` false; this is no error.
    Raises RoostError where the machine cannot be reached or S3 refuses, BusyError where another
    job is at work between the same two sides, KeyboardInterrupt.
    """
    raise NotImplementedError
