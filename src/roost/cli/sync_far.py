"""``roost sync`` with a folder of a machine on one side."""

from __future__ import annotations

from roost.access.ssh import side
from roost.cli import far_run
from roost.cli.options import Place
from roost.cli.output import write_json
from roost.cli.sync_run import Wish
from roost.errors import UsageError, command_line
from roost.sync.entry import Prefix
from roost.sync.entry import side as s3_side


def run_far(source: str, target: str, wish: Wish, profile: str | None) -> None:
    """All of it. Raises RoostError."""
    from roost.access.connection import reachable
    from roost.cli.target import NOWHERE, existing, locate

    up = target.startswith("s3://")
    there, place = (source, target) if up else (target, source)
    if not place.startswith("s3://"):
        raise UsageError(
            f"from {source} to {target}: neither is in S3",
            next=command_line("roost", "cp", source, target),
        )
    prefix, machine = s3_side(place), side(there)
    assert isinstance(prefix, Prefix)
    name = machine.name or ""
    cloud = locate(name, Place(profile=profile) if profile else NOWHERE)
    if cloud.name == "local":
        words = (machine.path, place) if up else (place, machine.path)
        raise UsageError(
            f"{name} runs on your own machine: its files are yours",
            next=command_line("roost", "sync", *words),
        )
    state = existing(cloud, name)
    instance = reachable(state, machine.node)
    sides = (machine.path, str(prefix)) if up else (str(prefix), machine.path)
    task = far_run.Task(instance, far_run.job_of(*sides, wish), source, target)
    (end,) = far_run.carry_out(cloud, state, [task], wish)
    if wish.as_json:
        write_json(end.json())
    far_run.judge([end])
