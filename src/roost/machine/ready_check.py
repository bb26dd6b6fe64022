"""Wait until this machine is of use to its cluster, so that "ready" means it.

The head is, once scheduler and JupyterLab listen. A worker is, once the scheduler has taken it in;
where that is not up yet, the check ends: the worker keeps trying.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable

from roost.machine import identity
from roost.machine.cluster import PORT, folder, joined
from roost.machine.common import Failed, Machine, run

PATIENCE = 120.0
PAUSE = 0.5
MOST_STARTS = 3
"""A service that ends more often in this time does not work, whatever it is waited for."""


def wait(machine: Machine, services: list[str], patience: float = PATIENCE) -> str:
    """Wait for a service; return a note. Raises Failed, with its last log lines."""
    facts = machine.facts
    place = folder(machine, facts["name"])
    if facts["role"] == "head":
        for service in services:
            file = place / f"{service}.json"
            if not _until(file.is_file, service, patience):
                raise Failed(f"{service} does not start:\n{_journal(service)}")
        return ""
    file = joined(place, identity.node(machine))
    if _until(file.is_file, "worker", patience):
        return ""
    if _answers(str(facts["head"])):
        raise Failed(f"the worker does not reach its scheduler:\n{_journal('worker')}")
    return "the head is not up yet; the worker joins it when it is"


def _until(there: Callable[[], bool], service: str, patience: float) -> bool:
    """Return whether it became ready, before the service had ended again and again."""
    deadline = time.monotonic() + patience
    before = _starts(service)
    while not there():
        if time.monotonic() > deadline or _starts(service) > before + MOST_STARTS:
            return False
        time.sleep(PAUSE)
    return True


def _starts(service: str) -> int:
    """Return how often systemd has restarted it."""
    words = ["systemctl", "show", "--property=NRestarts", "--value", f"roost-{service}.service"]
    said = run(words)[1].strip()
    return int(said) if said.isdigit() else 0


def _answers(head: str) -> bool:
    try:
        with socket.create_connection((head, PORT), 5):
            return True
    except OSError:
        return False


def _journal(service: str) -> str:
    unit = f"roost-{service}.service"
    return run(["journalctl", "--no-pager", "-q", "-o", "cat", "-n", "8", "-u", unit])[1].strip()


def main() -> None:
    """Run ``joined SERVICE...``, the last of a node's steps."""
    try:
        print(wait(Machine(), sys.argv[1:]))  # noqa: T201
    except Failed as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
