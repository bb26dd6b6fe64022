"""``roost park``."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from roost.cli.options import Place, json_option, name_argument, place_options, yes_options
from roost.cli.output import say, write_json
from roost.errors import NeedsConfirmationError, UsageError

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.plan.park import ParkMode
    from roost.plan.resources import State
    from roost.spec import Spec


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
    snapshot, or discarded. The disk of the machine is saved as an image, then the machine goes.
    Nothing is deleted before its copy is completed. Workers of a cluster hold nothing, and go.

    \b
    Examples:
      roost park pixinsight --advise --days 20
      roost park pixinsight
      roost park scipion --mode data=archive --discard scratch
    """
    from roost.cli.life import forget_ways
    from roost.cli.target import existing, held, locate

    cloud = locate(name, place)
    if cloud.name == "local":
        raise UsageError(f"{name} runs on your own machine and costs nothing: roost stop {name}")
    if advise:
        from roost.cli.advice import show

        show(cloud, existing(cloud, name), days, as_json)
        return
    with held(cloud, name):
        have = existing(cloud, name)
        modes = _modes(have, chosen)
        words = _typed(have, modes, typed, no_input)
        _confirm(have, modes, yes=yes, no_input=no_input)
        state = _park(cloud, have, modes, words)
        forget_ways(cloud, name)
    _report(state, modes, words, as_json)


# --- how each volume goes ------------------------------------------------------------------------


def _modes(have: State, chosen: tuple[str, ...]) -> dict[str, ParkMode]:
    """The mode of every volume: the option's, or else the file's."""
    from roost.spec import from_json

    spec = from_json(have.record) if have.record else None
    volumes = {v.name: v.name for v in have.volumes} | {s.volume: s.volume for s in have.snapshots}
    modes: dict[str, ParkMode] = dict.fromkeys(volumes, "snapshot")
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
    _check_s3(have, modes)
    return modes


def _of_file(spec: Spec | None) -> dict[str, ParkMode]:
    """A classroom's volumes are named after their seats."""
    if spec is None:
        return {}
    if spec.kind != "classroom":
        return {v.name: v.park for v in spec.volumes}
    return {
        f"seat-{number}-{v.name}": v.park
        for number in range(1, spec.seats + 1)
        for v in spec.volumes
    }


def _mode(word: str) -> ParkMode:
    from roost.plan.park import ParkMode

    known: dict[str, ParkMode] = {mode: mode for mode in get_args(ParkMode)}
    if word not in known:
        raise UsageError(f'--mode: "{word}" is none of {", ".join(known)}')
    return known[word]


def _check_s3(have: State, modes: dict[str, ParkMode]) -> None:
    there = {v.name for v in have.volumes}
    wanted = [name for name, mode in modes.items() if mode == "s3" and name in there]
    if wanted:
        other = " ".join(f"--mode {name}=snapshot" for name in wanted)
        raise UsageError(
            f"volume {', '.join(wanted)}: parking in S3 needs `roost push`, which is not in this "
            "version yet; nothing was changed",
            next=f"roost park {have.name} {other}",
        )


def _typed(
    have: State, modes: dict[str, ParkMode], typed: tuple[str, ...], no_input: bool
) -> frozenset[str]:
    """The volumes whose data may go. Raises NeedsConfirmationError where a name is missing."""
    from roost.cli.life import type_name

    words = set(typed)
    if unknown := words - {v.name for v in have.volumes}:
        raise UsageError(f"{have.name} has no volume {', '.join(sorted(unknown))}")
    for volume in have.volumes:
        if modes[volume.name] == "discard" and volume.name not in words and not volume.adopted:
            type_name(
                volume.name,
                f"All data on volume {volume.name} ({volume.size_gib:g} GiB) will be gone.",
                NeedsConfirmationError(
                    f"discarding the data of volume {volume.name} needs its name",
                    exists=have.conditions,
                    next=f"roost park {have.name} --discard {volume.name}",
                ),
                no_input=no_input,
            )
            words.add(volume.name)
    return frozenset(words)


def _confirm(have: State, modes: dict[str, ParkMode], *, yes: bool, no_input: bool) -> None:
    from roost.cli.life import ask
    from roost.plan.park import plan_park

    if plan_park(have, modes).done:
        return
    lines = [f"volume {name}: {mode}" for name, mode in sorted(modes.items())]
    say(f"{have.name}: " + ("; ".join(lines) or "no data volumes"))
    say("its machines go, after their disks are saved as images; running programs end")
    refused = NeedsConfirmationError(
        f"parking {have.name} needs a yes",
        exists=have.conditions,
        next=f"roost park {have.name} --yes",
    )
    ask(have.name, f"Park {have.name}?", refused, yes=yes, no_input=no_input)


def _park(cloud: Cloud, have: State, modes: dict[str, ParkMode], typed: frozenset[str]) -> State:
    from roost.cli.life import drive
    from roost.plan.park import plan_park

    count = len(have.instances)
    return drive(
        cloud,
        have.name,
        lambda now, _: plan_park(now, modes, typed),
        title=f"park {have.name}",
        total=count,
        done=lambda now: count - sum(i.state == "running" for i in now.instances),
    )


def _report(state: State, modes: dict[str, ParkMode], typed: frozenset[str], as_json: bool) -> None:
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
    what += [f"image of {i.instance}" for i in state.images]
    what += [f"{i.name} {i.state}" for i in state.instances]
    say(f"{state.name} is parked: {', '.join(what) or 'nothing of it needed keeping'}")
    say(f"`roost resume {state.name}` brings it back; `roost cost {state.name}` says what it costs")
