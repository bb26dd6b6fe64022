"""``roost-extend 2h``: this machine goes on for that much longer.

The end time moves, and idleness stops nothing before. Prints what holds now, as JSON. The budget
does not move: it is in the file.
"""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from roost.recipes.machine import beacon, law
from roost.recipes.machine.common import Machine, read, write
from roost.recipes.machine.guard import rules_of

UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
LONGEST = 366 * 86400


def seconds_of(text: str) -> int:
    """``"2h"``, ``"1h30m"`` or seconds. Raises ValueError for anything else."""
    parts = re.findall(r"([0-9]+)(s|min|m|h|d|w|$)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError('a length of time: "2h", "1h30m", "5d", or seconds')
    found = sum(int(n) * UNITS[u] for n, u in parts)
    if not 0 < found <= LONGEST:
        raise ValueError("a length of time above 0 and of at most a year")
    return found


def extend(machine: Machine, seconds: int, wall: float) -> dict[str, Any]:
    """Move what stops the machine; what holds now (times as UTC, None: nothing of that kind)."""
    rules = rules_of(machine.facts)
    with machine.alone("guard"):
        place = machine.at(beacon.GUARD)
        memory = law.extend(rules, law.Memory.of(read(place)), seconds, wall)
        write(place, asdict(memory))
    machine.notice.unlink(missing_ok=True)
    left = None if rules.usd is None else round(rules.usd - memory.spent, 2)
    found = {
        "end": _utc(law.end_of(rules, memory)),
        "idle_not_before": None if rules.idle is None else _utc(memory.hold),
        "budget_left_usd": left,
    }
    machine.tell(f"extended by {seconds // 60} min: {json.dumps(found)}")
    machine.notice.unlink(missing_ok=True)
    return found


def _utc(wall: float | None) -> str | None:
    return None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")


def main() -> None:
    """For people, and for ``roost extend``."""
    try:
        seconds = seconds_of(sys.argv[1] if len(sys.argv) == 2 else "")
    except ValueError as why:
        sys.exit(f"roost-extend: {why}")
    try:
        found = extend(Machine(), seconds, time.time())
    except PermissionError:
        sys.exit("roost-extend: it needs root: sudo roost-extend 2h")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
