"""Syncs on rented machines, which continue whatever becomes of this computer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from roost.app.sync import Computers, Result, copy_all
from roost.errors import RoostError, UsageError, command_line
from roost.transfer.job import Job, Note, Outcome, Tell, Transfer
from roost.transfer.listing import side as s3_side

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session


def sync_machine(session: Session, job: Job) -> Result:
    """Do a job one of whose sides is NAME:PATH or NAME/NODE:PATH. Raises RoostError."""
    from roost.app.resolve import locate, usable
    from roost.ssh.command import side
    from roost.ssh.connection import reachable

    source, target = job.source, job.target
    typed, place = (source, target) if job.up else (target, source)
    if not place.startswith("s3://"):
        raise UsageError(
            f"from {source} to {target}: neither is in S3",
            next=command_line("roost", "cp", source, target),
        )
    prefix, machine = str(s3_side(place)), side(typed)
    name = machine.name or ""
    cloud = locate(session, name)
    if cloud.can.s3_copies is None:
        words = (machine.path, place) if job.up else (place, machine.path)
        raise UsageError(
            f"{name} runs on your own machine: its files are yours",
            next=command_line("roost", "sync", *words),
        )
    state = usable(cloud, name)
    node = reachable(state, machine.node).name
    sides = (machine.path, prefix) if job.up else (prefix, machine.path)
    there = replace(job, source=sides[0], target=sides[1])
    transfer = Transfer(job=there, source=source, target=target, node=node, region=cloud.region)
    return copy_on(session, cloud, state, [transfer])[0]


def copy_on(
    session: Session, cloud: Cloud, state: State, transfers: Sequence[Transfer]
) -> list[Result]:
    """Do transfers on the machines of a name. Raises RoostError."""
    from roost.app.met import check_met
    from roost.app.owner import check_owner
    from roost.provision.machines import Machines
    from roost.ssh.connection import host_keys_of
    from roost.transfer.remote.client import run_there

    check_owner(session, cloud, state)
    check_met(session, cloud, state, gone=False)
    instances = {instance.name: instance for instance in state.instances}
    machines = Machines(state, host_keys_of(cloud, session.say), lambda _: None, patience=60)

    def copy(transfer: Transfer, tell: Tell, note: Note) -> Outcome:
        return run_there(machines, instances[transfer.node], transfer.job, tell, note)

    def check(node: str) -> None:
        machines.peek(instances[node])
        status = machines.status(instances[node])
        if status != "ready":
            raise RoostError(
                f"{node} of {state.name} is not ready: {status or 'its set-up has not begun'}",
                next=command_line("roost", "up", state.name),
            )

    return copy_all(session, transfers, Computers(copy, check, machines.end))
