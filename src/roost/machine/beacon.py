"""Messages that stop head and workers together: workers report each minute, the head answers.

UDP within the roost's own firewall. A report says whether the worker is busy; the answer, whether
and why the head stops, and its end time. No message can stop a machine directly.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from roost.machine.common import Machine, boot, read, write

PORT = 7867
RECENT = 180.0
"""Seconds for which a report counts."""
REPORTS = "/run/roost/reports.json"
GUARD = "/var/lib/roost/guard.json"
MOST = 512
"""Bytes of a message."""
MANY = 20_000
"""Workers that are remembered."""


def report(head: str, node: str, busy: str, port: int = PORT) -> dict[str, Any] | None:
    """Report to the head; return its answer, None if it is silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.settimeout(2)
        message = json.dumps({"node": node[:64], "busy": busy[:200]}).encode()
        for _ in range(3):  # a datagram may be lost
            try:
                here.sendto(message, (head, port))
                found = json.loads(here.recv(MOST))
                return found if isinstance(found, dict) else None
            except (OSError, ValueError):
                continue
    return None


def reports(machine: Machine, up: float) -> dict[str, str]:
    """Return the running workers: their names, and why they are busy."""
    found = read(machine.at(REPORTS))
    return {node: busy for node, (at, busy) in found.items() if 0 <= up - at <= RECENT}


def answer(machine: Machine, message: bytes, up: float) -> bytes | None:
    """Record a report; return the answer to it."""
    try:
        said = json.loads(message)
        node, busy = str(said["node"])[:64], str(said["busy"])[:200]
    except (ValueError, KeyError, TypeError):
        return None
    found = {k: v for k, v in read(machine.at(REPORTS)).items() if 0 <= up - v[0] <= RECENT}
    if len(found) < MANY or node in found:
        write(machine.at(REPORTS), {**found, node: [up, busy]}, 0o600)
    kept = read(machine.at(GUARD))
    return json.dumps(
        {"stop": str(kept.get("stopping", ""))[:300], "end": kept.get("end")}
    ).encode()


def serve(machine: Machine, here: socket.socket) -> None:
    """Answer the next report."""
    message, sender = here.recvfrom(MOST)
    said = answer(machine, message, boot(machine)[1])
    if said is not None:
        here.sendto(said, sender)


def main() -> None:
    """Run the head's service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("0.0.0.0", PORT))  # noqa: S104 - the firewall lets only the roost's own in
        while True:
            serve(Machine(), here)


if __name__ == "__main__":
    main()
