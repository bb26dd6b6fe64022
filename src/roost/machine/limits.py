"""The limits of the file (idle, end, budget), brought to a machine that runs already.

They came with its launch. What the file says later counts from the next hand-over on, and what
``roost-extend`` moved stays, unless the file has another word on just that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from roost.machine import memory
from roost.machine.common import Machine, read, write
from roost.machine.guard import rules_of

KEYS = ("idle", "end", "budget")
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
