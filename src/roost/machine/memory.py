"""The guard's memory, kept where the machine can write, and its limits for the last resort.

The disk is the place, as it stays when the machine stops. A disk that is full or read-only takes
nothing: then ``/run``, which is memory, holds the newest until the disk takes it again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from roost.machine import idle_policy
from roost.machine.common import Machine, write

DISK, RUN = "/var/lib/roost/guard.json", "/run/roost/guard.json"
LIMITS, RUN_LIMITS = "/etc/roost/limits", "/run/roost/limits"
"""The end time (seconds since 1970) and the longest run (seconds); ``-`` for none."""


def load(machine: Machine) -> idle_policy.Memory:
    """Return the newest memory; one that is ``lost`` where what is there cannot be read."""
    newest = next((p for p in map(machine.at, (RUN, DISK)) if _is_there(p)), None)
    if newest is None:
        return idle_policy.Memory()
    with suppress(OSError, ValueError, RecursionError):
        kept = json.loads(newest.read_text())
        if isinstance(kept, dict):
            return idle_policy.Memory.of(kept)
    return idle_policy.Memory(lost=True)


def store(machine: Machine, memory: idle_policy.Memory) -> bool:
    """Keep the memory; return False where neither the disk nor ``/run`` takes it."""
    return _write(machine, asdict(memory), DISK, RUN)


def limit(machine: Machine, rules: idle_policy.Rules, memory: idle_policy.Memory) -> None:
    """Tell the last resort the limits that hold now, where they have changed."""
    text = idle_policy.limits_text(rules, memory)
    held = next((p for p in map(machine.at, (RUN_LIMITS, LIMITS)) if _is_there(p)), None)
    with suppress(OSError, ValueError):
        if held is not None and held.read_text() == text:
            return
    _write(machine, text, LIMITS, RUN_LIMITS)


def _write(machine: Machine, content: object, disk: str, run: str) -> bool:
    try:
        write(machine.at(disk), content)
    except OSError:
        with suppress(OSError):
            write(machine.at(run), content)
            return True
        return False
    with suppress(OSError):  # the disk has the newest again
        machine.at(run).unlink(missing_ok=True)
    return True


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # it cannot be looked at, which reading it will say
