"""Wanted against have: create the missing, start the stopped, close the surplus.

Every function here is pure. Called again after its steps were done, it returns nothing more to do;
called after some of them were done, it returns the rest. That is what makes a killed roost safe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from roost.model import nodes
from roost.model.resources import (
    CREATE_ORDER,
    GATEWAY,
    SURPLUS,
    Group,
    Image,
    Instance,
    Resource,
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
    RecordBackups,
    RecordCopy,
    Restore,
    Retire,
    Start,
    Step,
    Stop,
)
from roost.plan.access import close_rules, open_rules
from roost.plan.comeback import bring_back, refusal_of
from roost.plan.gateway import behind_gateway
from roost.plan.notes import notes
from roost.plan.reasons import (
    HAND_OVER,
    MADE_TWICE,
    NOT_CURRENT,
    NOT_IN_FILE,
    by_reason,
    why_close,
    why_create,
    why_modify,
    why_record,
    why_start,
)
from roost.plan.recorded import obsolete
from roost.plan.refusal import Refusal

STOPPABLE = ("pending", "running", "failed")


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps to do now, in order; the names to wait for; notes on all that stays.

    The work is done when there are neither steps nor anything to wait for. ``slow`` is on its way
    for hours or days: nobody waits for that, and the rest is not begun. ``refusal``: nothing can be
    done before a person has decided something.
    """

    steps: tuple[Step, ...] = ()
    waiting: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: Refusal | None = None

    @property
    def done(self) -> bool:
        """Return whether nothing is left to do or to wait for."""
        return not self.steps and not self.waiting


def plan_up(
    wanted: Wanted,
    have: State,
    *,
    drop: frozenset[str] = frozenset(),
    given_up: frozenset[str] = frozenset(),
    as_parked: bool = False,
    fresh: frozenset[str] = frozenset(),
) -> Plan:
    """Return the steps from ``have`` to all of ``wanted`` running.

    ``drop`` names the instances to close first where there are too many; ``given_up`` those that
    failed in this very run and are not tried again. ``as_parked``: what was parked comes back as
    the type that it was, also where the file's needs would choose another today. ``fresh`` are
    the volumes and machines that may be made empty, where a recorded copy of them is gone.
    """
    keep, close, missing = _sort_instances(wanted, have, drop)
    if refusal := refusal_of(wanted, have, missing, fresh):
        return Plan(notes=(refusal.what,), refusal=refusal)
    back, later = bring_back(wanted, have, missing, as_parked)
    record = save_settings(wanted, have)
    if later:
        return _wait_for(later, record)
    steps = [
        *record,
        *_forget_obsolete(have),
        *mark_stale(have),
        *_adopt(wanted, have),
        *open_rules(wanted, have),
        *_create_missing(wanted, have, back),
        *_start([i for i in keep if i.name not in given_up]),
        *_modify(wanted, have),
        *_attach(wanted, have),
        *_associate(wanted, have),
        *close_rules(wanted, have),
        *_close(close, wanted, have),
        *_release_surplus(wanted, have),
    ]
    return Plan(tuple(steps), _in_transit(have), notes=tuple(notes(wanted, have, keep)))


def _forget_obsolete(have: State) -> list[Step]:
    """Forget recorded copies that are gone, where their volumes and machines are there."""
    kept = obsolete(have)
    why = "a recorded copy is gone, and what it was made of is there"
    return [RecordBackups(kept, reason=why)] if kept is not None else []


def save_settings(wanted: Wanted, have: State) -> list[Record]:
    """Save the file's settings, where others are saved or none."""
    if have.record == wanted.record and not have.unowned:
        return []
    return [Record(wanted.record, reason=why_record(have))]


def plan_stop(have: State, only: frozenset[str] | None = None) -> Plan:
    """Return the steps to everything (or ``only`` these) stopped, disks and volumes kept.

    The gateway is the last: until then the others can be reached.
    """
    those = [i for i in have.instances if only is None or i.name in only]
    on = [i for i in those if i.billed or i.state in STOPPABLE]
    names = tuple(i.name for i in behind_gateway(on) or on)
    moving = tuple(i.name for i in those if i.state in ("stopping", "deleting"))
    asked = "you asked for it; disks and volumes stay"
    return Plan((Stop(names, reason=asked),) if names else (), moving)


def plan_start(wanted: Wanted, have: State, node: str) -> Plan:
    """Return the steps to one machine that runs, with its volumes, its address and its gateway."""
    there = [i for i in have.instances if i.name == node or i.role == GATEWAY]
    held = tuple(v for v in have.volumes if v.holder == node)
    mine = replace(have, instances=tuple(there), volumes=held)
    steps = (*mark_stale(mine), *_start(there), *_attach(wanted, mine), *_associate(wanted, mine))
    return Plan(steps, _in_transit(mine))


def _sort_instances(
    wanted: Wanted, have: State, drop: frozenset[str]
) -> tuple[list[Instance], list[Instance], list[Instance]]:
    """Return the instances to keep, those to close, and those to create."""
    keep: list[Instance] = []
    close: list[Instance] = []
    missing: list[Instance] = []
    taken = {i.name for i in have.instances}
    unwell = [i for i in have.instances if is_replaced(i, have)]
    close += unwell
    live = [i for i in have.instances if i.state != "deleting" and i not in unwell]
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


def is_replaced(instance: Instance, have: State) -> bool:
    """Tell whether another machine takes its place: it is unwell, and holds nothing."""
    holds = any(v.holder == instance.name for v in have.volumes)
    up = instance.state in ("pending", "running")
    return instance.role == "worker" and up and bool(instance.health) and not holds


def _last_out(instance: Instance, drop: frozenset[str]) -> tuple[bool, bool, bool, int]:
    """Sort key: those who go first come last (named, surplus, failed, the highest number)."""
    surplus = instance.name.endswith(SURPLUS)
    named = instance.name in drop
    return (named, surplus, instance.state == "failed", nodes.number_of(instance.name))


def _new_instances(group: Group, count: int, taken: set[str]) -> list[Instance]:
    """``count`` instances with the lowest numbers that are free."""
    names = (name for name in nodes.names(group.role, count + len(taken)) if name not in taken)
    return [
        Instance(name=name, role=group.role, shape=group.shape, fingerprint=group.fingerprint)
        for name, _ in zip(names, range(count), strict=False)
    ]


def mark_stale(have: State) -> list[Step]:
    """Mark the copies of existing volumes as not current, before anything may write to these."""
    there = {v.id for v in have.volumes}
    names = tuple(s.name for s in have.snapshots if s.sealed and s.source in there)
    copies = tuple(
        replace(s, sealed=False) for s in have.s3_copies if s.sealed and s.source in there
    )
    steps: list[Step] = [MarkStale(names, reason=NOT_CURRENT)] if names else []
    return [*steps, RecordCopy(copies, reason=NOT_CURRENT)] if copies else steps


def _wait_for(copies: list[Snapshot | Image], record: list[Record]) -> Plan:
    """Restore what is archived, and wait; no machine is rented meanwhile."""
    snapshots = [s for s in copies if isinstance(s, Snapshot) and s.tier != "standard"]
    archived = [s for s in snapshots if s.tier == "archived"]
    why = by_reason((s.name, f"volume {s.volume} comes back from it") for s in archived)
    restore = [Restore(tuple(s.name for s in archived), reason=why)] if archived else []
    pending = tuple(copy.name for copy in copies if copy.state == "pending")
    slow = tuple(s.volume for s in snapshots)
    return Plan((*record, *restore), () if slow else pending, slow)


def _adopt(wanted: Wanted, have: State) -> list[Step]:
    there = {v.name for v in have.volumes}
    volumes = tuple(v for v in wanted.volumes if v.id and v.name not in there)
    why = by_reason((v.name, f"the file names it by its id, {v.id}") for v in volumes)
    return [Adopt(volumes, reason=why)] if volumes else []


def _modify(wanted: Wanted, have: State) -> list[Step]:
    """Change volumes in place: EBS makes them larger, and never smaller."""
    asked = {v.name: v for v in wanted.volumes}
    changed: list[Volume] = []
    reasons: list[tuple[str, str]] = []
    for volume in have.volumes:
        want = asked.get(volume.name)
        if want is None or volume.adopted or volume.state not in ("available", "attached"):
            continue
        if volume.note:
            continue  # the cloud does not change it now
        kind = want.type or volume.type  # "": the cloud's own choice
        same = kind == volume.type
        new = replace(
            volume,
            size_gib=max(volume.size_gib, want.size_gib),
            type=kind,
            iops=volume.iops if same and want.iops is None else want.iops,
            throughput=volume.throughput if same and want.throughput is None else want.throughput,
        )
        if new != volume:
            changed.append(new)
            reasons.append((volume.name, why_modify(volume, new)))
    return [Modify(tuple(changed), reason=by_reason(reasons))] if changed else []


def _create_missing(wanted: Wanted, have: State, disks: list[Instance | Volume]) -> list[Step]:
    there = {(r.kind, r.name) for r in have.resources}
    others: list[Resource] = [
        *wanted.key_pairs,
        *wanted.security_groups,
        *wanted.addresses,
    ]
    missing = [*(r for r in others if (r.kind, r.name) not in there), *disks]
    steps: list[Step] = []
    for kind in CREATE_ORDER:
        for batch in _batches(r for r in missing if r.kind == kind):
            steps.append(Create(kind, batch, reason=why_create(batch, wanted, have)))
    return steps


def _batches(resources: Iterable[Resource]) -> list[tuple[Resource, ...]]:
    """Group instances by role and shape, and the other kinds as one batch."""
    batches: dict[object, list[Resource]] = {}
    for resource in resources:
        key = (resource.role, resource.shape) if isinstance(resource, Instance) else resource.kind
        batches.setdefault(key, []).append(resource)
    return [tuple(batch) for batch in batches.values()]


def _start(instances: list[Instance]) -> list[Step]:
    """Start the gateway, and then all others: they are set up through it."""
    down = [i for i in instances if i.state in ("stopped", "failed")]
    batches = ([i for i in down if i.role == GATEWAY], behind_gateway(down))
    return [
        Start(tuple(i.name for i in batch), reason=by_reason((i.name, why_start(i)) for i in batch))
        for batch in batches
        if batch
    ]


def _attach(wanted: Wanted, have: State) -> list[Step]:
    """Attach the free volumes whose holder can take them (EC2 refuses a pending one)."""
    holders = {i.name for i in have.instances if i.state in ("running", "stopped")}
    places = {v.name: v.holder for v in wanted.volumes}
    pairs = tuple(
        (v.name, places[v.name])
        for v in have.volumes
        if v.state == "available" and places.get(v.name) in holders
    )
    why = by_reason((volume, f"free now, and belongs on {holder}") for volume, holder in pairs)
    return [Attach(pairs, reason=why)] if pairs else []


def _associate(wanted: Wanted, have: State) -> list[Step]:
    running = {i.name for i in have.instances if i.state == "running"}
    places = {a.name for a in wanted.addresses}
    loose = tuple(
        a for a in have.addresses if a.name in places and not a.attached and a.holder in running
    )
    why = by_reason((a.name, f"{a.holder} runs without it") for a in loose)
    return [Associate(loose, reason=why)] if loose else []


def _close(instances: list[Instance], wanted: Wanted, have: State) -> list[Step]:
    """Delete instances; workers hand over first."""
    # One that seems not to be up may be slow to say so: asking it to hand over does no harm.
    workers = tuple(
        i.name for i in instances if i.role == "worker" and i.state in ("running", "pending")
    )
    steps: list[Step] = [Retire(workers, reason=HAND_OVER)] if workers else []
    if instances:
        why = why_close(instances, wanted, have)
        steps.append(Delete("instance", tuple(i.name for i in instances), reason=why))
    return steps


def _release_surplus(wanted: Wanted, have: State) -> list[Step]:
    """Release addresses not wanted any more: they hold no data. Volumes never go by ``up``.

    The firewall of a gateway goes after the gateway.
    """
    places = {a.name for a in wanted.addresses}
    surplus = tuple(a.name for a in have.addresses if a.name not in places)
    why = by_reason((n, MADE_TWICE if n.endswith(SURPLUS) else NOT_IN_FILE) for n in surplus)
    steps: list[Step] = [Delete("address", surplus, reason=why)] if surplus else []
    firewalls = {have.name, *(g.name for g in wanted.security_groups)}  # its own one is in use
    loose = tuple(g.name for g in have.security_groups if g.name not in firewalls)
    if loose and not any(i.role == GATEWAY for i in have.instances):
        steps.append(Delete("security-group", loose, reason=NOT_IN_FILE))
    return steps


def _in_transit(have: State) -> tuple[str, ...]:
    return (
        *(i.name for i in have.instances if i.state in ("pending", "stopping", "deleting")),
        *(v.name for v in have.volumes if v.state in ("creating", "detaching", "deleting")),
    )
