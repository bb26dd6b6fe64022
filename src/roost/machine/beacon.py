"""Messages that stop head and workers together: workers report each minute, the head answers.

UDP within the roost's own firewall. A report says whether the worker is busy; the answer, whether
and why the head stops, and its end time. No message can stop a machine directly. Anybody on a
machine can send a datagram, so both sides sign theirs with a key that the head has made and that
root of its own machines has; until a machine is given it, reports count unsigned. A report counts
for the machine that it came from, whatever name is in it: none can make more workers, which cost
money, than there are machines.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
from collections.abc import Callable
from typing import Any

from roost.machine import memory
from roost.machine.common import Machine, boot, read, write

PORT = 7867
RECENT = 180.0
"""Seconds for which a report counts."""
REPORTS = "/run/roost/reports.json"
KEY = "/etc/roost/secrets/reports.key"
MOST = 2048
"""Bytes of a message."""
MANY = 20_000
"""Machines that are remembered."""


def key_of(machine: Machine) -> bytes:
    """Return the key of this name's machines; empty before the head has given it."""
    try:
        return machine.at(KEY).read_bytes().strip()
    except OSError:
        return b""


def sign(key: bytes, *words: object) -> str:
    """Return the signature of a message."""
    return hmac.new(key, json.dumps(words).encode(), hashlib.sha256).hexdigest()


def is_signed(key: bytes, found: dict[str, Any], *words: object) -> bool:
    """Tell if a message has the right signature, or none is asked for yet."""
    given = str(found.get("mac", "")).encode()
    return not key or hmac.compare_digest(given, sign(key, *words).encode())


def report(
    head: str, node: str, busy: str, port: int = PORT, key: bytes = b""
) -> dict[str, Any] | None:
    """Report to the head; return its answer, None if it is silent."""
    node, busy, once = node[:64], busy[:200], secrets.token_hex(8)
    signed = {"once": once, "mac": sign(key, "report", node, busy, once)} if key else {}
    message = json.dumps({"node": node, "busy": busy, **signed}).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.settimeout(2)
        for _ in range(3):  # a datagram may be lost
            try:
                here.sendto(message, (head, port))
                found = dict(json.loads(here.recv(MOST)))
                if is_signed(key, found, "answer", found["stop"], found["end"], once):
                    return found
            except (OSError, ValueError, TypeError, KeyError, RecursionError):
                continue
    return None


def reports(machine: Machine, up: float) -> dict[str, str]:
    """Return the running workers: their names, and why they are busy."""
    return {f"{node} ({sender})": busy for sender, (_, node, busy) in _recent(machine, up).items()}


def answer(machine: Machine, message: bytes, sender: str, up: float) -> bytes | None:
    """Record the report of the machine at that address; return the answer to it."""
    try:
        report = dict(json.loads(message))
        node, busy = str(report["node"])[:64], str(report["busy"])[:200]
        once = str(report.get("once", ""))[:64]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    key = key_of(machine)
    if not is_signed(key, report, "report", node, busy, once):
        return None
    recent = _recent(machine, up)
    if len(recent) < MANY or sender in recent:
        write(machine.at(REPORTS), {**recent, sender: [up, node, busy]}, 0o600)
    kept = memory.load(machine)
    stop = kept.stopping[:300]
    signed = {"mac": sign(key, "answer", stop, kept.end, once)} if key else {}
    return json.dumps({"stop": stop, "end": kept.end, **signed}).encode()


def _recent(machine: Machine, up: float) -> dict[str, tuple[float, str, str]]:
    """Return the reports that still count, by address; those of an older roost are left out."""
    recent = {}
    for sender, report in read(machine.at(REPORTS)).items():
        if isinstance(report, list) and len(report) == 3 and 0 <= up - report[0] <= RECENT:
            recent[sender] = (report[0], report[1], report[2])
    return recent


def foreign(sender: str) -> bool:
    """Tell if an address is another machine's. Whoever is on the head is no worker of it."""
    if sender.startswith("127."):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        try:
            own.bind((sender, 0))  # only an address of this machine can be bound
        except OSError:
            return True
    return False


def serve(machine: Machine, here: socket.socket, another: Callable[[str], bool] = foreign) -> None:
    """Answer the next report, if it is from ``another`` machine."""
    message, sender = here.recvfrom(MOST)
    if not another(sender[0]):
        return
    reply = answer(machine, message, sender[0], boot(machine)[1])
    if reply is not None:
        here.sendto(reply, sender)


def main() -> None:
    """Run the head's service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("0.0.0.0", PORT))  # noqa: S104 - the firewall lets only the roost's own in
        while True:
            serve(Machine(), here)


if __name__ == "__main__":
    main()
