"""The end of everything, except data that nobody named. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roost.errors import command_line
from roost.model.resources import State, Volume
from roost.model.steps import Delete, Disown, Forget, ForgetCopy, RecordBackups, Step
from roost.plan.gateway import behind_gateway
from roost.plan.reasons import by_reason
from roost.plan.recorded import lost_backups, obsolete
from roost.plan.up import Plan

DELETABLE = ("available", "failed")


def plan_down(have: State, discard: frozenset[str] = frozenset()) -> Plan:
    """Return the steps to nothing left, except volumes, snapshots and images that nobody named.

    ``discard`` has the names that the user typed: of a volume (its snapshots go too), of an
    instance (its images go), or of all (the name itself). What is kept keeps the spec too, so
    that ``up`` finds both again. A copy in S3 is in a bucket of the user's: it is forgotten, and
    never deleted.
    """
    everything = have.name in discard
    live = [i for i in have.instances if i.state not in ("deleting", "unknown")]
    now = behind_gateway(live) or live
    # What is left when this is interrupted can be reached as long as the gateway is there.
    kept = {i.name for i in live if i not in now}
    addresses = tuple(a.name for a in have.addresses if a.holder not in kept)
    steps: list[Step] = []
    if (current := obsolete(have)) is not None:
        why = "a recorded copy is gone, and what it was made of is there"
        steps.append(RecordBackups(current, reason=why))
    if addresses:
        steps.append(Delete("address", addresses, reason="`down` keeps data, and nothing else"))
    if now:
        names = tuple(i.name for i in now)
        steps.append(Delete("instance", names, reason="`down` deletes all machines"))
    # Volumes and the firewall are in use until the last instance is gone.
    if not have.instances:
        steps += _rest(have, discard, everything)
    waiting = (
        *(i.name for i in have.instances if i.state == "deleting"),
        *(v.name for v in have.volumes if v.state in ("deleting", "detaching") and not v.note),
    )
    return Plan(tuple(steps), waiting, notes=tuple(_kept(have, discard, everything)))


def _rest(have: State, discard: frozenset[str], everything: bool) -> Iterator[Step]:
    gone = tuple(v for v in have.volumes if _goes(v, discard, everything))
    named = f"you named {have.name}, which is everything" if everything else "you named it"
    if deleted := tuple(v.name for v in gone if not v.adopted and v.state in DELETABLE):
        yield Delete("volume", deleted, reason=named)
    if left := tuple(v.name for v in have.volumes if v.adopted and v.state == "available"):
        yield Disown(left, reason="it was there before roost")
    kept = tuple(b for b in have.backups if not everything and b.name not in discard)
    if kept != have.backups and not everything and obsolete(have) is None:
        yield RecordBackups(kept, reason=named)
    yield from _delete_copies(have, discard, everything)
    stored = tuple(s.name for s in have.s3_copies if everything or s.name in discard)
    if stored:
        yield ForgetCopy(stored, reason=named)
    if have.security_groups:
        # A firewall that a rule of another names goes after that one.
        last = {rule.firewall for group in have.security_groups for rule in group.rules}
        groups = tuple(sorted((g.name for g in have.security_groups), key=lambda g: g in last))
        yield Delete("security-group", groups, reason="no machine is left behind it")
    if have.key_pairs:
        keys = tuple(k.name for k in have.key_pairs)
        yield Delete("key-pair", keys, reason="no machine is left to log in to")
    data = have.volumes or have.snapshots or have.images or have.s3_copies or kept
    if have.record is not None and not data:
        yield Forget(reason="nothing is left that they describe")


def _delete_copies(have: State, discard: frozenset[str], everything: bool) -> Iterator[Step]:
    """Delete the snapshots of volumes that were named, and the images of instances."""
    snapshots = [s for s in have.snapshots if everything or s.volume in discard]
    if snapshots:
        why = by_reason((s.name, _named(have, s.volume, everything)) for s in snapshots)
        yield Delete("snapshot", tuple(s.name for s in snapshots), reason=why)
    images = [i for i in have.images if everything or i.instance in discard]
    if images:
        why = by_reason((i.name, _named(have, i.instance, everything)) for i in images)
        yield Delete("image", tuple(i.name for i in images), reason=why)


def _named(have: State, source: str, everything: bool) -> str:
    return f"a copy of {source}, and you named {have.name if everything else source}"


def _goes(volume: Volume, discard: frozenset[str], everything: bool) -> bool:
    return everything or volume.name in discard


def _kept(have: State, discard: frozenset[str], everything: bool) -> Iterator[str]:
    yield from (one.text for one in have.foreign)
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
    yield from _missed(have, discard)
    yield from _left_alone(have, discard)


def _missed(have: State, discard: frozenset[str]) -> Iterator[str]:
    """Name the recorded copies that are gone: the record stays for their sake."""
    for backup in lost_backups(have):
        if backup.name in discard:
            continue
        forget = command_line("roost", "down", have.name, "--delete-data", backup.name)
        yield (
            f"{backup.subject}: its copy, {backup.description}, {backup.trouble or 'is gone'};"
            f" the record still names it (`{forget}` ends that)"
        )


def _left_alone(have: State, discard: frozenset[str]) -> Iterator[str]:
    """Name what is in a state that nobody can build on."""
    for instance in have.instances:
        if instance.state == "unknown":
            yield f'{instance.name} is in an unknown state, "{instance.note}": left as it is'
    for volume in have.volumes:
        if volume.state == "unknown" or (volume.state == "failed" and volume.name not in discard):
            yield f'volume {volume.name} ({volume.id}) is in the state "{volume.note}"'
