"""Decide when a machine stops by itself. Pure: observations in, notices and decisions out.

Times: ``wall`` is seconds since 1970, ``up`` seconds since the boot (suspended ones too), spans
are seconds, money is USD. A machine is never stopped without a warning before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

WARNING = 600.0
"""Seconds from the warning to the stop; half the window where that is shorter."""
TICK = 60.0
"""Seconds between two looks."""
BLIND = 5 * TICK
"""After so long without a look its idleness is unknown: the window begins anew."""
HANDOVER = 2 * TICK
"""Seconds that a stopping head stays up to tell its workers."""
EARLY = 0.8
"""The part of the budget at which there is a first warning."""

LONGEST = 366 * 86400.0
"""Seconds by which one ``extend`` moves a limit at most; further away, a clock was wrong."""

MORE_TIME = "sudo roost-extend 2h"
MORE_MONEY = "sudo roost-extend --budget {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the file says. Rates are USD an hour: all of it running, all of it stopped, and what
    each worker that reports here adds while it runs; ``unit`` is what a site counts in instead.
    ``run``: the seconds that it may run after a start; ``offset``: those by which the file's clock
    is ahead of UTC."""

    idle: float | None = None
    end: float | None = None
    run: float | None = None
    offset: float = 0.0
    usd: float | None = None
    park: bool = False
    running: float = 0.0
    stopped: float = 0.0
    worker: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One observation: ``busy`` is why it is not idle, ``order`` why the head says stop."""

    boot: str
    up: float
    wall: float
    busy: str = ""
    workers: int = 0
    order: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The memory from check to check, on the disk that stays when the machine stops.

    ``told`` has the time (up) of the warning before each stop; ``stopping`` when and why a head
    began to stop; ``end`` and ``hold`` are what ``extend`` moved. ``lost``: what it had spent
    cannot be read any more.

    ``spent`` is ``paid``, for the time that it ran, and the time it was off since ``since`` (wall)
    at ``rate``: all but the ``ran`` seconds. That is worked out anew at each look, so a clock
    that was wrong for a while leaves nothing behind. ``since_boot`` is the boot that set ``since``.
    """

    boot: str = ""
    up: float = 0.0
    wall: float = 0.0
    busy: str = ""
    idle_since: float | None = None
    end: float | None = None
    hold: float = 0.0
    spent: float = 0.0
    paid: float | None = None
    since: float | None = None
    since_boot: str = ""
    ran: float = 0.0
    rate: float = 0.0
    lost: bool = False
    early: bool = False
    told: dict[str, float] = field(default_factory=dict)
    stopping: str = ""
    stopping_since: float = 0.0

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Memory:
        """Read from JSON, also that of an older or newer roost.

        Raises ValueError where it holds what no roost wrote.
        """
        known = {k: v for k, v in kept.items() if k in cls.__dataclass_fields__}
        defaults = cls()
        for name, value in known.items():
            if not _plausible(name, value, getattr(defaults, name)):
                raise ValueError(f"{name}: {value!r}")
        return cls(**known)


def _plausible(name: str, value: Any, default: Any) -> bool:
    """Tell if a value has the type of its field; numbers must be finite."""
    if name == "told":
        return isinstance(value, dict) and all(_is_number(one) for one in value.values())
    if isinstance(default, bool | str):
        return type(value) is type(default)
    return _is_number(value) or (default is None and value is None)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``notices`` are for the user; ``stop`` is why the machine goes off now."""

    notices: tuple[str, ...] = ()
    stop: str = ""


def judge(rules: Rules, memory: Memory, seen: Seen) -> tuple[Memory, Verdict]:
    """Judge one observation. Observations come about once a minute."""
    memory = _remember(rules, memory, seen)
    notices: list[str] = []
    told: dict[str, float] = {}
    stop = seen.order
    for cause, left, lead, text in _stops(rules, memory, seen):
        if left > lead:
            continue
        told[cause] = memory.told.get(cause, seen.up)
        if cause not in memory.told:
            money = MORE_MONEY.format(unit=rules.unit or "USD")
            ask = money if cause == "budget" else MORE_TIME
            notices.append(f"{text}; it stops in {_minutes(max(left, lead))}. To go on: {ask}")
        if left <= 0 and seen.up - told[cause] >= lead - TICK:
            stop = stop or text
    memory = replace(memory, told=told)
    if rules.usd is not None and memory.spent >= EARLY * rules.usd and not memory.early:
        memory = replace(memory, early=True)
        notices.append(f"{_spent(memory.spent, rules)} is spent: {EARLY:.0%} of it")
    return _hand_over(memory, seen, stop, notices)


def _remember(rules: Rules, memory: Memory, seen: Seen) -> Memory:
    """Count the money and the idle time since the last observation."""
    same = memory.boot == seen.boot
    running = max(0.0, seen.up - memory.up if same else seen.up)
    since = memory.idle_since
    if seen.busy:
        since = None
    elif since is None or not same or running > BLIND:
        since = seen.up
    return replace(
        _charge(rules, memory, seen, running),
        boot=seen.boot,
        up=seen.up,
        wall=seen.wall,
        busy=seen.busy,
        idle_since=since,
        told=memory.told if same else {},
        stopping=memory.stopping if same else "",
    )


def _charge(rules: Rules, memory: Memory, seen: Seen, running: float) -> Memory:
    """Charge for ``running`` seconds, and for the time that it was off."""
    paid = memory.spent if memory.paid is None else memory.paid
    since, since_boot, ran = memory.since, memory.since_boot, memory.ran
    if since is None:
        since = memory.wall if memory.boot else seen.wall - running
        since_boot, ran = seen.boot, 0.0
    elif memory.rate != rules.stopped:  # until the last look it had another price
        paid += max(0.0, memory.wall - since - ran) * memory.rate / 3600
        since, since_boot, ran = memory.wall, seen.boot, 0.0
    step = seen.wall - memory.wall - running
    if memory.boot == seen.boot == since_boot and abs(step) > TICK:
        since += step  # the clock was set, after it had said when the counting began
    ran += running
    paid += running * (rules.running + seen.workers * rules.worker) / 3600
    off = max(0.0, seen.wall - since - ran)
    return replace(
        memory,
        spent=paid + off * rules.stopped / 3600,
        paid=paid,
        since=since,
        since_boot=since_boot,
        ran=ran,
        rate=rules.stopped,
    )


def _stops(rules: Rules, memory: Memory, seen: Seen) -> list[tuple[str, float, float, str]]:
    """Return every coming stop: cause, seconds left, seconds of warning before it, the text."""
    found = []
    held = memory.hold - seen.wall if memory.hold - seen.wall <= LONGEST else 0.0
    if rules.idle is not None and memory.idle_since is not None:
        left = max(memory.idle_since + rules.idle - seen.up, held)
        lead = min(WARNING, rules.idle / 2)
        idle = f"nobody has used it and nothing has worked on it for {_minutes(rules.idle - lead)}"
        found.append(("idle", left, lead, idle))
    end = end_of(rules, memory)
    if end is not None:
        text = f"its end time is {moment(rules, end):%Y-%m-%d %H:%M %Z}"
        found.append(("end", end - seen.wall, WARNING, text))
    if rules.run is not None:
        text = f"it has run for {rules.run / 3600:g} h, as its file allows after a start"
        found.append(("run", max(rules.run - seen.up, held), min(WARNING, rules.run / 2), text))
    if rules.usd is not None:
        rate = rules.running + seen.workers * rules.worker
        missing = rules.usd - memory.spent
        left = 0.0 if missing <= 0 else missing / rate * 3600 if rate > 0 else WARNING + TICK
        done = "; it is to be parked: roost park" if rules.park else ""
        text = f"its budget ends: {_spent(memory.spent, rules)}{done}"
        if memory.lost:
            left, text = 0.0, f"the record of what it has spent is damaged{done}"
        found.append(("budget", left, WARNING, text))
    return found


def soon(rules: Rules, memory: Memory, seen: Seen) -> tuple[float, str] | None:
    """Return the seconds until the next stop that is near enough to be warned of, and why."""
    if memory.boot != seen.boot:  # it has not looked since it started
        memory = replace(memory, idle_since=None, told={})
    coming = [
        (max(left, lead - (seen.up - memory.told.get(cause, seen.up))), text)
        for cause, left, lead, text in _stops(rules, memory, seen)
        if left <= lead
    ]
    return min(coming, default=None)


def moment(rules: Rules, wall: float) -> datetime:
    """Return a time by the clock of the file."""
    zone = timezone(timedelta(seconds=rules.offset)) if rules.offset else UTC
    return datetime.fromtimestamp(wall, zone)


def overdue(rules: Rules, memory: Memory, seen: Seen) -> str:
    """Return why it must be off by now, for a machine that cannot remember its warnings.

    It has been up for as long as a warning comes before a stop, and warned at each look.
    """
    due = (
        text for _, left, lead, text in _stops(rules, memory, seen) if left <= 0 and seen.up >= lead
    )
    return next(due, "")


def longest_run(rules: Rules, memory: Memory) -> float | None:
    """Return the seconds that one run can last at most, by the budget and the file."""
    ways = []
    if rules.usd is not None and rules.running > 0:
        ways.append(rules.usd / rules.running * 3600)
    if rules.run is not None:
        ways.append(max(rules.run, memory.hold - (memory.wall - memory.up)))
    return min(ways, default=None)


def limits_text(rules: Rules, memory: Memory) -> str:
    """Return the line that the last resort reads."""
    words = (
        "-" if value is None else str(max(0, math.ceil(value)))
        for value in (end_of(rules, memory), longest_run(rules, memory))
    )
    return " ".join(words) + "\n"


def _hand_over(memory: Memory, seen: Seen, stop: str, notices: list[str]) -> tuple[Memory, Verdict]:
    """Stop a head only after its workers have heard that it will stop."""
    if not stop:
        return replace(memory, stopping=""), Verdict(notices=tuple(notices))
    if not memory.stopping:
        memory = replace(memory, stopping=stop, stopping_since=seen.up)
        notices.append(f"it stops now: {stop}")
    if seen.workers and seen.up - memory.stopping_since < HANDOVER:
        return memory, Verdict(notices=tuple(notices))
    return memory, Verdict(notices=tuple(notices), stop=stop)


def end_of(rules: Rules, memory: Memory) -> float | None:
    """Return the end time (wall): the file's, or the later one that ``extend`` set."""
    ends = [end for end in (rules.end, memory.end) if end is not None]
    return max(ends) if ends else None


def extend(rules: Rules, memory: Memory, seconds: float, wall: float) -> Memory:
    """Extend by ``seconds``: the end time moves, and no idleness stops it before."""
    end = end_of(rules, memory)
    return replace(
        memory,
        end=None if end is None else max(end, wall) + seconds,
        hold=max(memory.hold, wall + seconds),
        idle_since=None,
        told={},
        stopping="",
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min"


def _spent(spent: float, rules: Rules) -> str:
    if rules.unit:
        return f"{spent:.2f} of {rules.usd:.2f} {rules.unit}"
    return f"${spent:.2f} of ${rules.usd:.2f}"
