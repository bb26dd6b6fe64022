"""``roost sync`` with a folder of a machine on one side."""

from __future__ import annotations

from roost.app import sync_remote
from roost.app.sync_local import Wish
from roost.cli.output import write_json
from roost.errors import UsageError, command_line
from roost.session import Session
from roost.ssh.command import side
from roost.transfer.listing import Prefix
from roost.transfer.listing import side as s3_side


def run_far(source: str, target: str, wish: Wish, session: Session) -> None:
    """All of it. Raises RoostError."""
    from roost.app.resolve import existing, locate
    from roost.ssh.connection import reachable

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
    cloud = locate(session, name)
    if cloud.can.s3_copies is None:
        words = (machine.path, place) if up else (place, machine.path)
        raise UsageError(
            f"{name} runs on your own machine: its files are yours",
            next=command_line("roost", "sync", *words),
        )
    state = existing(cloud, name)
    instance = reachable(state, machine.node)
    sides = (machine.path, str(prefix)) if up else (str(prefix), machine.path)
    task = sync_remote.Task(instance, sync_remote.job_of(*sides, wish), source, target)
    (end,) = sync_remote.carry_out(session, cloud, state, [task], wish)
    if wish.as_json:
        write_json(end.json())
    sync_remote.judge([end])
