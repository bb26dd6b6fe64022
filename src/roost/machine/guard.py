"""Once a minute: look, judge, warn, stop. ``idle_policy`` has when, ``activity`` what is work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from roost.machine import activity, idle_policy, memory
from roost.machine.common import Machine, boot, read, run, write
from roost.machine.platform import platform_of

LAST = "/run/roost/watch.json"
NOTE = "/var/lib/roost/stopped"
"""The file with the reason of the last stop; the next login shows it."""
NEWS = 3600.0
"""Seconds after the boot for which it does."""
STOPS = "/var/lib/roost/last-stop.json"
"""When and why it last stopped by itself, for `roost show`."""


def rules_of(facts: dict[str, Any]) -> idle_policy.Rules:
    """Return the file's rules for this machine."""
    budget = facts.get("budget") or {}
    end = datetime.fromisoformat(facts["end"]) if facts.get("end") else None
    offset = end.utcoffset() if end else None
    return idle_policy.Rules(
        idle=facts.get("idle"),
        end=end.timestamp() if end else None,
        run=facts.get("run"),
        offset=offset.total_seconds() if offset else 0.0,
        usd=budget.get("usd"),
        park=budget.get("at_end") == "park",
        running=budget.get("running", 0.0),
        stopped=budget.get("stopped", 0.0),
        worker=budget.get("worker", 0.0),
        unit=budget.get("unit", ""),
    )


def look(machine: Machine) -> tuple[idle_policy.Seen, float | None]:
    """Return the present activity, and the head's end time on a worker."""
    which, up = boot(machine)
    try:
        why, kept = activity.busy(machine, read(machine.at(LAST)), up)
        write(machine.at(LAST), kept, 0o600)
    except Exception as error:
        # End time and budget must hold, whatever this machine's /proc and disk look like.
        why = f"nobody can tell whether it is idle: {error!r}"
    facts = machine.facts
    seen = idle_policy.Seen(
        boot=which,
        up=up,
        wall=time.time(),
        busy=why,
    )
    if facts.get("role") not in ("head", "worker"):
        return seen, None
    from roost.machine import beacon  # a machine by itself reports to nobody, and has no beacon

    if facts.get("role") == "worker" and facts.get("head"):
        node = str(read(machine.at("/var/lib/roost/node.json")).get("node", "worker"))
        return follow(seen, beacon.report(facts["head"], node, why, key=beacon.key_of(machine)))
    workers = beacon.reports(machine, up) if facts.get("role") == "head" else {}
    at_work = next((f"{node}: {one}" for node, one in workers.items() if one), "")
    return replace(seen, busy=why or at_work, workers=len(workers)), None


def follow(
    seen: idle_policy.Seen, said: dict[str, Any] | None
) -> tuple[idle_policy.Seen, float | None]:
    """Apply the head's answer: a worker is idle only when the whole cluster is."""
    if said is None:
        return seen, None
    order = str(said.get("stop") or "")
    end = said.get("end")
    busy = "" if order else seen.busy or "the head is up"
    return replace(seen, order=order, busy=busy), float(end) if end is not None else None


def tick(machine: Machine, seen: idle_policy.Seen, end: float | None = None) -> idle_policy.Verdict:
    """Judge, then keep what was judged, then warn; the caller stops the machine.

    A disk that takes nothing changes no verdict: what cannot be written is left out.
    """
    rules = rules_of(machine.facts)
    with _alone(machine):
        before = memory.load(machine)
        before = replace(before, end=end) if end is not None else before
        after, verdict = idle_policy.judge(rules, before, seen)
        if not memory.store(machine, after) and not verdict.stop:
            verdict = replace(verdict, stop=idle_policy.overdue(rules, after, seen))
        memory.limit(machine, rules, after)
    for notice in verdict.notices:
        machine.tell(notice)
    with suppress(OSError):
        if not verdict.notices and not after.told and not after.early:
            machine.notice.unlink(missing_ok=True)
        if seen.up > NEWS:
            machine.at(NOTE).unlink(missing_ok=True)
    if verdict.stop:
        with suppress(OSError):
            write(machine.at(NOTE), f"it stopped by itself: {verdict.stop}\n")
            at = idle_policy.moment(rules, seen.wall).isoformat(timespec="seconds")
            write(machine.at(STOPS), {"at": at, "because": verdict.stop})
        machine.log(f"stop: {verdict.stop}")
    return verdict


@contextmanager
def _alone(machine: Machine) -> Iterator[None]:
    """Hold the guard's lock where there can be one."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(machine.alone("guard"))
        yield


def main() -> None:
    """Run one check, for the timer."""
    machine = Machine()
    seen, end = look(machine)
    if tick(machine, seen, end).stop:
        try:
            platform_of(machine).stop()
        except Exception as error:
            machine.log(f"stop: {error!r}; it is powered off")
            run(["systemctl", "poweroff"])


if __name__ == "__main__":
    main()
