"""The plan of parking: the next steps to save the work and stop paying. Pure.

Workers hold nothing, and are deleted; so is a gateway, after all others. On the other machines each
volume goes the way of its mode, and the boot disk becomes an image; a machine whose volumes are all
kept is kept too, stopped.
Nothing is deleted before its copy is completed, and before that copy was begun when nothing could
write any more (`plan/backups.py` has these rules).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from roost.model.resources import Image, Instance, S3Copy, Snapshot, State, Volume
from roost.model.steps import (
    Archive,
    Attach,
    CreateImage,
    CreateSnapshot,
    Delete,
    RecordBackups,
    RecordCopy,
    Retire,
    Start,
    Step,
    Stop,
)
from roost.parking.modes import ParkMode
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
from roost.plan.gateway import behind_gateway, delete_gateway
from roost.plan.reasons import HAND_OVER, by_reason
from roost.plan.recorded import due, is_recorded
from roost.plan.refusal import refuse_states, refuse_unread, refuse_unsaved
from roost.plan.up import Plan, mark_stale

NOTHING: Mapping[str, S3Copy] = {}
NONE: frozenset[str] = frozenset()


def plan_park(
    have: State,
    modes: Mapping[str, ParkMode],
    confirmed: frozenset[str] = NONE,
    verified: Mapping[str, S3Copy] = NOTHING,
    listed: frozenset[str] = NONE,
) -> Plan:
    """Return the next steps until all is put away.

    ``modes`` are by volume; a volume without one becomes a snapshot. Only of the ``confirmed``
    volumes, whose names the user typed, is the data discarded. ``verified`` has the copies in S3,
    by volume, that were just compared with a volume to which nothing can write any more until its
    machine stops. Without it a machine with such a volume runs on: ``to_verify`` names the volume.
    ``listed`` are the volumes whose recorded copies in S3 were found complete a moment ago: nothing
    goes for the sake of another one (``to_list`` names those).
    """
    given_up = {v.name for v in have.volumes if modes.get(v.name) == ParkMode.DISCARD} & confirmed
    here = {v.name for v in have.volumes} | {i.name for i in have.instances}
    park = _Park(have, modes, confirmed, verified, listed)
    live = [i for i in have.instances if i.state != "deleting"]
    stateful = [i for i in behind_gateway(live) if i.role != "worker"]
    refusal = refuse_states(have, given_up=given_up) or refuse_unread(have, here)
    if refusal := refusal or refuse_unsaved(have, [i for i in stateful if not park.stays(i)]):
        return Plan(notes=(refusal.what,), refusal=refusal)
    steps: list[Step] = []
    workers = tuple(i.name for i in live if i.role == "worker")
    if workers:
        steps.append(Retire(workers, reason=HAND_OVER))
        steps.append(Delete("instance", workers, reason="workers keep nothing on their disks"))
    steps += park.snapshots(stateful)
    steps += park.stops(stateful)
    steps += park.records(stateful)
    steps += park.images(stateful)
    steps += park.facts()
    steps += park.deletions(stateful)
    if all(i.state == "stopped" and park.stays(i) for i in behind_gateway(live)):
        steps += delete_gateway(have)
    return Plan(tuple(steps), tuple(park.waiting()), notes=tuple(park.notes()))


def to_verify(
    have: State,
    modes: Mapping[str, ParkMode],
    confirmed: frozenset[str] = frozenset(),
) -> tuple[Volume, ...]:
    """Return the volumes whose copies in S3 must be made, or compared, before the next steps.

    Only a machine that runs can do that.
    """
    park = _Park(have, modes, confirmed, NOTHING, NONE)
    return tuple(v for v in have.volumes if v.state != "deleting" and park.is_unverified(v))


def to_list(
    have: State, modes: Mapping[str, ParkMode], confirmed: frozenset[str] = NONE
) -> tuple[S3Copy, ...]:
    """Return the recorded copies in S3 for whose sake something would be deleted next."""
    park = _Park(have, modes, confirmed, NOTHING, NONE)
    named = {v.name for v in have.volumes if park.mode(v) == ParkMode.S3}
    copies = {c.name: c for v in have.volumes if (c := proof_in_s3(v, have)) and v.name in named}
    here = {v.name for v in have.volumes}
    old = {s.volume for s in superseded(have)[0]} - here
    copies |= {c.name: c for c in have.s3_copies if c.sealed and c.name in old}
    return tuple(copies.values())


def plan_doubt(have: State, names: Collection[str]) -> Plan:
    """Return the step to the copies in S3 of these volumes proving nothing any more."""
    copies = tuple(replace(c, sealed=False) for c in have.s3_copies if c.sealed and c.name in names)
    why = "S3 does not list all of it any more"
    return Plan((RecordCopy(copies, reason=why),) if copies else ())


def plan_wake(have: State, names: frozenset[str]) -> Plan:
    """Return the steps to these machines running with their volumes, and the way to them."""
    wanted = [i for i in have.instances if i.name in names or i.role == "gateway"]
    off = tuple(i.name for i in wanted if i.state in ("stopped", "failed"))
    able = {i.name for i in wanted if i.state in ("running", "stopped")}
    loose = [v for v in have.volumes if v.state == "available" and v.holder in able]
    why = "the files of a volume go to S3 from its machine, while that runs"
    steps: list[Step] = [Start(off, reason=why)] if off else []
    steps += [Attach(tuple((v.name, v.holder) for v in loose), reason=why)] if loose else []
    moving = tuple(i.name for i in wanted if i.state in ("pending", "stopping", "deleting"))
    coming = tuple(v.name for v in have.volumes if v.state == "creating" and v.holder in names)
    return Plan((*mark_stale(have), *steps) if steps else (), (*moving, *coming))


class _Park:
    """One observed state of a name, with the choices for its volumes."""

    def __init__(
        self,
        have: State,
        modes: Mapping[str, ParkMode],
        confirmed: frozenset[str],
        verified: Mapping[str, S3Copy],
        listed: frozenset[str],
    ) -> None:
        self.have = have
        self.modes = modes
        self.confirmed = confirmed
        self.verified = verified
        self.listed = listed

    def mode(self, volume: Volume) -> ParkMode:
        """Return the volume's mode, for which reasons of safety count more than the choice.

        An adopted volume is kept, and one whose data is to be discarded without confirmation, and
        one whose data is not all restored.
        """
        mode = self.modes.get(volume.name, ParkMode.SNAPSHOT)
        if volume.adopted:
            return ParkMode.KEEP
        if mode == ParkMode.DISCARD:
            return mode if volume.name in self.confirmed else ParkMode.KEEP
        return ParkMode.KEEP if pending_restore(volume, self.have) else mode

    def is_unverified(self, volume: Volume) -> bool:
        """Return whether it goes to S3 and no copy there is verified."""
        if self.mode(volume) != ParkMode.S3 or proof_in_s3(volume, self.have) is not None:
            return False
        return self._just_verified(volume) is None

    def _just_verified(self, volume: Volume) -> S3Copy | None:
        """Return the copy, not recorded yet, that was verified since the volume was writable."""
        copy, since = self.verified.get(volume.name), last_writable(volume, self.have)
        if copy is None or since is None or copy.source != volume.id or copy.since < since:
            return None
        return copy

    def runs_on(self, instance: Instance) -> bool:
        """Return whether it is still needed, to verify the copy of a volume."""
        return any(self.is_unverified(v) for v in self.on(instance))

    def on(self, instance: Instance) -> list[Volume]:
        """Return the volumes of an instance."""
        return [v for v in self.have.volumes if v.holder == instance.name]

    def stays(self, instance: Instance) -> bool:
        """Return whether the machine is kept, stopped, with its volumes."""
        mine = self.on(instance)
        return bool(mine) and all(self.mode(v) == ParkMode.KEEP for v in mine)

    def first(self, instance: Instance) -> list[Volume]:
        """Return volumes to snapshot while the machine runs, so that the last one is short."""
        if instance.state != "running" or self.have.whole_copies:
            return []
        return [
            v
            for v in self.on(instance)
            if self.mode(v).is_snapshot
            and v.state == "attached"
            and not any(s.state == "completed" for s in snapshots_of(v.name, self.have))
        ]

    def snapshots(self, instances: list[Instance]) -> Iterator[Step]:
        """Take the missing snapshots: of volumes in use, and then of those at rest."""
        now = [v for i in instances for v in self.first(i) if not self._on_its_way(v)]
        if now:
            why = "taken while the machine runs, it makes the last one short"
            yield CreateSnapshot(tuple(v.name for v in now), sealed=False, reason=why)
        rest = [v for v in self.at_rest(instances) if not sealed(v, self.have)]
        if rest:
            why = "nothing writes to the volume now, so the snapshot holds all of it"
            yield CreateSnapshot(tuple(v.name for v in rest), sealed=True, reason=why)

    def _on_its_way(self, volume: Volume) -> bool:
        return any(s.state == "pending" for s in snapshots_of(volume.name, self.have))

    def at_rest(self, instances: list[Instance]) -> list[Volume]:
        """Return volumes to snapshot that nothing writes to now."""
        stopped = {i.name for i in instances if i.state == "stopped" and not self.runs_on(i)}
        return [
            v
            for v in self.have.volumes
            if self.mode(v).is_snapshot
            and (v.state == "available" or (v.state == "attached" and v.holder in stopped))
        ]

    def stops(self, instances: list[Instance]) -> Iterator[Step]:
        """Stop machines that have nothing to wait for any more."""
        done = [
            i
            for i in instances
            if i.state in ("pending", "running", "failed")
            and not self.first(i)
            and not self.runs_on(i)
        ]
        if done:
            why = by_reason((i.name, self._why_stop(i)) for i in done)
            yield Stop(tuple(i.name for i in done), reason=why)

    def _why_stop(self, instance: Instance) -> str:
        if self.stays(instance):
            return "its volumes are kept, and it is kept with them"
        if any(self.mode(v).is_snapshot for v in self.on(instance)):
            return "nothing may write while its last snapshot is taken"
        if any(self.mode(v) == ParkMode.S3 for v in self.on(instance)):
            return "nothing may write to its volumes once their copies in S3 are compared"
        return "nothing may write while an image of its disk is made"

    def records(self, instances: list[Instance]) -> Iterator[Step]:
        """Record the verified copies of volumes whose machines have stopped since."""
        stopped = {i.name for i in instances if i.state == "stopped"}
        copies = []
        for volume in self.have.volumes:
            if self.mode(volume) != ParkMode.S3 or volume.holder not in stopped:
                continue
            if last_write_possible(volume, self.have) is None or proof_in_s3(volume, self.have):
                continue
            copy = self._just_verified(volume)
            if copy is not None:
                # By one clock: newer than all copies so far, and older than all that follow.
                taken = max(copy.since, newest(volume.name, self.have) + 1)
                copies.append(replace(copy, sealed=True, taken=taken))
        if copies:
            why = "it holds all of the volume: they were compared, and the machine has stopped"
            yield RecordCopy(tuple(copies), reason=why)

    def images(self, instances: list[Instance]) -> Iterator[Step]:
        """Save the boot disks of stopped machines."""
        names = tuple(
            i.name
            for i in instances
            if i.state == "stopped"
            and not self.stays(i)
            and not self.runs_on(i)
            and not saved(i, self.have)
        )
        if names:
            yield CreateImage(names, reason="the machine comes back from the image")

    def facts(self) -> Iterator[Step]:
        """Record the copies that it comes back from, before what they were made of goes."""
        gone = {v.name for v in self.have.volumes if self.mode(v) == ParkMode.DISCARD}
        if (copies := due(self.have, gone)) is not None:
            why = "a copy that somebody deletes is missed when the name comes back"
            yield RecordBackups(copies, reason=why)

    def deletions(self, instances: list[Instance]) -> Iterator[Step]:
        """Delete what is safe elsewhere; the machines first, as they hold the volumes."""
        gone = tuple(i.name for i in instances if self.is_saved(i))
        if gone:
            yield Delete("instance", gone, reason="its disk is saved as an image")
        volumes = [v for v in self.have.volumes if self.may_go(v)]
        if volumes:
            why = by_reason((v.name, self._why_delete(v)) for v in volumes)
            yield Delete("volume", tuple(v.name for v in volumes), reason=why)
        yield from self.tidy()

    def is_saved(self, instance: Instance) -> bool:
        """Return whether its disk is an image, and its volumes are copied, kept or discarded."""
        return (
            instance.state == "stopped"
            and not self.stays(instance)
            and any(
                i.state == "completed" and is_recorded(i, self.have)
                for i in saved(instance, self.have)
            )
            and all(self.is_safe(v) for v in self.on(instance))
        )

    def is_safe(self, volume: Volume) -> bool:
        """Return whether a volume may lose its machine."""
        mode = self.mode(volume)
        if mode == ParkMode.S3:
            return proof_in_s3(volume, self.have) is not None and volume.name in self.listed
        snapshot = proof(volume, self.have)
        recorded = snapshot is not None and is_recorded(snapshot, self.have)
        return not mode.is_snapshot or recorded

    def may_go(self, volume: Volume) -> bool:
        """Return whether a volume may be deleted now."""
        mode = self.mode(volume)
        if volume.state == "failed":
            return mode == ParkMode.DISCARD
        if volume.state != "available":
            return False
        return mode == ParkMode.DISCARD or (mode != ParkMode.KEEP and self.is_safe(volume))

    def _why_delete(self, volume: Volume) -> str:
        mode, copy = self.mode(volume), None
        if mode != ParkMode.DISCARD:
            law = proof_in_s3 if mode == ParkMode.S3 else proof
            copy = law(volume, self.have)
        if copy is None:
            return "you agreed to discard its data"
        where = f"copy in {copy.place}" if isinstance(copy, S3Copy) else f"snapshot {copy.name}"
        return f"its {where} holds all of it"

    def tidy(self) -> Iterator[Step]:
        """Archive snapshots of what is put away, where the mode says so; delete superseded ones."""
        here = {v.name for v in self.have.volumes} | {i.name for i in self.have.instances}
        old, images = superseded(self.have, self.listed)
        cold = tuple(
            s.name
            for s in self.have.snapshots
            if s not in old
            and s.volume not in here
            and s.state == "completed"
            and s.tier == "standard"
            and self.modes.get(s.volume) == ParkMode.ARCHIVE
        )
        if cold:
            yield Archive(cold, reason="the volume is parked as archive")
        if snapshots := [s for s in old if s.volume not in here]:
            why = by_reason((s.name, _why_old(s, f"volume {s.volume}")) for s in snapshots)
            yield Delete("snapshot", tuple(s.name for s in snapshots), reason=why)
        if gone := [i for i in images if i.instance not in here]:
            why = by_reason((i.name, _why_old(i, f"{i.instance}'s disk")) for i in gone)
            yield Delete("image", tuple(i.name for i in gone), reason=why)

    def waiting(self) -> Iterator[str]:
        """Name what is changing now."""
        for instance in self.have.instances:
            if instance.state in ("stopping", "deleting"):
                yield instance.name
        for volume in self.have.volumes:
            if volume.state in ("creating", "detaching", "deleting"):
                yield volume.name
        for snapshot in self.have.snapshots:
            if snapshot.state == "pending":
                yield f"snapshot of {snapshot.volume}"
        for image in self.have.images:
            if image.state == "pending":
                yield f"image of {image.instance}"

    def notes(self) -> Iterator[str]:
        """Say what is kept and still costs."""
        for volume in self.have.volumes:
            chosen = self.modes.get(volume.name, ParkMode.SNAPSHOT)
            copy = pending_restore(volume, self.have)
            if volume.adopted:
                yield f"volume {volume.name} was there before roost, and is kept"
            elif chosen != ParkMode.DISCARD and copy:
                yield f"volume {volume.name} waits for its data from {copy.place}, and is kept"
            elif chosen == ParkMode.DISCARD and volume.name not in self.confirmed:
                yield f"volume {volume.name} is kept: discarding it needs its name typed"
            elif chosen == ParkMode.KEEP:
                yield f"volume {volume.name} is kept"
        for address in self.have.addresses:
            yield f"address {address.ip or address.name} is kept"


def _why_old(copy: Snapshot | Image, of: str) -> str:
    failed = copy.state == "failed"
    return "it failed" if failed else f"a newer copy of {of} holds all that it does"
