"""Waits until this machine is of use to its cluster, so that "ready" means it.

The head is, once scheduler and JupyterLab listen. A worker is, once it is connected to the head's
scheduler; where that is not up yet, the worker is done: it goes on trying.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable

from roost.recipes.machine.cluster import PORT, folder
from roost.recipes.machine.common import Failed, Machine, run
from roost.recipes.machine.steps import user

PATIENCE = 120.0
CONNECTED = "01"
PAUSE = 0.5
MOST_STARTS = 3
"""A service that ends more often in this time does not work, whatever it is waited for."""


def wait(machine: Machine, services: list[str], patience: float = PATIENCE) -> str:
    """What to say of it. Raises Failed, with what the service logged last."""
    facts = machine.facts
    place = folder(machine, facts["name"])
    if facts["role"] == "head":
        for service in services:
            file = place / f"{service}.json"
            if not _until(file.is_file, service, patience):
                raise Failed(f"{service} does not start:\n{_journal(service)}")
        return ""
    head = str(facts["head"])
    if _until(lambda: connected(machine, head), "worker", patience):
        return ""
    if _answers(head):
        raise Failed(f"the worker does not reach its scheduler:\n{_journal('worker')}")
    return "the head is not up yet; the worker joins it when it is"


def connected(machine: Machine, head: str) -> bool:
    """Whether a process of the user has a connection to the head's scheduler."""
    peer = f"{socket.inet_aton(head)[::-1].hex().upper()}:{PORT:04X}"
    rows = [line.split() for line in machine.at("/proc/net/tcp").read_text().splitlines()[1:]]
    uid = str(user().pw_uid)
    return any(row[2] == peer and row[3] == CONNECTED and row[7] == uid for row in rows)


def _until(there: Callable[[], bool], service: str, patience: float) -> bool:
    """Whether it came true, before the service had ended again and again."""
    deadline = time.monotonic() + patience
    before = _starts(service)
    while not there():
        if time.monotonic() > deadline or _starts(service) > before + MOST_STARTS:
            return False
        time.sleep(PAUSE)
    return True


def _starts(service: str) -> int:
    """How often systemd had to start it again."""
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
    """``joined SERVICE...``: the last of a node's steps."""
    try:
        print(wait(Machine(), sys.argv[1:]))  # noqa: T201
    except Failed as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
