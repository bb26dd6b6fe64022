"""The limits of the file (idle, end, run, budget): brought to a machine that runs, and read back.

They came with its launch. What the file says later counts from the next hand-over on, and what
``roost-extend`` moved stays, unless the file has another word on just that.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from roost.machine import beacon, idle_policy, memory
from roost.machine.common import Machine, boot, read, write
from roost.machine.guard import STOPS, rules_of

KEYS = ("idle", "end", "run", "budget")
BROUGHT = "/var/lib/roost/limits.json"
"""The limits that the file had last."""


def bring(machine: Machine, limits: Mapping[str, Any]) -> bool:
    """Take over what the file has changed; tell if it was anything. Raises OSError."""
    facts = machine.facts
    new = {key: limits.get(key) for key in KEYS}
    before = read(machine.at(BROUGHT)) or {key: facts.get(key) for key in KEYS}
    changed = {key for key in KEYS if new[key] != before.get(key)}
    if facts and changed:
        with machine.alone("guard"):
            facts |= {key: new[key] for key in changed}
            write(machine.at("/etc/roost/machine.json"), facts)
            kept = memory.load(machine)
            end = None if "end" in changed else kept.end
            kept = replace(kept, end=end, told={}, early=False, stopping="")
            memory.store(machine, kept)
            memory.limit(machine, rules_of(facts), kept)
        machine.log(f"the file has other limits now: {', '.join(sorted(changed))}")
    write(machine.at(BROUGHT), new)
    return bool(changed)


def held(machine: Machine, wall: float) -> dict[str, Any]:
    """Return what stops this machine now, and what did last; None: no such limit."""
    which, up = "", 0.0
    with suppress(OSError, ValueError, IndexError):
        which, up = boot(machine)
    facts = machine.facts
    rules, kept = rules_of(facts), memory.load(machine)
    workers = len(beacon.reports(machine, up)) if facts.get("role") == "head" else 0
    seen = idle_policy.Seen(boot=which, up=up, wall=wall, workers=workers)
    in_s, because = idle_policy.soon(rules, kept, seen) or (None, None)
    last = read(machine.at(STOPS))
    ends = [end for end in (idle_policy.end_of(rules, kept),) if end is not None]
    if rules.run is not None:
        ends.append(max(wall - up + rules.run, kept.hold))

    def moment(at: float | None) -> str | None:
        return None if at is None else idle_policy.moment(rules, at).isoformat(timespec="seconds")

    return {
        "idle_s": rules.idle,
        "idle_not_before": moment(kept.hold) if rules.idle and kept.hold > wall else None,
        "end": moment(min(ends, default=None)),
        "budget_usd": rules.usd,
        **({"budget_unit": rules.unit} if rules.unit else {}),
        "budget_left_usd": None if rules.usd is None else round(rules.usd - kept.spent, 2),
        "stops_in_s": None if in_s is None else round(in_s),
        "stops_because": because,
        "last_stop": last.get("at"),
        "last_stop_because": last.get("because"),
    }


def main() -> None:
    """Print them, as JSON."""
    sys.stdout.write(json.dumps(held(Machine(), time.time())) + "\n")


if __name__ == "__main__":
    main()
