"""Save the work, and stop paying. Pure.

Machines that can be made again from nothing (workers) go. Of the others each volume goes the way
its mode says, and the disk that the machine boots from becomes an image; a machine whose volumes
are all kept is kept too, stopped. Nothing is deleted before its copy is completed, and that copy
was begun when nothing could write any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from roost.model.resources import Instance, S3Copy, State, Volume
from roost.model.steps import (
    Archive,
    Attach,
    CreateImage,
    CreateSnapshot,
    Delete,
    RecordCopy,
    Retire,
    Start,
    Step,
    Stop,
)
from roost.plan.backups import (
    last_writable,
    last_write_possible,
    newest,
    pending_restore,
    proof,
    proof_in_s3,
    saved,
    sealed,
    snapshots_of,
    superseded,
)
from roost.plan.up import Plan, unseal

ParkMode = Literal["keep", "snapshot", "archive", "s3", "discard"]
COPIED = ("snapshot", "archive")
NOTHING: Mapping[str, S3Copy] = {}


def plan_park(
    have: State,
    modes: Mapping[str, ParkMode],
    typed: frozenset[str] = frozenset(),
    proven: Mapping[str, S3Copy] = NOTHING,
) -> Plan:
    """The steps to everything put away. ``modes`` by volume; those not named are snapshots.

    ``typed`` has the names that the user typed: only of these the data is discarded. ``proven``
    has the copies in S3, by volume, that were just compared with a volume to which nothing can
    write any more until its machine stops. Without it a machine with such a volume goes on:
    ``to_prove`` says what is missing.
    """
    park = _Park(have, modes, typed, proven)
    live = [i for i in have.instances if i.state != "deleting"]
    steps: list[Step] = []
    workers = tuple(i.name for i in live if i.role == "worker")
    if workers:
        steps += [Retire(workers), Delete("instance", workers)]
    stateful = [i for i in live if i.role != "worker"]
    steps += park.snapshots(stateful)
    steps += park.stops(stateful)
    steps += park.notes_of_copies(stateful)
    steps += park.images(stateful)
    steps += park.deletions(stateful)
    return Plan(tuple(steps), tuple(park.waiting()), notes=tuple(park.notes()))


def to_prove(
    have: State,
    modes: Mapping[str, ParkMode],
    typed: frozenset[str] = frozenset(),
) -> tuple[Volume, ...]:
    """The volumes whose copies in S3 must be made, or compared, before anything else can be done.

    Only a machine that is up can do that.
    """
    park = _Park(have, modes, typed, NOTHING)
    return tuple(v for v in have.volumes if v.state != "deleting" and park.is_unproven(v))


def plan_wake(have: State, names: frozenset[str]) -> Plan:
    """The steps to these machines running with their volumes, and nothing else."""
    those = [i for i in have.instances if i.name in names]
    off = tuple(i.name for i in those if i.state in ("stopped", "failed"))
    able = {i.name for i in those if i.state in ("running", "stopped")}
    loose = [v for v in have.volumes if v.state == "available" and v.holder in able]
    steps: list[Step] = [Start(off)] if off else []
    steps += [Attach(tuple((v.name, v.holder) for v in loose))] if loose else []
    moving = tuple(i.name for i in those if i.state in ("pending", "stopping", "deleting"))
    coming = tuple(v.name for v in have.volumes if v.state == "creating" and v.holder in names)
    return Plan((*unseal(have), *steps) if steps else (), (*moving, *coming))


class _Park:
    """One look at a name on its way to being parked."""

    def __init__(
        self,
        have: State,
        modes: Mapping[str, ParkMode],
        typed: frozenset[str],
        proven: Mapping[str, S3Copy],
    ) -> None:
        self.have = have
        self.modes = modes
        self.typed = typed
        self.proven = proven

    def mode(self, volume: Volume) -> ParkMode:
        """How it is put away; what is not roost's own, or not named to be discarded, is kept.

        So is what waits for its data: nothing of it is the last word.
        """
        mode = self.modes.get(volume.name, "snapshot")
        if volume.adopted or (mode == "discard" and volume.name not in self.typed):
            return "keep"
        if mode != "discard" and pending_restore(volume, self.have) is not None:
            return "keep"
        return mode

    def is_unproven(self, volume: Volume) -> bool:
        """Whether it is to go to S3, and nobody has compared it with what is there."""
        if self.mode(volume) != "s3" or proof_in_s3(volume, self.have) is not None:
            return False
        return self._just_proven(volume) is None

    def _just_proven(self, volume: Volume) -> S3Copy | None:
        """What was proven of it since it was last let in anywhere."""
        copy, since = self.proven.get(volume.name), last_writable(volume, self.have)
        if copy is None or since is None or copy.source != volume.id or copy.since < since:
            return None
        return copy

    def goes_on(self, instance: Instance) -> bool:
        """Whether it is still needed, for a volume that nobody has proven."""
        return any(self.is_unproven(v) for v in self.on(instance))

    def on(self, instance: Instance) -> list[Volume]:
        """The volumes of an instance."""
        return [v for v in self.have.volumes if v.holder == instance.name]

    def stays(self, instance: Instance) -> bool:
        """Whether the machine is kept, stopped, with its volumes."""
        mine = self.on(instance)
        return bool(mine) and all(self.mode(v) == "keep" for v in mine)

    def first(self, instance: Instance) -> list[Volume]:
        """Volumes to copy while the machine runs, so that the copy after the stop is short."""
        if instance.state != "running":
            return []
        return [
            v
            for v in self.on(instance)
            if self.mode(v) in COPIED
            and v.state == "attached"
            and not any(s.state == "completed" for s in snapshots_of(v.name, self.have))
        ]

    def snapshots(self, instances: list[Instance]) -> Iterator[Step]:
        """Copies that are missing: of volumes in use, and then of those at rest."""
        now = [v for i in instances for v in self.first(i) if not self._on_its_way(v)]
        if now:
            yield CreateSnapshot(tuple(v.name for v in now), sealed=False)
        rest = [v for v in self.at_rest(instances) if not sealed(v, self.have)]
        if rest:
            yield CreateSnapshot(tuple(v.name for v in rest), sealed=True)

    def _on_its_way(self, volume: Volume) -> bool:
        return any(s.state == "pending" for s in snapshots_of(volume.name, self.have))

    def at_rest(self, instances: list[Instance]) -> list[Volume]:
        """Volumes to copy that nothing writes to now."""
        stopped = {i.name for i in instances if i.state == "stopped" and not self.goes_on(i)}
        return [
            v
            for v in self.have.volumes
            if self.mode(v) in COPIED
            and (v.state == "available" or (v.state == "attached" and v.holder in stopped))
        ]

    def stops(self, instances: list[Instance]) -> Iterator[Step]:
        """Machines with nothing to wait for any more."""
        names = tuple(
            i.name
            for i in instances
            if i.state in ("pending", "running", "failed")
            and not self.first(i)
            and not self.goes_on(i)
        )
        if names:
            yield Stop(names)

    def notes_of_copies(self, instances: list[Instance]) -> Iterator[Step]:
        """What is proven of volumes of machines that have stopped, kept with the cloud."""
        stopped = {i.name for i in instances if i.state == "stopped"}
        copies = []
        for volume in self.have.volumes:
            if self.mode(volume) != "s3" or volume.holder not in stopped:
                continue
            if last_write_possible(volume, self.have) is None or proof_in_s3(volume, self.have):
                continue
            copy = self._just_proven(volume)
            if copy is not None:
                # Newer than all that is there, and older than all that comes: by one clock.
                taken = max(copy.since, newest(volume.name, self.have) + 1)
                copies.append(replace(copy, sealed=True, taken=taken))
        if copies:
            yield RecordCopy(tuple(copies))

    def images(self, instances: list[Instance]) -> Iterator[Step]:
        """The disks that stopped machines boot from."""
        names = tuple(
            i.name
            for i in instances
            if i.state == "stopped"
            and not self.stays(i)
            and not self.goes_on(i)
            and not saved(i, self.have)
        )
        if names:
            yield CreateImage(names)

    def deletions(self, instances: list[Instance]) -> Iterator[Step]:
        """What is safe elsewhere; the machines first, as they hold the volumes."""
        gone = tuple(i.name for i in instances if self.is_saved(i))
        if gone:
            yield Delete("instance", gone)
        volumes = tuple(v.name for v in self.have.volumes if self.may_go(v))
        if volumes:
            yield Delete("volume", volumes)
        yield from self.tidy()

    def is_saved(self, instance: Instance) -> bool:
        """Whether its disk is an image, and its volumes are copied, kept or to be discarded."""
        return (
            instance.state == "stopped"
            and not self.stays(instance)
            and any(i.state == "completed" for i in saved(instance, self.have))
            and all(self.is_safe(v) for v in self.on(instance))
        )

    def is_safe(self, volume: Volume) -> bool:
        """Whether a volume may lose its machine."""
        mode = self.mode(volume)
        if mode == "s3":
            return proof_in_s3(volume, self.have) is not None
        return mode not in COPIED or proof(volume, self.have) is not None

    def may_go(self, volume: Volume) -> bool:
        """Whether a volume may be deleted now."""
        if volume.state != "available":
            return False
        mode = self.mode(volume)
        return mode == "discard" or (mode != "keep" and self.is_safe(volume))

    def tidy(self) -> Iterator[Step]:
        """Copies of what is put away: to the archive where the mode says so; old ones go."""
        here = {v.name for v in self.have.volumes} | {i.name for i in self.have.instances}
        old, images = superseded(self.have)
        cold = tuple(
            s.name
            for s in self.have.snapshots
            if s not in old
            and s.volume not in here
            and s.state == "completed"
            and s.tier == "standard"
            and self.modes.get(s.volume) == "archive"
        )
        if cold:
            yield Archive(cold)
        if gone := tuple(s.name for s in old if s.volume not in here):
            yield Delete("snapshot", gone)
        if gone := tuple(i.name for i in images if i.instance not in here):
            yield Delete("image", gone)

    def waiting(self) -> Iterator[str]:
        """What is on its way."""
        for instance in self.have.instances:
            if instance.state in ("stopping", "deleting"):
                yield instance.name
        for volume in self.have.volumes:
            if volume.state in ("creating", "deleting"):
                yield volume.name
        for snapshot in self.have.snapshots:
            if snapshot.state == "pending":
                yield f"snapshot of {snapshot.volume}"
        for image in self.have.images:
            if image.state == "pending":
                yield f"image of {image.instance}"

    def notes(self) -> Iterator[str]:
        """What is kept, and goes on costing."""
        for volume in self.have.volumes:
            wished = self.modes.get(volume.name, "snapshot")
            if volume.adopted:
                yield f"volume {volume.name} was there before roost, and is kept"
            elif wished != "discard" and (copy := pending_restore(volume, self.have)):
                yield f"volume {volume.name} waits for its data from {copy.place}, and is kept"
            elif wished == "discard" and volume.name not in self.typed:
                yield f"volume {volume.name} is kept: discarding it needs its name typed"
            elif wished == "keep":
                yield f"volume {volume.name} is kept"
        for address in self.have.addresses:
            yield f"address {address.ip or address.name} is kept"
