"""What ``pull`` and ``push`` share: the file's ``[data]``, as syncs of its machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from roost.errors import NotFoundError, RoostError, UsageError, command_line

if TYPE_CHECKING:
    from roost.app.sync_local import Wish
    from roost.app.sync_remote import Task
    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec

Way = Literal["pull", "push"]


def run(
    way: Way, which: str, only: Sequence[str], session: Session, chosen: dict[str, Any]
) -> None:
    """All of it. Raises RoostError."""
    from roost.app import sync_remote
    from roost.app.resolve import locate, recorded
    from roost.cli.commands.sync import wish
    from roost.cli.output import write_json

    name, _, node = which.partition("/")
    cloud = locate(session, name)
    spec, state = recorded(cloud, name)
    pairs = _pairs(spec, way, only)
    if cloud.can.s3_copies is None:
        _refuse_local(name, way, pairs)
    wanted = wish({**chosen, "profile": session.place.profile, "region": None})
    if wanted.where.endpoint is None:
        wanted = replace(wanted, where=wanted.where.at(cloud.region))
    tasks = list(_tasks(spec, state, node or None, pairs, wanted))
    ends = sync_remote.carry_out(session, cloud, state, tasks, wanted)
    if wanted.as_json:
        syncs = [{"node": end.task.instance.name, **end.json()} for end in ends]
        write_json({"name": name, "syncs": syncs})
    sync_remote.judge(ends)


def _region(cloud: Cloud) -> str:
    return str(getattr(cloud, "region"))  # noqa: B009 - a cloud that is not this machine has one


def _pairs(spec: Spec, way: Way, only: Sequence[str]) -> list[tuple[str, str]]:
    """Sources and targets that the file names; with ``only``, those that fit a word of it."""
    entries = spec.data.pull if way == "pull" else spec.data.push
    found = [(entry.source, entry.target) for entry in entries]
    if not found:
        example = {
            "pull": 'pull = [{ from = "s3://BUCKET/IN", to = "/data/in" }]',
            "push": 'push = [{ from = "/data/out", to = "s3://BUCKET/OUT" }]',
        }
        raise UsageError(
            f"{spec.name} has nothing to {way}: its file has no {way} in [data]",
            next=command_line("roost", "sync", *_example(spec.name, way))
            + f"   (or in the file: [data] {example[way]})",
        )
    words = {_plain(word) for word in only}
    if unknown := words - {_plain(side) for pair in found for side in pair}:
        listed = ", ".join(f"{source} -> {target}" for source, target in found)
        raise NotFoundError(
            f"{', '.join(sorted(unknown))} is none of what {spec.name} {way}s ({listed})"
        )
    return [pair for pair in found if not words or words & {_plain(pair[0]), _plain(pair[1])}]


def _plain(side: str) -> str:
    return side.rstrip("/") or "/"


def _example(name: str, way: Way) -> tuple[str, str]:
    here, there = f"{name}:/data", "s3://BUCKET/PREFIX"
    return (there, here) if way == "pull" else (here, there)


def _refuse_local(name: str, way: Way, pairs: Sequence[tuple[str, str]]) -> None:
    source, target = pairs[0]
    words = (source, "FOLDER") if way == "pull" else ("FOLDER", target)
    folder = target if way == "pull" else source
    raise UsageError(
        f"{name} runs on your own machine, which has no disk of its own at {folder}: choose a"
        " folder of yours",
        next=command_line("roost", "sync", *words),
    )


def _tasks(
    spec: Spec,
    state: State,
    node: str | None,
    pairs: Sequence[tuple[str, str]],
    wanted: Wish,
) -> Iterator[Task]:
    from roost.app.sync_remote import Task, job_of
    from roost.transfer.listing import side

    for instance in _machines(spec, state, node):
        for source, target in pairs:
            up = target.startswith("s3://")
            place = target if up else source
            if up and instance.role == "seat":  # so that no seat overwrites another's
                place = f"{place.rstrip('/')}/{instance.name}"
            place = str(side(place))
            sides = (source, place) if up else (place, target)
            there = f"{state.name}/{instance.name}:{source if up else target}"
            told = (there, place) if up else (place, there)
            yield Task(instance, job_of(*sides, wanted), *told)


def _machines(spec: Spec, state: State, node: str | None) -> list[Instance]:
    """Those that have the data: the head, the desktop, all seats, or the one that is named."""
    from roost.ssh.connection import reachable

    if node is None and spec.kind == "classroom":
        seats = [one.name for one in state.instances if one.role == "seat"]
        if not seats:
            raise RoostError(
                f"{spec.name} has no machine now", next=command_line("roost", "up", spec.name)
            )
        return [reachable(state, seat) for seat in seats]
    found = reachable(state, node)
    if found.role == "worker":
        raise UsageError(
            f"{found.name} holds no data of its own: the head does",
            next=command_line(
                "roost", "sync", f"{spec.name}/{found.name}:FOLDER", "s3://BUCKET/PREFIX"
            ),
        )
    return [found]
