"""Everything goes, except data that nobody named. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roost.model.resources import State, Volume
from roost.model.steps import Delete, Disown, Forget, ForgetCopy, Step
from roost.plan.up import Plan


def plan_down(have: State, discard: frozenset[str] = frozenset()) -> Plan:
    """The steps to nothing left, except volumes, snapshots and images that nobody named.

    ``discard`` has the names that the user typed: of a volume (its snapshots go too), of an
    instance (its images go), or of all (the name itself). What is kept keeps the spec too, so
    that ``up`` finds both again. A copy in S3 is in a bucket of the user's: it is forgotten, and
    never deleted.
    """
    everything = have.name in discard
    live = tuple(i.name for i in have.instances if i.state != "deleting")
    steps: list[Step] = []
    if have.addresses:
        steps.append(Delete("address", tuple(a.name for a in have.addresses)))
    if live:
        steps.append(Delete("instance", live))
    # Volumes and the firewall are in use until the last instance is gone.
    if not have.instances:
        steps += _rest(have, discard, everything)
    waiting = (
        *(i.name for i in have.instances if i.state == "deleting"),
        *(v.name for v in have.volumes if v.state == "deleting"),
    )
    return Plan(tuple(steps), waiting, notes=tuple(_kept(have, discard, everything)))


def _rest(have: State, discard: frozenset[str], everything: bool) -> Iterator[Step]:
    gone = tuple(v for v in have.volumes if _goes(v, discard, everything))
    if deleted := tuple(v.name for v in gone if not v.adopted and v.state == "available"):
        yield Delete("volume", deleted)
    if left := tuple(v.name for v in have.volumes if v.adopted and v.state == "available"):
        yield Disown(left)
    snapshots = tuple(s.name for s in have.snapshots if everything or s.volume in discard)
    if snapshots:
        yield Delete("snapshot", snapshots)
    images = tuple(i.name for i in have.images if everything or i.instance in discard)
    if images:
        yield Delete("image", images)
    stored = tuple(s.name for s in have.s3_copies if everything or s.name in discard)
    if stored:
        yield ForgetCopy(stored)
    if have.security_groups:
        yield Delete("security-group", tuple(g.name for g in have.security_groups))
    if have.key_pairs:
        yield Delete("key-pair", tuple(k.name for k in have.key_pairs))
    data = have.volumes or have.snapshots or have.images or have.s3_copies
    if have.record is not None and not data:
        yield Forget()


def _goes(volume: Volume, discard: frozenset[str], everything: bool) -> bool:
    return everything or volume.name in discard


def _kept(have: State, discard: frozenset[str], everything: bool) -> Iterator[str]:
    if everything:
        return
    for volume in have.volumes:
        if volume.name not in discard and not volume.adopted:
            yield f"volume {volume.name} is kept"
    for name in sorted({s.volume for s in have.snapshots} - discard):
        yield f"the snapshot of volume {name} is kept"
    for copy in have.s3_copies:
        if copy.name not in discard:
            yield f"the copy of volume {copy.name} in {copy.place} is kept"
    for name in sorted({i.instance for i in have.images} - discard):
        yield f"the image of {name}'s disk is kept"
