"""``roost park``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import click

from roost.cli.options import json_option, name_argument, place_options, yes_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import NeedsConfirmationError, RoostError, UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.plan.park import ParkMode
    from roost.providers.provider import Cloud
    from roost.reconcile.loop import Planner
    from roost.session import Session
    from roost.spec import Spec
    from roost.spec.volume import Volume


@click.command("park")
@name_argument
@click.option(
    "--mode",
    "chosen",
    multiple=True,
    metavar="[VOLUME=]MODE",
    help="keep, snapshot, archive, s3 or discard; instead of the file's (repeatable).",
)
@click.option(
    "--to",
    metavar="S3",
    help="Where volumes go with --mode s3: s3://BUCKET/PREFIX; instead of the file's park_to.",
)
@click.option(
    "--discard", "typed", multiple=True, metavar="VOLUME", help="Yes, the data of this one goes."
)
@click.option("--advise", is_flag=True, help="Only say what each way to park costs.")
@click.option(
    "--days",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="With --advise: for so many days.",
)
@place_options
@json_option
@yes_options
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    chosen: tuple[str, ...],
    to: str | None,
    typed: tuple[str, ...],
    advise: bool,
    days: int,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Save the work and stop paying: `roost resume` brings all of it back.

    Each data volume goes the way that the file says (park = ...): kept, a snapshot, an archived
    snapshot, copied to S3, or discarded. The disk of the machine is saved as an image, then the
    machine goes. Nothing is deleted before its copy is completed. Workers of a cluster hold
    nothing, and go.

    With s3 the machine copies its volume, then programs that use it end, and every file is
    compared with S3 by its checksum. Where one is wrong it is named, and the volume stays.

    \b
    Examples:
      roost park pixinsight --advise --days 20
      roost park pixinsight
      roost park scipion --mode data=archive --discard scratch
      roost park ndvi --mode s3 --to s3://my-bucket/parked
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.lifecycle import forget_ways
    from roost.app.resolve import existing, held, locate

    cloud = locate(session, name)
    if not cloud.can.rents:
        raise UsageError(
            f"{name} runs on your own machine and costs nothing: "
            + command_line("roost", "stop", name)
        )
    if advise:
        from roost.cli.text.advice import show

        show(cloud, existing(cloud, name), days, as_json)
        return
    with held(session, cloud, name):
        have = existing(cloud, name)
        modes = _modes(have, chosen)
        roots = _roots(cloud, have, modes, to)
        words = _typed(session, have, modes, typed)
        _confirm(session, have, modes, words, roots)
        state = _park(session, cloud, have, modes, words, roots)
        forget_ways(cloud, name)
    _report(state, modes, words, as_json)


# --- how each volume goes ------------------------------------------------------------------------


def _modes(have: State, chosen: tuple[str, ...]) -> dict[str, ParkMode]:
    """The mode of every volume: the option's, or else the file's."""
    from roost.spec import from_json

    spec = from_json(have.record) if have.record else None
    volumes = {v.name for v in have.volumes} | {s.volume for s in have.snapshots}
    volumes |= {s.name for s in have.stored}
    modes: dict[str, ParkMode] = dict.fromkeys(sorted(volumes), "snapshot")
    modes |= {name: mode for name, mode in _of_file(spec).items() if name in volumes}
    for word in chosen:
        volume, equals, mode = word.partition("=")
        if not equals:
            volume, mode = "", word
        if volume and volume not in modes:
            known = ", ".join(sorted(modes)) or "none"
            raise UsageError(f"{have.name} has no volume {volume} (there are: {known})")
        found = _mode(mode)
        modes |= {volume: found} if volume else dict.fromkeys(modes, found)
    return modes


def _of_file(spec: Spec | None) -> dict[str, ParkMode]:
    """The modes that the file says."""
    return {name: volume.park for name, volume in _volumes(spec).items()}


def _volumes(spec: Spec | None) -> dict[str, Volume]:
    from roost.plan.wanted import volumes_of

    return volumes_of(spec) if spec is not None else {}


def _mode(word: str) -> ParkMode:
    from roost.plan.park import ParkMode

    known: dict[str, ParkMode] = {mode: mode for mode in get_args(ParkMode)}
    if word not in known:
        raise UsageError(f'--mode: "{word}" is none of {", ".join(known)}')
    return known[word]


def _roots(cloud: Cloud, have: State, modes: dict[str, ParkMode], to: str | None) -> dict[str, str]:
    """Below which place in S3 each volume goes. Raises RoostError where that cannot be."""
    from roost.providers.provider import need
    from roost.spec import from_json
    from roost.spec.values import BUCKET

    if to is not None and not re.fullmatch(BUCKET, to):
        raise UsageError(f'--to: "{to}" is not a place in S3 (s3://BUCKET or s3://BUCKET/PREFIX)')
    _check_whole(have, modes)
    wanted = [v.name for v in have.volumes if modes[v.name] == "s3" and not v.adopted]
    file = _volumes(from_json(have.record) if have.record else None)
    roots = {name: to or (file[name].park_to if name in file else None) for name in wanted}
    if nowhere := [name for name, root in roots.items() if root is None]:
        raise UsageError(
            f"volume {', '.join(nowhere)}: where in S3? The file has no park_to for it",
            next=command_line(
                "roost",
                "park",
                have.name,
                "--mode",
                f"{nowhere[0]}=s3",
                "--to",
                "s3://BUCKET/PREFIX",
            ),
        )
    if wanted:
        need(cloud.can.s3_copies, "park in S3", cloud).check_room(have.name, tuple(wanted))
    return {name: root for name, root in roots.items() if root is not None}


def _check_whole(have: State, modes: dict[str, ParkMode]) -> None:
    """What is not all back is nobody's last word. Raises RoostError."""
    from roost.parking.s3 import unfilled

    half = [name for name in unfilled(have) if modes[name] not in ("keep", "discard")]
    if half:
        raise RoostError(
            f"volume {', '.join(half)}: its data is not all back from S3 yet, so there is nothing "
            "to park",
            exists=have.conditions,
            next=f"{command_line('roost', 'resume', have.name)}"
            f"   (or `{command_line('roost', 'stop', have.name)}`, and resume it later)",
        )


def _typed(
    session: Session, have: State, modes: dict[str, ParkMode], typed: tuple[str, ...]
) -> frozenset[str]:
    """The volumes whose data may go. Raises NeedsConfirmationError where a name is missing."""

    words = set(typed)
    if unknown := words - {v.name for v in have.volumes}:
        raise UsageError(f"{have.name} has no volume {', '.join(sorted(unknown))}")
    for volume in have.volumes:
        if modes[volume.name] == "discard" and volume.name not in words and not volume.adopted:
            session.consent.type_name(
                volume.name,
                f"All data on volume {volume.name} ({volume.size_gib:g} GiB) will be gone.",
                NeedsConfirmationError(
                    f"discarding the data of volume {volume.name} needs its name",
                    exists=have.conditions,
                    next=command_line("roost", "park", have.name, "--discard", volume.name),
                ),
            )
            words.add(volume.name)
    return frozenset(words)


def _confirm(
    session: Session,
    have: State,
    modes: dict[str, ParkMode],
    typed: frozenset[str],
    roots: dict[str, str],
) -> None:
    from roost.plan.park import plan_park, to_prove

    to_copy = to_prove(have, modes, typed)
    if plan_park(have, modes, typed).done and not to_copy:
        return
    places = {volume.name: f" below {roots[volume.name]}" for volume in to_copy}
    lines = [f"volume {name}: {mode}{places.get(name, '')}" for name, mode in sorted(modes.items())]
    say(f"{have.name}: " + ("; ".join(lines) or "no data volumes"))
    say("its machines go, after their disks are saved as images; running programs end")
    refused = NeedsConfirmationError(
        f"parking {have.name} needs a yes",
        exists=have.conditions,
        next=command_line("roost", "park", have.name, "--yes"),
    )
    session.consent.ask(f"Park {have.name}?", refused)


def _park(
    session: Session,
    cloud: Cloud,
    have: State,
    modes: dict[str, ParkMode],
    typed: frozenset[str],
    roots: dict[str, str],
) -> State:
    from roost.app.lifecycle import drive
    from roost.parking.coordinator import Parking
    from roost.parking.s3 import LaterHands, Once
    from roost.spec import from_json

    count = len(have.instances)

    def driven(planner: Planner) -> State:
        return drive(
            session,
            cloud,
            have.name,
            planner,
            title=f"park {have.name}",
            total=count,
            done=lambda now: count - sum(i.state == "running" for i in now.instances),
        )

    file = _volumes(from_json(have.record) if have.record else None)
    classes = {name: file[name].park_class for name in roots if name in file}
    plain = {name: found for name, found in classes.items() if found != "STANDARD"}
    able = LaterHands(session, cloud, Once(say).say, roots, plain)
    return Parking(modes=modes, typed=typed, hands=able, drive=driven, tell=say).run()


def _report(state: State, modes: dict[str, ParkMode], typed: frozenset[str], as_json: bool) -> None:
    from roost.parking.s3 import text_of
    from roost.plan.park import plan_park

    kept = [f"{s.volume} ({s.tier})" for s in state.snapshots]
    if as_json:
        write_json(
            {
                "name": state.name,
                "snapshots": [
                    {"id": s.name, "volume": s.volume, "size_gib": s.size_gib, "tier": s.tier}
                    for s in state.snapshots
                ],
                "stored": [
                    {"volume": s.name, "place": s.place, "used_gib": s.used_gib}
                    for s in state.stored
                ],
                "images": [{"id": i.name, "instance": i.instance} for i in state.images],
                "volumes": [v.name for v in state.volumes],
                "instances": [i.name for i in state.instances],
                "addresses": [a.ip for a in state.addresses],
            }
        )
        return
    for note in plan_park(state, modes, typed).notes:
        say(f"note: {note}")
    what = [f"snapshot of {one}" for one in kept]
    what += [text_of(copy) for copy in state.stored]
    what += [f"image of {i.instance}" for i in state.images]
    what += [f"{i.name} {i.state}" for i in state.instances]
    say(f"{state.name} is parked: {', '.join(what) or 'nothing of it needed keeping'}")
    say(
        f"`{command_line('roost', 'resume', state.name)}` brings it back;"
        f" `{command_line('roost', 'cost', state.name)}` says what it costs"
    )
