"""Wanted against have: create the missing, start the stopped, close the surplus.

Every function here is pure. Called again after its steps were done, it returns nothing more to do;
called after some of them were done, it returns the rest. That is what makes a killed roost safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from roost.model.resources import (
    CREATE_ORDER,
    SURPLUS,
    Group,
    Image,
    Instance,
    Resource,
    Role,
    S3Copy,
    SecurityGroup,
    Shape,
    Snapshot,
    State,
    Volume,
    Wanted,
)
from roost.model.steps import (
    Adopt,
    Associate,
    Attach,
    Create,
    Delete,
    MarkStale,
    Modify,
    Record,
    RecordCopy,
    Restore,
    Retire,
    Start,
    Step,
    Stop,
)
from roost.plan.backups import image_of, source_of

PROCESS = "process"
"""The type of an instance on the user's own machine."""
NUMBERED: frozenset[Role] = frozenset(("worker", "seat"))
"""Roles of which there can be many: worker-1, worker-2, ..."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in order; what to wait for; what stays and why.

    The work is done when there are neither steps nor anything to wait for. ``slow`` is on its way
    for hours or days: nobody waits for that, and the rest is not begun.
    """

    steps: tuple[Step, ...] = ()
    waiting: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Nothing left to do or to wait for."""
        return not self.steps and not self.waiting


def plan_up(
    wanted: Wanted,
    have: State,
    *,
    drop: frozenset[str] = frozenset(),
    given_up: frozenset[str] = frozenset(),
    as_parked: bool = False,
) -> Plan:
    """The steps from ``have`` to all of ``wanted`` running.

    ``drop`` names the instances to close first where there are too many; ``given_up`` those that
    failed in this very run and are not tried again. ``as_parked``: what was parked comes back as
    the type that it was, also where the file's needs would choose another today.
    """
    keep, close, missing = _sort_instances(wanted, have, drop)
    back, later = _brought_back(wanted, have, missing, as_parked)
    record = [Record(wanted.record)] if have.record != wanted.record else []
    if later:
        return _wait_for(later, record)
    steps = [
        *record,
        *mark_stale(have),
        *_adopt(wanted, have),
        *_create_missing(wanted, have, back),
        *_start([i for i in keep if i.name not in given_up]),
        *_modify(wanted, have),
        *_attach(wanted, have),
        *_associate(wanted, have),
        *_close(close),
        *_release_surplus(wanted, have),
    ]
    return Plan(tuple(steps), _in_transit(have), notes=tuple(_notes(wanted, have, keep)))


def plan_stop(have: State, only: frozenset[str] | None = None) -> Plan:
    """The steps to everything (or ``only`` these) stopped, disks and volumes kept."""
    those = [i for i in have.instances if only is None or i.name in only]
    names = tuple(i.name for i in those if i.state in ("pending", "running", "failed"))
    moving = tuple(i.name for i in those if i.state in ("stopping", "deleting"))
    return Plan((Stop(names),) if names else (), moving)


def _sort_instances(
    wanted: Wanted, have: State, drop: frozenset[str]
) -> tuple[list[Instance], list[Instance], list[Instance]]:
    """The instances to keep, those to close, and those to create."""
    keep: list[Instance] = []
    close: list[Instance] = []
    missing: list[Instance] = []
    taken = {i.name for i in have.instances}
    live = [i for i in have.instances if i.state != "deleting"]
    for group in wanted.groups:
        mine = sorted((i for i in live if i.role == group.role), key=lambda i: _last_out(i, drop))
        keep += mine[: group.count]
        close += mine[group.count :]
        missing += _new_instances(group, group.count - len(mine), taken)
    if any(g.role == "head" for g in wanted.groups) and not any(
        i.role == "head" for i in (*keep, *missing)
    ):
        # The old head is still going. Workers are told the address of theirs: they wait for it.
        missing = [i for i in missing if i.role != "worker"]
    roles = {group.role for group in wanted.groups}
    close += [i for i in live if i.role not in roles]
    return keep, close, missing


def _last_out(instance: Instance, drop: frozenset[str]) -> tuple[bool, bool, bool, int]:
    """Sort key: those who go first come last (named, surplus, failed, the highest number)."""
    surplus = instance.name.endswith(SURPLUS)
    named = instance.name in drop
    return (named, surplus, instance.state == "failed", _number(instance.name))


def _number(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def _new_instances(group: Group, count: int, taken: set[str]) -> list[Instance]:
    """``count`` instances with the lowest numbers that are free."""
    names = (name for name in _names(group.role, count + len(taken)) if name not in taken)
    return [
        Instance(name=name, role=group.role, shape=group.shape, fingerprint=group.fingerprint)
        for name, _ in zip(names, range(count), strict=False)
    ]


def _names(role: Role, most: int) -> Iterator[str]:
    if role not in NUMBERED:
        yield role
        return
    for number in range(1, most + 1):
        yield f"{role}-{number}"


def _brought_back(
    wanted: Wanted, have: State, instances: list[Instance], as_parked: bool
) -> tuple[list[Instance | Volume], list[Snapshot | Image]]:
    """What is to be made now, from its copy where there is one; and the copies to wait for.

    Nothing is made empty while a copy of it is on its way.
    """
    there = {v.name for v in have.volumes}
    now: list[Instance | Volume] = []
    later: list[Snapshot | Image] = []
    for volume in wanted.volumes:
        if volume.name in there or volume.id:
            continue
        source = source_of(volume.name, have)
        if source is None:
            now.append(volume)
        elif isinstance(source, S3Copy):
            now.append(_to_fill(volume, source))
        elif source.state == "completed" and source.tier == "standard":
            now.append(_from_snapshot(volume, source))
        else:
            later.append(source)
    for instance in instances:
        image = image_of(instance.name, have)
        if image is None:
            now.append(instance)
        elif image.state == "completed":
            kind = image.type if as_parked and image.type else instance.shape.type
            shape = replace(instance.shape, image=image.name, type=kind)
            now.append(replace(instance, shape=shape))
        else:
            later.append(image)
    return now, later


def _from_snapshot(volume: Volume, source: Snapshot) -> Volume:
    """As the file wants it now, but never smaller than what it held."""
    size = max(volume.size_gib, source.size_gib)
    return replace(volume, snapshot=source.name, size_gib=size)


def _to_fill(volume: Volume, source: S3Copy) -> Volume:
    """Made empty, and large enough; what is in S3 comes once its machine is ready."""
    return replace(volume, copy_of=source.source, size_gib=max(volume.size_gib, source.size_gib))


def mark_stale(have: State) -> list[Step]:
    """Mark the copies of existing volumes as not current, before anything may write to these."""
    there = {v.id for v in have.volumes}
    names = tuple(s.name for s in have.snapshots if s.sealed and s.source in there)
    copies = tuple(
        replace(s, sealed=False) for s in have.s3_copies if s.sealed and s.source in there
    )
    steps: list[Step] = [MarkStale(names)] if names else []
    return [*steps, RecordCopy(copies)] if copies else steps


def _wait_for(copies: list[Snapshot | Image], record: list[Record]) -> Plan:
    """No machine is rented to wait for its data."""
    snapshots = [s for s in copies if isinstance(s, Snapshot) and s.tier != "standard"]
    archived = tuple(s.name for s in snapshots if s.tier == "archived")
    restore = [Restore(archived)] if archived else []
    pending = tuple(copy.name for copy in copies if copy.state == "pending")
    slow = tuple(s.volume for s in snapshots)
    return Plan((*record, *restore), () if slow else pending, slow)


def _adopt(wanted: Wanted, have: State) -> list[Step]:
    there = {v.name for v in have.volumes}
    found = tuple(v for v in wanted.volumes if v.id and v.name not in there)
    return [Adopt(found)] if found else []


def _modify(wanted: Wanted, have: State) -> list[Step]:
    """Volumes grow where they are; EBS cannot make them smaller."""
    asked = {v.name: v for v in wanted.volumes}
    changed = []
    for volume in have.volumes:
        want = asked.get(volume.name)
        if want is None or volume.adopted or volume.state not in ("available", "attached"):
            continue
        same = want.type == volume.type
        new = replace(
            volume,
            size_gib=max(volume.size_gib, want.size_gib),
            type=want.type,
            iops=volume.iops if same and want.iops is None else want.iops,
            throughput=volume.throughput if same and want.throughput is None else want.throughput,
        )
        if new != volume:
            changed.append(new)
    return [Modify(tuple(changed))] if changed else []


def _create_missing(wanted: Wanted, have: State, disks: list[Instance | Volume]) -> list[Step]:
    closed = {g.name for g in have.security_groups if not _open(wanted, g)}
    there = {(r.kind, r.name) for r in have.resources if r.name not in closed or not _guards(r)}
    others: list[Resource] = [
        *wanted.key_pairs,
        *wanted.security_groups,
        *wanted.addresses,
    ]
    missing = [*(r for r in others if (r.kind, r.name) not in there), *disks]
    steps: list[Step] = []
    for kind in CREATE_ORDER:
        steps += [Create(kind, batch) for batch in _batches(r for r in missing if r.kind == kind)]
    return steps


def _guards(resource: Resource) -> bool:
    return resource.kind == "security-group"


def _open(wanted: Wanted, group: SecurityGroup) -> bool:
    """Whether a security group lets in whom the file wants; if not, it is made so by Create."""
    rules = {rule for one in wanted.security_groups if one.name == group.name for rule in one.rules}
    return rules <= set(group.rules)


def _batches(resources: Iterable[Resource]) -> list[tuple[Resource, ...]]:
    """Instances of one role and shape together; of the other kinds, all."""
    batches: dict[object, list[Resource]] = {}
    for resource in resources:
        key = (resource.role, resource.shape) if isinstance(resource, Instance) else resource.kind
        batches.setdefault(key, []).append(resource)
    return [tuple(batch) for batch in batches.values()]


def _start(instances: list[Instance]) -> list[Step]:
    names = tuple(i.name for i in instances if i.state in ("stopped", "failed"))
    return [Start(names)] if names else []


def _attach(wanted: Wanted, have: State) -> list[Step]:
    """Volumes that are free, where their holder can take them (EC2 refuses a pending one)."""
    holders = {i.name for i in have.instances if i.state in ("running", "stopped")}
    places = {v.name: v.holder for v in wanted.volumes}
    pairs = tuple(
        (v.name, places[v.name])
        for v in have.volumes
        if v.state == "available" and places.get(v.name) in holders
    )
    return [Attach(pairs)] if pairs else []


def _associate(wanted: Wanted, have: State) -> list[Step]:
    running = {i.name for i in have.instances if i.state == "running"}
    places = {a.name for a in wanted.addresses}
    loose = tuple(
        a for a in have.addresses if a.name in places and not a.attached and a.holder in running
    )
    return [Associate(loose)] if loose else []


def _close(instances: list[Instance]) -> list[Step]:
    """Workers hand over first; deleting comes last."""
    # One that seems not to be up may be slow to say so: asking it to hand over does no harm.
    workers = tuple(
        i.name for i in instances if i.role == "worker" and i.state in ("running", "pending")
    )
    steps: list[Step] = [Retire(workers)] if workers else []
    if instances:
        steps.append(Delete("instance", tuple(i.name for i in instances)))
    return steps


def _release_surplus(wanted: Wanted, have: State) -> list[Step]:
    """Addresses hold no data, so those not wanted any more go; volumes never go by ``up``."""
    places = {a.name for a in wanted.addresses}
    surplus = tuple(a.name for a in have.addresses if a.name not in places)
    return [Delete("address", surplus)] if surplus else []


def _in_transit(have: State) -> tuple[str, ...]:
    return (
        *(i.name for i in have.instances if i.state in ("pending", "stopping", "deleting")),
        *(v.name for v in have.volumes if v.state in ("creating", "deleting")),
    )


def _notes(wanted: Wanted, have: State, keep: list[Instance]) -> Iterator[str]:
    asked = {v.name: v for v in wanted.volumes}
    for volume in have.volumes:
        if volume.name not in asked:
            yield f"volume {volume.name} is not in the file any more; it is kept"
        elif asked[volume.name].size_gib < volume.size_gib:
            yield f"volume {volume.name} stays as large as it is: EBS cannot make it smaller"
    for name in sorted({s.volume for s in have.snapshots} - asked.keys()):
        yield f"the snapshot of volume {name}, not in the file any more, is kept"
    for copy in have.s3_copies:
        if copy.name not in asked:
            yield f"volume {copy.name} is not in the file any more; its copy is in {copy.place}"
    prints = {group.role: group.fingerprint for group in wanted.groups}
    changed = [i.name for i in keep if i.fingerprint != prints[i.role]]
    if changed:
        local = all(i.shape.type == PROCESS for i in keep)
        then = "stop and up renews them" if local else "only new machines are set up as it says now"
        yield f"set up before the file changed: {', '.join(changed)} ({then})"
    for group in wanted.groups:
        types = (group.shape.type, *group.shape.others)
        other = [i.name for i in keep if i.role == group.role and i.shape.type not in types]
        if other:
            yield f"not {types[0]}, as the file says now: {', '.join(other)} (`roost resize`)"
        yield from _profiles(group, [i for i in keep if i.role == group.role])


def _profiles(group: Group, keep: list[Instance]) -> Iterator[str]:
    """A machine keeps the instance profile that it was launched with."""
    asked = _profile(group.shape)
    other = [i.name for i in keep if _profile(i.shape) != asked]
    if other:
        none = "with an instance profile that the file does not name"
        said = f"without the instance profile {asked}" if asked else none
        then = "new machines follow the file; `roost park` and `roost resume` make these anew"
        yield f"{said}: {', '.join(other)} ({then})"


def _profile(shape: Shape) -> str:
    """Its name: the file may say the ARN, and EC2 does."""
    return shape.machine_role.rpartition("/")[2]
