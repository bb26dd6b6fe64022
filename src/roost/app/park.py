"""Parking a name, and what each way to park it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.errors import UsageError, command_line

if TYPE_CHECKING:
    from roost.cost.book import PriceBook
    from roost.model.resources import State
    from roost.parking.advice import VolumeAdvice
    from roost.parking.choices import Choices
    from roost.parking.modes import ParkMode
    from roost.providers.provider import Cloud
    from roost.reconcile.loop import Planner
    from roost.session import Session


@dataclass(frozen=True, slots=True)
class Parked:
    """The result of parking a name; ``notes`` say what is kept and still costs."""

    state: State
    notes: tuple[str, ...]


def park(
    session: Session,
    name: str,
    *,
    modes: Iterable[tuple[str, ParkMode]] = (),
    to: str | None = None,
    discard: Iterable[str] = (),
) -> Parked:
    """Save the work of a name and stop paying for it.

    ``modes`` come before what the file says: pairs of a volume (``""``: every one) and its mode;
    ``to`` is the place in S3 before the file's. ``discard`` names the volumes whose data may go;
    for others the user is asked.

    Raises PartlyDoneError, naming what is not put away, and why.
    """
    from roost.app.given import discards
    from roost.app.lifecycle import forget_ways
    from roost.app.resolve import checked, held
    from roost.parking.buckets import agree_on_buckets
    from roost.parking.choices import choose, confirm
    from roost.parking.planner import plan_park

    cloud = _rented(session, name)
    with held(session, cloud, name) as seen:
        have = checked(seen)
        choices = choose(cloud, have, modes, to, discard)
        agree_on_buckets(session, cloud, have, choices)
        choices = confirm(session, have, choices, discards(cloud, have))
        state = _put_away(session, cloud, have, choices)
        forget_ways(cloud, name)
    return Parked(state, plan_park(state, choices.modes, choices.confirmed).notes)


def _put_away(session: Session, cloud: Cloud, have: State, choices: Choices) -> State:
    from roost.app.lifecycle import drive
    from roost.parking.coordinator import Parking
    from roost.parking.ssh_volume_agent import connect, once

    count = len(have.instances)
    note = once(session.say)

    def reconcile(planner: Planner) -> State:
        return drive(
            session,
            cloud,
            have.name,
            planner,
            title=f"park {have.name}",
            total=count,
            done=lambda now: count - sum(i.state == "running" for i in now.instances),
        )

    return Parking(
        modes=choices.modes,
        confirmed=choices.confirmed,
        connect=lambda now: connect(session, cloud, now, choices.roots, choices.classes, note),
        drive=reconcile,
        tell=session.say,
    ).run()


@dataclass(frozen=True, slots=True)
class Advised:
    """The ways to park each volume of ``state``, for a pause of ``days``."""

    state: State
    days: int
    volumes: tuple[VolumeAdvice, ...]


def advise(session: Session, name: str, *, days: int, book: PriceBook) -> Advised:
    """Compare what each way to park costs, for each volume of a name. Changes nothing."""
    from roost.app.resolve import existing
    from roost.parking.advice import advise_each

    cloud = _rented(session, name)
    state = existing(cloud, name)
    return Advised(state, days, advise_each(state, cloud.region, days, book))


def _rented(session: Session, name: str) -> Cloud:
    """Return the cloud of a name. Raises UsageError for a name on the user's own machine."""
    from roost.app.resolve import locate

    cloud = locate(session, name)
    if not cloud.can.rents:
        stop = command_line("roost", "stop", name)
        raise UsageError(f"{name} runs on your own machine and costs nothing: {stop}")
    return cloud
