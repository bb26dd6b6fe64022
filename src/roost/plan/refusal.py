"""The reasons for which nothing can be made now: lost copies, and doubtful states. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from roost.errors import command_line
from roost.model.resources import SURPLUS, Backup, Instance, SecurityGroup, State, Volume
from roost.plan.backups import images_of, snapshots_of

MOST = 6
"""Lines of one kind in one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a plan does nothing: for people, as a RoostError has it."""

    what: str
    exists: tuple[str, ...]
    next: str


def refuse_lost(have: State, backups: Iterable[Backup]) -> Refusal | None:
    """Refuse to make anything in place of a recorded copy that is gone."""
    gone = list(backups)
    if not gone:
        return None
    lines = [f"{b.subject}: its copy, {b.description}, {b.trouble or 'is gone'}" for b in gone]
    more = f"\n  and {len(lines) - MOST} more" if len(lines) > MOST else ""
    text = "\n  ".join(lines[:MOST]) + more
    names = " ".join(f"--fresh {b.name}" for b in gone[:MOST])
    names += " ..." if len(gone) > MOST else ""
    resume = command_line("roost", "resume", have.name)
    empty = "a volume is empty then, a disk as new"
    return Refusal(
        what=f"{have.name} cannot come back as it was parked\n  {text}\n  nothing was made in"
        " its place",
        exists=tuple(_exists(have, gone)),
        next=f"bring the copy back, then: {resume}   (or without it: {resume} {names}; {empty})",
    )


def _exists(have: State, gone: list[Backup]) -> Iterator[str]:
    """Yield what is there and costs, the other copies first."""
    for backup in gone:
        if backup.kind == "snapshot":
            for snapshot in snapshots_of(backup.name, have):
                yield f"snapshot {snapshot.name} of volume {backup.name} ({snapshot.state})"
        else:
            for image in images_of(backup.name, have):
                yield f"copy {image.name} of the disk of {backup.name} ({image.state})"
    lost = {backup.name for backup in gone}
    for snapshot in have.snapshots:
        if snapshot.volume not in lost:
            yield f"snapshot {snapshot.name} of volume {snapshot.volume}"
    for image in have.images:
        if image.instance not in lost:
            yield f"image {image.name} of the disk of {image.instance}"
    yield from (copy.description for copy in have.s3_copies)
    yield from (f"volume {v.name} ({v.state})" for v in have.volumes)
    yield from (f"address {a.ip or a.name}" for a in have.addresses)
    yield from have.conditions


def refuse_doubles(have: State) -> Refusal | None:
    """Refuse where two machines, or two firewalls, have one name: roost itself makes only one.

    Somebody else has made the other, or given it roost's tags. Which is which, nobody knows here.
    But two computers that make one name at once do make two: whose is the younger one takes it
    back, while it runs.
    """
    surplus = _doubled(have)
    if not surplus:
        return None
    untag = ("aws", "ec2", "delete-tags", "--resources", surplus[0].id, "--tags", "Key=roost")
    stop, down = command_line("roost", "stop", have.name), command_line("roost", "down", have.name)
    return Refusal(
        what="\n  ".join(doubles(have)) + "\n  roost made one of them; nothing was changed",
        exists=tuple(_exists(have, [])),
        next=f"{command_line(*untag)}   (of the one that is not yours; `{stop}` stops all of"
        f" them, `{down}` asks and then deletes them)",
    )


def doubles(have: State) -> list[str]:
    """Name the machines and firewalls of which there are two, with their ids."""
    there: list[Instance | SecurityGroup] = [*have.instances, *have.security_groups]
    lines = []
    for kind, name in sorted({(one.kind, one.name.rstrip(SURPLUS)) for one in _doubled(have)}):
        same = [one for one in there if one.kind == kind and one.name.rstrip(SURPLUS) == name]
        named = ", ".join(one.id + _type(one) for one in same)
        what = "machines" if kind == "instance" else "security groups"
        lines.append(f"{have.name} has {len(same)} {what} called {name}: {named}")
    return lines[:MOST]


def _doubled(have: State) -> list[Instance | SecurityGroup]:
    """Return the surplus ones. A worker holds nothing; one that is deleted is on its way out."""
    there: list[Instance | SecurityGroup] = [*have.security_groups]
    there += [i for i in have.instances if i.role != "worker" and i.state != "deleting"]
    return [o for o in there if o.name.endswith(SURPLUS) and o.id not in have.launched]


def _type(one: Instance | SecurityGroup) -> str:
    return f" ({one.shape.type}, {one.state})" if isinstance(one, Instance) else ""


def refuse_unread(have: State, names: Collection[str]) -> Refusal | None:
    """Refuse to make these, or to park them, where the record names copies nobody can read."""
    if not have.backups_unread or not names:
        return None
    resume = command_line("roost", "resume", have.name)
    fresh = " ".join(f"--fresh {name}" for name in sorted(names)[:MOST])
    return Refusal(
        what=f"the record of {have.name} names the copies that it comes back from, and this"
        " version of roost cannot read that: a later one may have written it",
        exists=tuple(_exists(have, [])),
        next=f"the latest roost: pip install --upgrade roost   (or without any copy of it:"
        f" {resume} {fresh})",
    )


def refuse_states(
    have: State, volumes: Collection[str] | None = None, given_up: Collection[str] = ()
) -> Refusal | None:
    """Refuse to build on a broken volume, or on a state that this version does not know.

    Only these ``volumes`` count (None: all), without those that are ``given_up``.
    """
    asked = {v.name for v in have.volumes} if volumes is None else set(volumes)
    lines = list(_doubtful(have, asked - set(given_up)))
    if not lines:
        return None
    stop, down = command_line("roost", "stop", have.name), command_line("roost", "down", have.name)
    return Refusal(
        what="\n  ".join(lines[:MOST]) + "\n  nothing was made in its place",
        exists=(*have.conditions, *(f"volume {v.name} ({v.state})" for v in have.volumes)),
        next=f"{command_line('roost', 'show', have.name)}   (`{stop}` and `{down}` work)",
    )


def _doubtful(have: State, volumes: Collection[str]) -> Iterator[str]:
    unknown = "which this version of roost does not know"
    for instance in have.instances:
        if instance.state == "unknown":
            yield f'{instance.name} is in the state "{instance.note}", {unknown}'
    for volume in have.volumes:
        if volume.name in volumes and (text := _broken(volume, have)):
            yield f"volume {volume.name} ({volume.id}) {text}"
    copies = [(s.kind, s.name, s.note) for s in have.snapshots if s.state == "unknown"]
    copies += [(i.kind, i.name, i.note) for i in have.images if i.state == "unknown"]
    for kind, name, note in copies:
        yield f'{kind} {name} is in the state "{note}", {unknown}'


def _broken(volume: Volume, have: State) -> str:
    """Return what is wrong with a volume; empty where nothing is."""
    if volume.state == "unknown":
        return f'is in the state "{volume.note}", which this version of roost does not know'
    if volume.state == "detaching" and volume.note:
        return f"is being detached from {volume.holder}, which still uses it: stop the machine"
    if volume.state != "failed":
        return ""
    copies = [s for s in snapshots_of(volume.name, have) if s.state == "completed"]
    copy = f"; its last copy is {copies[0].name}" if copies else "; there is no copy of it"
    mode = f"{volume.name}=discard"
    park = command_line("roost", "park", have.name, "--mode", mode, "--discard", volume.name)
    return (
        f'is in the state "{volume.note}": the cloud has lost it, or could not make it{copy}.'
        f" `{park}` gives it up, and `{command_line('roost', 'resume', have.name)}` makes another"
    )


def refuse_unsaved(have: State, going: Iterable[Instance]) -> Refusal | None:
    """Refuse to put machines away whose own disk cannot be saved."""
    lines = [f"the disk of {i.name} cannot be saved: {i.unsaved}" for i in going if i.unsaved]
    if not lines:
        return None
    stop = command_line("roost", "stop", have.name)
    keep = f"{command_line('roost', 'park', have.name, '--mode', 'keep')}   (keeps the machine"
    return Refusal(
        what="\n  ".join(lines[:MOST]) + "\n  nothing was stopped or deleted",
        exists=have.conditions,
        next=f"{keep}, off, with its volumes; or `{stop}`)" if have.volumes else stop,
    )
