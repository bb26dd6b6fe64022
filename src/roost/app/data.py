"""The file's ``[data]``: what ``pull`` and ``push`` copy, as transfers of its machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from roost.errors import NotFoundError, RoostError, UsageError, command_line
from roost.model.resources import STATELESS

if TYPE_CHECKING:
    from roost.app.sync import Result
    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec
    from roost.transfer.job import Job, Transfer

Way = Literal["pull", "push"]


def pull(session: Session, which: str, only: Sequence[str], job: Job) -> list[Result]:
    """Copy to the machines of a name from S3; ``job`` says how. Raises RoostError."""
    return _copy(session, "pull", which, only, job)


def push(session: Session, which: str, only: Sequence[str], job: Job) -> list[Result]:
    """Copy from the machines of a name to S3; ``job`` says how. Raises RoostError."""
    return _copy(session, "push", which, only, job)


def _copy(session: Session, way: Way, which: str, only: Sequence[str], job: Job) -> list[Result]:
    from roost.app.resolve import locate, recorded
    from roost.app.sync_machines import copy_on

    name, _, node = which.partition("/")
    cloud = locate(session, name)
    spec, state = recorded(cloud, name)
    pairs = _pairs(spec, way, only)
    if cloud.can.s3_copies is None:
        _refuse_local(name, way, pairs)
    elif job.where.endpoint is None and cloud.can.s3_copies.region:
        job = replace(job, where=job.where.at(cloud.can.s3_copies.region))
    machines = _machines(spec, state, node or None)
    transfers = list(_transfers(cloud, state.name, machines, pairs, job))
    return copy_on(session, cloud, state, transfers)


def _pairs(spec: Spec, way: Way, only: Sequence[str]) -> list[tuple[str, str]]:
    """Return the sources and targets in the file; with ``only``, those that it names."""
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


def _transfers(
    cloud: Cloud,
    name: str,
    machines: Sequence[Instance],
    pairs: Sequence[tuple[str, str]],
    job: Job,
) -> Iterator[Transfer]:
    from roost.app.sync import check
    from roost.transfer.job import Transfer
    from roost.transfer.listing import side

    for instance in machines:
        for source, target in pairs:
            up = target.startswith("s3://")
            folder, place = (source, target) if up else (target, source)
            if up and instance.role == "seat":  # so that no seat overwrites another's
                place = f"{place.rstrip('/')}/{instance.name}"
            place, there = str(side(place)), f"{name}/{instance.name}:{folder}"
            one = replace(job, source=folder if up else place, target=place if up else folder)
            check(one)
            yield Transfer(
                job=one,
                source=there if up else place,
                target=place if up else there,
                node=instance.name,
                region=cloud.region,
            )


def _machines(spec: Spec, state: State, node: str | None) -> list[Instance]:
    """Return the machines with the data: the head, the desktop, all seats, or the named one."""
    from roost.ssh.connection import reachable

    if node is None and spec.kind == "classroom":
        seats = [one.name for one in state.instances if one.role == "seat"]
        if not seats:
            raise RoostError(
                f"{spec.name} has no machine now", next=command_line("roost", "up", spec.name)
            )
        return [reachable(state, seat) for seat in seats]
    found = reachable(state, node)
    if found.role in STATELESS:
        raise UsageError(
            f"{found.name} holds no data of its own"
            + (": the head does" if found.role == "worker" else ""),
            next=command_line(
                "roost", "sync", f"{spec.name}/{found.name}:FOLDER", "s3://BUCKET/PREFIX"
            ),
        )
    return [found]
