"""The wall of a class: what each seat's tile says, and when it is red. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from roost.model.glance import NOT_ITS_FAULT, WHY
from roost.model.nodes import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roost.model.glance import Glance
    from roost.model.resources import Instance
    from roost.spec.people import Person

Look = Literal["red", "hand", "wait", "unknown", "off", "well"]
WORDS: Mapping[Look, str] = {
    "red": "needs you",
    "hand": "asks for help",
    "wait": "waiting",
    "unknown": "not known",
    "off": "off",
    "well": "well",
}
STALE = 9.0
"""Seconds after which a word of a seat is too old to be believed."""
YOUNG = 1800.0
"""Seconds after its start in which a desktop that never answered may still be at its set-up."""
MOST_NAMED = 6
LITTLE = 95
"""Percent of memory from which it is said loudly."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The last word of a seat, and when it came; ``ever``: it has answered before."""

    glance: Glance
    at: float
    ever: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One seat on the wall. ``memory`` is in percent, and ``full`` where little is left.

    ``mark`` is that of its picture, which is an old one where the seat is not well.
    """

    seat: str
    number: int
    look: Look
    why: str = ""
    person: str = ""
    spare: bool = False
    idle: str = ""
    memory: int | None = None
    full: bool = False
    error: str = ""
    mark: str = ""

    @property
    def word(self) -> str:
        """The state in a word."""
        return WORDS[self.look]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that is known of a seat; ``mark`` is that of its last picture."""

    seat: str
    instance: Instance | None = None
    heard: Heard | None = None
    person: Person | None = None
    spare: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, by the clock of what is ``heard`` and by the cloud's, in seconds since 1970."""

    heard: float
    wall: float


def tile(seen: Seen, now: Moment, *, watched: bool = True) -> Tile:
    """Return the tile of a seat. ``watched``: somebody asks the seats."""
    look, why = _machine(seen.instance, watched=watched) or _desktop(seen, now)
    told = None
    if look in ("well", "hand", "red") and seen.heard is not None and not seen.heard.glance.miss:
        told = seen.heard.glance
    memory = _percent(told) if told else None
    return Tile(
        seat=seen.seat,
        number=number_of(seen.seat),
        look=look,
        why=why,
        person=seen.person.name if seen.person is not None else "",
        spare=seen.spare,
        idle=idle_text(told.idle_s) if told else "",
        memory=memory,
        full=memory is not None and memory >= LITTLE,
        error=(told.error if told else "") or (seen.instance.health if seen.instance else ""),
        mark=seen.mark if look not in ("off", "wait") else "",
    )


def _machine(instance: Instance | None, *, watched: bool) -> tuple[Look, str] | None:
    """Return what the cloud alone decides; None where the seat itself is to be heard."""
    if instance is None:
        return "red", "its machine is gone"
    if instance.aside:
        return "off", "set aside: a spare has taken its place"
    if instance.state in ("stopped", "stopping"):
        return "off", instance.note
    if instance.state != "running":
        look: Look = "red" if instance.state in ("failed", "deleting") else "wait"
        return look, instance.note or f"its machine is {instance.state}"
    if watched:
        return None
    return ("red", instance.health) if instance.health else ("unknown", "its machine runs")


def _desktop(seen: Seen, now: Moment) -> tuple[Look, str]:
    heard = seen.heard
    if heard is None:
        return "wait", "not heard of yet"
    if now.heard - heard.at > STALE:
        return "unknown", "nothing is heard of it"
    started = seen.instance.started if seen.instance is not None else 0
    return _told(heard, young=0 < now.wall - started < YOUNG)


def _told(heard: Heard, *, young: bool) -> tuple[Look, str]:
    miss = heard.glance.miss
    if miss in NOT_ITS_FAULT:
        return "unknown", WHY[miss]
    if miss and young and not heard.ever:
        return "wait", "no desktop there yet"
    if miss:
        return "red", WHY[miss]
    if heard.glance.failed:
        return "red", heard.glance.error or "its set-up failed"
    return ("hand" if heard.glance.hand else "well"), ""


def idle_text(seconds: float | None) -> str:
    """Return how long nobody has typed: ``"idle 12 min"``, ``"idle 1.5 h"``; "" below a minute."""
    minutes = int((seconds or 0) // 60)
    if minutes < 1:
        return ""
    return f"idle {minutes} min" if minutes < 60 else f"idle {minutes / 60:.1f} h"


def _percent(told: Glance) -> int | None:
    return None if told.used is None or not told.memory else told.used * 100 // told.memory


def summary(tiles: Sequence[Tile]) -> str:
    """Return all tiles in a line: ``"27 well, 2 off. Seat 7 needs you: does not answer."``"""
    counts = {look: sum(one.look == look for one in tiles) for look in WORDS}
    parts = [
        f"{count} {WORDS[look]}"
        for look, count in counts.items()
        if count and look not in ("red", "hand")
    ]
    hands = _numbers(tiles, "hand")
    asks = f"{hands} {'ask' if hands.startswith('Seats') else 'asks'} for help. " if hands else ""
    red = [one for one in tiles if one.look == "red"]
    if not red:
        return f"{asks}{', '.join(parts)}."
    why = f": {red[0].why}" if len(red) == 1 else ""
    need = "needs" if len(red) == 1 else "need"
    return f"{_numbers(tiles, 'red')} {need} you{why}. {asks}{', '.join(parts)}."


def _numbers(tiles: Sequence[Tile], look: Look) -> str:
    """Return ``"Seat 7"`` or ``"Seats 7, 9"``; "" where none looks so."""
    found = [str(one.number) for one in tiles if one.look == look]
    more = " ..." if len(found) > MOST_NAMED else ""
    which = ", ".join(found[:MOST_NAMED]) + more
    return f"{'Seat' if len(found) == 1 else 'Seats'} {which}" if found else ""
