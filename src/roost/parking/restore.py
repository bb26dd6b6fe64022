"""Restoring from S3: fill the volumes that were made empty for their copy."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from roost.errors import PartlyDoneError, RoostError, command_line
from roost.model.record import read_record
from roost.model.resources import S3Copy, State, Volume
from roost.model.steps import RecordCopy
from roost.parking.coordinator import not_running
from roost.parking.volume_agent import MOST_AT_ONCE, VolumeAgent
from roost.plan.backups import pending_restore
from roost.providers.provider import Cloud
from roost.reconcile.loop import apply_patiently
from roost.session import Session


def restore_data(session: Session, cloud: Cloud, state: State) -> State:
    """Fill the volumes that wait for their data, and allow writing after an interrupted park.

    Raises PartlyDoneError where a part is missing.
    """
    from roost.parking.ssh_volume_agent import connect, once

    if not _may_be_in_s3(state):
        return state
    missing = waiting(state)
    for volume, copy in missing:
        session.say(
            f"the data of volume {volume.name} comes from {copy.place} ({copy.used_gib:g} GiB)"
        )
        session.say("until all of it is there, only root can open the volume")
    with connect(session, cloud, state, {}, {}, once(session.say)) as agent:
        agent.free(state)
        filled = fill_all(cloud, state, agent)
    left = {volume.name for volume, _ in waiting(filled)}
    for volume, _ in missing:
        if volume.name not in left:
            session.say(f"the data of volume {volume.name} is all there")
    return filled


def waiting(state: State) -> tuple[tuple[Volume, S3Copy], ...]:
    """Return the volumes whose data is not all restored, each with its copy in S3."""
    pairs = ((volume, pending_restore(volume, state)) for volume in state.volumes)
    return tuple((volume, copy) for volume, copy in pairs if copy is not None)


def unfilled(state: State) -> dict[str, str]:
    """Return a note for each volume whose data is not all restored, by its name."""
    return {
        volume.name: "data not all back yet: " + command_line("roost", "resume", state.name)
        for volume, _ in waiting(state)
    }


def fill_all(cloud: Cloud, state: State, agent: VolumeAgent) -> State:
    """Restore the data of all volumes that wait for it and whose machines run.

    Until all of a volume is there, its copy in S3 stays the truth. One machine's failure does not
    stop another's. Raises PartlyDoneError at the end.
    """
    off = {v.name for v in not_running(state, state.volumes)}
    troubles: list[str] = []
    for volume, copy, trouble in _fills(state, agent, off):
        if trouble:
            troubles.append(trouble)
            continue
        filled = replace(copy, source=volume.id, sealed=False)
        step = RecordCopy((filled,), reason="the volume holds all of it again")
        apply_patiently(cloud, state.name, step)
        copies = tuple(filled if c.name == volume.name else c for c in state.s3_copies)
        state = replace(state, s3_copies=copies)
    if troubles:
        raise PartlyDoneError(
            "\n".join(troubles),
            exists=state.conditions,
            next=command_line("roost", "resume", state.name) + "   (goes on)",
        )
    return state


Fill = tuple[Volume, S3Copy, str]
"""A volume, its copy in S3, and why a part of it is missing (``""``: none is)."""


def _fills(state: State, agent: VolumeAgent, off: Collection[str]) -> Iterator[Fill]:
    """Yield each as it ends; all machines at once, one volume after the other on each."""
    queues: dict[str, list[tuple[Volume, S3Copy]]] = {}
    for volume, copy in waiting(state):
        if volume.name not in off:
            queues.setdefault(volume.holder, []).append((volume, copy))

    def fill(queue: list[tuple[Volume, S3Copy]]) -> Iterator[Fill]:
        for volume, copy in queue:
            try:
                agent.fill(state, volume, copy)
                yield volume, copy, ""
            except RoostError as error:
                yield volume, copy, error.what

    if len(queues) < 2:
        for queue in queues.values():
            yield from fill(queue)
        return
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        futures = [pool.submit(lambda q: list(fill(q)), queue) for queue in queues.values()]
        for future in as_completed(futures):
            yield from future.result()


def _may_be_in_s3(state: State) -> bool:
    """Return whether a volume has a copy in S3, or an interrupted park may have begun one."""
    return bool(state.s3_copies) or read_record(state.record).parks_in_s3
