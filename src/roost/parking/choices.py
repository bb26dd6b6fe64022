"""The user's choices: how each volume of a name is put away, checked before anything changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, RoostError, UsageError, command_line
from roost.model.steps import shorten
from roost.parking.modes import ParkMode
from roost.parking.planner import plan_park, to_list, to_verify
from roost.parking.restore import unfilled
from roost.plan.wanted import volumes_of
from roost.providers.provider import Cloud, need
from roost.reconcile.loop import refuse
from roost.spec import from_json
from roost.spec.values import BUCKET

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.session import Session
    from roost.spec.volume import Volume

MOST_NAMES = 12
"""Names that an error lists: a classroom has hundreds."""
EVERY = ""
"""In place of a volume's name: every volume."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The way in which each volume of a name is put away.

    ``roots`` have the place in S3 below which a volume goes, and ``classes`` its storage class
    where that is not S3's own. ``confirmed`` are the volumes whose data may be discarded.
    """

    modes: Mapping[str, ParkMode]
    roots: Mapping[str, str]
    classes: Mapping[str, str]
    confirmed: frozenset[str]


def choose(
    cloud: Cloud,
    have: State,
    wishes: Iterable[tuple[str, ParkMode]],
    to: str | None,
    discard: Iterable[str],
) -> Choices:
    """Complete the user's wishes (volume or EVERY, and its mode) by what the file says.

    Raises UsageError or RoostError where a volume cannot be put away so.
    """
    file = _in_file(have)
    modes = _modes(have, file, wishes)
    if to is not None and not re.fullmatch(BUCKET, to):
        raise UsageError(f'--to: "{to}" is not a place in S3 (s3://BUCKET or s3://BUCKET/PREFIX)')
    _check_restored(have, modes)
    roots = _roots(have, file, modes, to)
    if roots:
        need(cloud.can.s3_copies, "park in S3", cloud).check_room(have.name, tuple(roots))
    if ParkMode.ARCHIVE in modes.values():
        need(cloud.can.archives or None, "park in an archive", cloud)
    classes = {name: file[name].park_class for name in roots if name in file}
    confirmed = frozenset(discard)
    if unknown := confirmed - modes.keys():
        raise _no_volume(have, unknown, modes)
    return Choices(
        modes=modes,
        roots=roots,
        classes={name: kind for name, kind in classes.items() if kind != "STANDARD"},
        confirmed=confirmed,
    )


def _in_file(have: State) -> Mapping[str, Volume]:
    """Return what the file says of each volume; nothing where its record cannot be read.

    Then each is kept as a snapshot: whatever others wrote there, a name can be parked.
    """
    try:
        return volumes_of(from_json(have.record)) if have.record else {}
    except RoostError:
        return {}


def _modes(
    have: State, file: Mapping[str, Volume], wishes: Iterable[tuple[str, ParkMode]]
) -> dict[str, ParkMode]:
    """Return the mode of every volume, also of those that are gone: the wish, or the file's.

    A command that was killed is typed again when some of its volumes have gone already.
    """
    names = _named_there(have) | file.keys()
    names |= {backup.name for backup in have.backups if backup.kind == "snapshot"}
    modes = {name: file[name].park if name in file else ParkMode.SNAPSHOT for name in sorted(names)}
    for name, mode in wishes:
        if name != EVERY and name not in modes:
            raise _no_volume(have, {name}, modes)
        modes |= dict.fromkeys(modes, mode) if name == EVERY else {name: mode}
    return modes


def _no_volume(have: State, unknown: Iterable[str], modes: Iterable[str]) -> UsageError:
    known = shorten(tuple(modes), MOST_NAMES) or "none"
    names = ", ".join(sorted(unknown))
    return UsageError(f"{have.name} has no volume {names}. There are: {known}")


def _check_restored(have: State, modes: Mapping[str, ParkMode]) -> None:
    """Refuse to copy a volume whose data is not all restored. Raises RoostError."""
    partial = [name for name in unfilled(have) if modes[name].needs_all_data]
    if partial:
        raise RoostError(
            f"volume {', '.join(partial)}: its data is not all back from S3 yet, so there is"
            " nothing to park",
            exists=have.conditions,
            next=f"{command_line('roost', 'resume', have.name)}"
            f"   (or `{command_line('roost', 'stop', have.name)}`, and resume it later)",
        )


def _roots(
    have: State, file: Mapping[str, Volume], modes: Mapping[str, ParkMode], to: str | None
) -> dict[str, str]:
    """Return the place in S3 for each volume that goes there. Raises UsageError without one."""
    in_s3 = [v.name for v in have.volumes if modes[v.name] is ParkMode.S3 and not v.adopted]
    roots = {name: to or (file[name].park_to if name in file else None) for name in in_s3}
    if missing := [name for name, root in roots.items() if root is None]:
        mode, place = f"{missing[0]}={ParkMode.S3}", "s3://BUCKET/PREFIX"
        raise UsageError(
            f"volume {', '.join(missing)}: where in S3? The file has no park_to for it",
            next=command_line("roost", "park", have.name, "--mode", mode, "--to", place),
        )
    return {name: root for name, root in roots.items() if root is not None}


def _named_there(have: State) -> set[str]:
    """Return the volumes that are there, or have a copy there."""
    names = {v.name for v in have.volumes} | {s.volume for s in have.snapshots}
    return names | {copy.name for copy in have.s3_copies}


def confirm(session: Session, have: State, choices: Choices, in_file: frozenset[str]) -> Choices:
    """Ask for what is not confirmed: the name of each volume to discard, and a yes to all of it.

    ``in_file`` are volumes that the user's own file discards: for those `--yes` is enough.

    Raises NeedsConfirmationError.
    """
    confirmed = set(choices.confirmed)
    for volume in have.volumes:
        discarded = choices.modes[volume.name] is ParkMode.DISCARD and not volume.adopted
        if discarded and volume.name not in confirmed:
            session.consent.type_name(
                volume.name,
                f"All data on volume {volume.name} ({volume.size_gib:g} GiB) will be gone.",
                NeedsConfirmationError(
                    f"discarding the data of volume {volume.name} needs its name",
                    exists=have.conditions,
                    next=command_line("roost", "park", have.name, "--discard", volume.name),
                ),
                in_file=volume.name in in_file,
            )
            confirmed.add(volume.name)
    choices = replace(choices, confirmed=frozenset(confirmed))
    to_copy = to_verify(have, choices.modes, choices.confirmed)
    waiting = to_copy or to_list(have, choices.modes, choices.confirmed)
    plan = plan_park(have, choices.modes, choices.confirmed)
    refuse(plan)
    if not waiting and plan.done:
        return choices
    places = {volume.name: f" below {choices.roots[volume.name]}" for volume in to_copy}
    here = _named_there(have)
    ways = [
        f"volume {n}: {mode}{places.get(n, '')}"
        for n, mode in sorted(choices.modes.items())
        if n in here
    ]
    session.say(f"{have.name}: " + ("; ".join(ways) or "no data volumes"))
    session.say("its machines go, after their disks are saved as images; running programs end")
    refused = NeedsConfirmationError(
        f"parking {have.name} needs a yes",
        exists=have.conditions,
        next=command_line("roost", "park", have.name, "--yes"),
    )
    session.consent.ask(f"Park {have.name}?", refused)
    return choices
