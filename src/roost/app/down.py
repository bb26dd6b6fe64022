"""Delete a name: its instances and all that was made for them; data only where it is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.errors import (
    CloudError,
    NeedsConfirmationError,
    NotFoundError,
    UsageError,
    command_line,
)
from roost.model.record import read_record
from roost.model.steps import shorten

if TYPE_CHECKING:
    from roost.model.resources import Resource, S3Copy, State
    from roost.providers.provider import Cloud
    from roost.session import Session

MOST_NAMES = 12
"""Names that an error lists: a classroom has hundreds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """The deleted and the remaining parts of a name.

    ``forgotten`` are copies in the user's bucket that roost has no record of any more, and keeps.
    ``unexpected`` still carries the name's mark though it should be gone; ``problem`` says so,
    after all of it is shown.
    """

    name: str
    gone: tuple[Resource, ...]
    left: tuple[Resource, ...]
    notes: tuple[str, ...]
    forgotten: tuple[S3Copy, ...] = ()
    unexpected: tuple[str, ...]

    @property
    def problem(self) -> CloudError | None:
        """The error to end with, or None."""
        if not self.unexpected:
            return None
        return CloudError(
            f"still there with the tag of {self.name}: {', '.join(self.unexpected)}",
            next=command_line("roost", "down", self.name) + "   (again), or: roost audit",
        )


def down(
    session: Session, name: str, typed: tuple[str, ...] = (), *, keep_data: bool = False
) -> Down:
    """Delete a name; of its data only what ``typed`` names (the name itself: all of it), and what
    the user's own file discards.
    """
    from roost.app.resolve import locate

    try:
        cloud = locate(session, name)
    except NotFoundError:
        remove_half_made(session, name)
        raise
    return down_in(session, cloud, name, typed, keep_data=keep_data)


def down_in(
    session: Session, cloud: Cloud, name: str, typed: tuple[str, ...], *, keep_data: bool = False
) -> Down:
    """Delete a name that is in a cloud, which may know what was made there a moment ago."""
    from roost.app.cost import so_far
    from roost.app.lifecycle import drive, forget_ways, summary
    from roost.app.resolve import held, missing
    from roost.plan.down import plan_down

    with held(session, cloud, name) as before:
        if before.empty:
            forget_deleted(session, name)
            raise missing(name)
        session.say(f"{name}: {summary(before)}")
        if cloud.can.history is not None:
            session.say(f"it has cost {so_far(cloud, before)} so far")
        discard = checked_names(before, typed, keep_data)
        if not keep_data:
            discard |= scratch(session, cloud, before)
        agree(session, before, discard)
        count = len(before.instances)
        state = drive(
            session,
            cloud,
            name,
            lambda have, _: plan_down(have, discard),
            title=f"down {name}",
            total=count,
            done=lambda now: count - len(now.instances),
        )
        forget_ways(cloud, name)
        remains = cloud.can.remains
        unexpected = remains.remains(state) if remains is not None else ()
    there = {(r.kind, r.name) for r in state.resources}
    known = {copy.name for copy in state.s3_copies}
    return Down(
        name=name,
        gone=tuple(r for r in before.resources if (r.kind, r.name) not in there),
        left=state.resources,
        notes=plan_down(state, discard).notes,
        forgotten=tuple(c for c in before.s3_copies if c.name not in known),
        unexpected=(*unexpected, *_undeleted(state, discard)),
    )


def _undeleted(state: State, discard: frozenset[str]) -> tuple[str, ...]:
    """Name the volumes that were to go and could not: something else holds them."""
    return tuple(
        f"volume {v.name} ({v.id}, {v.state})"
        for v in state.volumes
        if not v.adopted and (state.name in discard or v.name in discard)
    )


def remove_half_made(session: Session, name: str) -> None:
    """Remove what a killed `up` had begun before there was a name."""
    from roost.app.resolve import clouds, held

    forget_deleted(session, name)
    for cloud in clouds(session):
        leftovers = cloud.can.leftovers
        if leftovers is not None and leftovers.half_made(name):
            with held(session, cloud, name):
                session.say(f"{name}: removed what a killed roost had begun to make or to delete")


def forget_deleted(session: Session, name: str) -> None:
    """Forget the way to a name that is nowhere: a killed `down` had no time for it.

    Where the options name one place, the name may be in another one: then nothing is forgotten.
    """
    from roost.model.place import NOWHERE
    from roost.ssh.browser import withdraw
    from roost.ssh.tunnel import forget

    if session.place == NOWHERE:
        withdraw(name)
        forget(name)


def checked_names(before: State, typed: tuple[str, ...], keep_data: bool) -> frozenset[str]:
    """Return the data whose names were typed. Raises UsageError where some is not there."""
    if typed and keep_data:
        raise UsageError("--keep-data and --delete-data say the opposite of each other")
    known = {before.name, *(v.name for v in before.volumes), *(s.name for s in before.s3_copies)}
    known |= {s.volume for s in before.snapshots} | {i.instance for i in before.images}
    known |= {b.name for b in before.backups} | {i.name for i in before.instances}
    recorded = read_record(before.record)  # what is gone already, if this was killed before
    known |= {*recorded.volumes, *recorded.machines}
    if unknown := set(typed) - known:
        raise UsageError(
            f"{before.name} has no data called {', '.join(sorted(unknown))}"
            f". There are: {shorten(tuple(sorted(known)), MOST_NAMES)}"
        )
    return frozenset(typed)


def scratch(session: Session, cloud: Cloud, before: State) -> frozenset[str]:
    """Return the volumes that the file of this computer discards, and say that they go.

    One of which a copy was made all the same is kept, with its copies.
    """
    from roost.app.given import discards

    named = discards(cloud, before) - {s.volume for s in before.snapshots}
    named -= {copy.name for copy in before.s3_copies}
    found = frozenset(v.name for v in before.volumes if v.name in named and not v.adopted)
    if found:
        session.say(f'the file says park = "discard" for {", ".join(sorted(found))}: the data goes')
    return found


def agree(session: Session, before: State, discard: frozenset[str]) -> None:
    """Ask before it goes. A record alone costs nothing and is no loss; an address is one."""
    if not (before.instances or before.addresses or discard):
        return
    from roost.plan.refusal import doubles

    name = before.name
    what = f"{name}, with the data of {', '.join(sorted(discard))}" if discard else name
    fixed = ", ".join(a.ip or a.name for a in before.addresses)
    loss = f"; {fixed} would be released, and cannot be had back" if fixed else ""
    for line in doubles(before):
        session.warn(f"{line}; all of them would be deleted")
    refused = NeedsConfirmationError(
        f"deleting {what} needs a yes{loss}",
        exists=before.conditions,
        next=command_line("roost", "down", name, "--yes"),
    )
    session.consent.ask(f"Delete {what}{loss}?", refused)
