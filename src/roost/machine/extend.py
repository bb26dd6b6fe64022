"""``roost-extend 2h``: run this machine longer; ``--budget 400``: for more money.

The end time moves, and idleness stops nothing before. A budget is all that may be spent, what is
spent already too. Prints what holds now, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from roost.machine import idle_policy, limits, memory
from roost.machine.common import Machine, write
from roost.machine.guard import rules_of

UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(text: str) -> int:
    """Parse ``"2h"``, ``"1h30m"`` or seconds. Raises ValueError for anything else."""
    parts = re.findall(r"([0-9]+)(s|min|m|h|d|w|$)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError('a length of time: "2h", "1h30m", "5d", or seconds')
    found = sum(int(n) * UNITS[u] for n, u in parts)
    if not 0 < found <= idle_policy.LONGEST:
        raise ValueError("a length of time above 0 and of at most a year")
    return found


def usd_of(text: str) -> float:
    """Parse ``"400"`` or ``"12.50"``. Raises ValueError for anything else."""
    if not re.fullmatch(r"[0-9]{1,9}([.][0-9]+)?", text) or float(text) == 0:
        raise ValueError("a number of US dollars above 0: 400, 12.50")
    return float(text)


def extend(machine: Machine, seconds: int, wall: float, *, money: bool = False) -> dict[str, Any]:
    """Move what stops the machine; return the new limits (None: no such limit).

    ``money``: a new budget was set. It counts from now where nothing says what was spent before.
    Raises ValueError where the machine can keep nothing.
    """
    rules = rules_of(machine.facts)
    with machine.alone("guard"):
        before = memory.load(machine)
        # A head that has begun to stop stays up, whichever of the two it was given.
        longer = idle_policy.extend(rules, before, seconds, wall) if seconds else before
        after = replace(longer, told={}, early=False, stopping="", lost=before.lost and not money)
        if not memory.store(machine, after):
            raise ValueError("neither the disk nor /run takes a file, so nothing was extended")
        memory.limit(machine, rules, after)
    _withdraw_notice(machine)
    found = limits.held(machine, wall)
    machine.tell(f"it goes on: {json.dumps(_set(found))}")
    _withdraw_notice(machine)
    return found


def _withdraw_notice(machine: Machine) -> None:
    with suppress(OSError):  # a disk that is read-only keeps it
        machine.notice.unlink(missing_ok=True)


def _set(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not None}


def budget(machine: Machine, usd: float) -> None:
    """Set another budget for this machine. Raises ValueError where it has none."""
    facts = machine.facts
    if not facts.get("budget"):
        raise ValueError("the file of this machine has no budget")
    facts["budget"]["usd"] = usd
    write(machine.at("/etc/roost/machine.json"), facts)


def main() -> None:
    """Serve people, and ``roost extend``."""
    machine, words = Machine(), sys.argv[1:]
    try:
        if words[:1] == ["--budget"] and len(words) == 2:
            budget(machine, usd_of(words[1]))
            seconds = 0
        else:
            seconds = seconds_of(words[0] if len(words) == 1 else "")
        found = extend(machine, seconds, time.time(), money=seconds == 0)
    except ValueError as why:
        sys.exit(f"roost-extend: {why}")
    except PermissionError:
        sys.exit("roost-extend: it needs root: sudo roost-extend ...")
    except OSError as why:
        sys.exit(f"roost-extend: {why.strerror}: {why.filename}; nothing was extended")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
