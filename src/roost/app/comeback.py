"""Look before a name comes back: are its copies there, and may something be made without one?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, RoostError, UsageError, command_line
from roost.model import nodes
from roost.model.resources import STATELESS

if TYPE_CHECKING:
    from roost.model.resources import S3Copy, State, Wanted
    from roost.parking.volume_agent import Listed
    from roost.providers.provider import Cloud
    from roost.session import Session


def check_copies(
    session: Session, cloud: Cloud, wanted: Wanted, have: State, fresh: Iterable[str] = ()
) -> frozenset[str]:
    """Check all that the name would come back from, before anything is rented.

    ``fresh`` are the volumes and machines that the user wants empty, because their copies are lost.
    Return those that are to be made so. Raises RoostError naming a copy that is gone, UsageError
    for a name that cannot be made fresh, NeedsConfirmationError.
    """
    from roost.plan.recorded import lost_backups
    from roost.plan.up import plan_up
    from roost.reconcile.loop import refuse

    asked = _to_be_made(wanted, have, fresh)
    copies = _in_s3(wanted, have)
    listed = _look(session, cloud, have, copies)
    # What was stored anew may be what somebody brought back: filling compares its content.
    missing = {n: why for n, why in listed.troubles.items() if n not in listed.changed}
    gone = {b.name: f"{b.description}, {b.trouble or 'is gone'}" for b in lost_backups(have)}
    gone |= {name: why for name, why in missing.items() if name not in gone}
    if whole := sorted(name for name in asked - gone.keys() if _has_copy(name, have, listed)):
        raise UsageError(
            f"--fresh {whole[0]}: its copy is there, and would not be used",
            next=command_line("roost", "resume", have.name),
        )
    refuse(plan_up(wanted, have, fresh=asked))
    wrong = {name: why for name, why in missing.items() if name not in asked}
    if wrong:
        raise _lost_in_s3(have, copies, wrong)
    _check_entries(wanted, have, listed)
    _agree(session, have, {name: gone.get(name, "nobody can tell") for name in sorted(asked)})
    _forget(cloud, have, [copy.name for copy in copies if copy.name in asked])
    return asked


def _to_be_made(wanted: Wanted, have: State, fresh: Iterable[str]) -> frozenset[str]:
    """Return what is not there yet of the names to be made fresh. Raises UsageError."""
    names = frozenset(fresh)
    known = {volume.name for volume in wanted.volumes if not volume.id}
    for group in wanted.groups:
        if group.role not in STATELESS:
            known |= set(nodes.names(group.role, group.count))
    if unknown := sorted(names - known):
        raise UsageError(
            f"--fresh {unknown[0]}: {have.name} has no such volume or machine"
            f". There are: {', '.join(sorted(known))}"
        )
    there = {v.name for v in have.volumes} | {i.name for i in have.instances}
    return names - there


def _has_copy(name: str, have: State, listed: Listed) -> bool:
    from roost.plan.backups import image_of, source_of

    in_s3 = name in listed.complete | listed.changed
    snapshot = source_of(name, have)
    local = snapshot is not None and snapshot.name != name
    return in_s3 or local or image_of(name, have) is not None


def _in_s3(wanted: Wanted, have: State) -> tuple[S3Copy, ...]:
    """Return the copies in S3 that volumes would be filled from."""
    from roost.model.resources import S3Copy
    from roost.plan.backups import source_of

    there = {v.name for v in have.volumes}
    names = [v.name for v in wanted.volumes if v.name not in there and not v.id]
    sources = (source_of(name, have) for name in names)
    return tuple(source for source in sources if isinstance(source, S3Copy))


def _look(session: Session, cloud: Cloud, have: State, copies: tuple[S3Copy, ...]) -> Listed:
    """Ask S3 for these copies; say so where nobody here may ask."""
    from roost.parking import ssh_volume_agent
    from roost.parking.volume_agent import Listed

    if not copies:
        return Listed()
    with ssh_volume_agent.connect(session, cloud, have, {}, {}, session.say) as agent:
        listed = agent.list_copies(copies)
    for name, why in sorted(listed.refused.items()):
        session.say(f"note: volume {name}: {why}; its machine will see whether it is all there")
    return listed


def _check_entries(wanted: Wanted, have: State, listed: Listed) -> None:
    """Raise RoostError where a volume is too small for as many files as come back to it."""
    from math import ceil

    from roost.plan.comeback import entries_room, most_entries
    from roost.units import format_size

    copies = {copy.name: copy for copy in have.s3_copies}
    for volume in wanted.volumes:
        count = listed.entries.get(volume.name, 0)
        if (
            count <= most_entries(volume.size_gib)
            or volume.size_gib >= copies[volume.name].size_gib
        ):
            continue
        size = f'size = "{format_size(ceil(entries_room(count)))}"'
        raise RoostError(
            f"volume {volume.name}: {count:,} files and folders come back, and"
            f" {format_size(volume.size_gib)} hold {most_entries(volume.size_gib):,}"
            "; nothing was made",
            exists=tuple(copy.description for copy in have.s3_copies),
            next=f"{size} or more for volume {volume.name} in the file, then: roost up FILE",
        )


def _lost_in_s3(have: State, copies: tuple[S3Copy, ...], wrong: dict[str, str]) -> RoostError:
    lines = []
    for copy in copies:
        if copy.name in wrong:
            made = datetime.fromtimestamp(copy.taken, UTC)
            lines.append(
                f"volume {copy.name}: its copy in {copy.place} ({copy.used_gib:g} GiB, made"
                f" {made:%Y-%m-%d %H:%M} UTC): {wrong[copy.name]}"
            )
    resume = command_line("roost", "resume", have.name)
    names = " ".join(f"--fresh {name}" for name in sorted(wrong))
    text = "\n  ".join(lines)
    return RoostError(
        f"{have.name} cannot come back as it was parked\n  {text}\n  nothing was made in its place",
        exists=(
            *(copy.description for copy in copies),
            *(f"snapshot {s.name} of volume {s.volume}" for s in have.snapshots),
            *(f"image {i.name} of the disk of {i.instance}" for i in have.images),
            *(f"address {a.ip or a.name}" for a in have.addresses),
            *have.conditions,
        ),
        next="bring the objects back (a bucket with versions has them still), then:"
        f" {resume}   (or with an empty volume: {resume} {names})",
    )


def _agree(session: Session, have: State, names: dict[str, str]) -> None:
    """Ask before something comes back empty."""
    if not names:
        return
    for name, why in names.items():
        session.say(f"{name} comes back empty: {why}")
    listed = ", ".join(names)
    words = [word for name in names for word in ("--fresh", name)]
    refused = NeedsConfirmationError(
        f"making {listed} empty needs a yes",
        exists=have.conditions,
        next=command_line("roost", "resume", have.name, *words, "--yes"),
    )
    session.consent.ask(f"Make {listed} empty, without what was on it?", refused)


def _forget(cloud: Cloud, have: State, names: list[str]) -> None:
    """Forget copies in S3 that are given up; what is left of their objects stays."""
    from roost.model.steps import ForgetCopy
    from roost.reconcile.loop import apply_patiently

    if names:
        reason = "you want the volume empty, and named it"
        apply_patiently(cloud, have.name, ForgetCopy(tuple(names), reason=reason))
