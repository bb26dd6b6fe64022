"""The reasons for the steps of a plan, in words for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.model.resources import SURPLUS, Instance, Role, S3Copy, State, Volume
from roost.model.steps import NOT_THERE, shorten
from roost.plan.backups import image_of, source_of
from roost.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from roost.model.resources import Resource, Wanted

HAND_OVER = "other workers take over data and tasks first"
NOT_IN_FILE = "not in the file any more"
MADE_TWICE = "made twice, and one is enough"
NOT_CURRENT = "machines may write to the volume again"


def by_reason(reasons: Iterable[tuple[str, str]]) -> str:
    """Return one reason for ``(name, reason)`` pairs; each with its names, where they differ."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        names.setdefault(reason, []).append(name)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{reason} ({shorten(tuple(those))})" for reason, those in names.items())


def why_record(have: State) -> str:
    """Return why the settings are saved."""
    if have.record is None:
        return NOT_THERE
    other = "the settings saved there are other ones"
    return f"{other}, or no owner is noted there" if have.unowned else other


def why_create(batch: Sequence[Resource], wanted: Wanted, have: State) -> str:
    """Return why resources of one kind are created, and instances of one role."""
    missing = NOT_THERE
    if isinstance(batch[0], Instance) and any(_alive(i, batch[0].role) for i in have.instances):
        missing = _counts(batch[0].role, wanted, have)
    return by_reason((resource.name, _why_create(resource, missing, have)) for resource in batch)


def _why_create(resource: Resource, missing: str, have: State) -> str:
    if isinstance(resource, Instance):
        image = image_of(resource.name, have)
        return f"its disk comes back from image {image.name}" if image else missing
    if isinstance(resource, Volume):
        return _why_create_volume(resource, have)
    return missing


def _why_create_volume(volume: Volume, have: State) -> str:
    source = source_of(volume.name, have)
    if source is None:
        return NOT_THERE
    copy = source.place if isinstance(source, S3Copy) else f"snapshot {source.name}"
    return f"its data comes back from {copy}"


def why_close(instances: Sequence[Instance], wanted: Wanted, have: State) -> str:
    """Return why instances are deleted."""
    surplus = {group.role: _counts(group.role, wanted, have) for group in wanted.groups}
    return by_reason(
        (i.name, i.health if i.health and i.role == "worker" else _why_surplus(i, surplus))
        for i in instances
    )


def _why_surplus(instance: Instance, surplus: Mapping[Role, str]) -> str:
    if instance.name.endswith(SURPLUS):
        return MADE_TWICE
    return surplus.get(instance.role, NOT_IN_FILE)


def _counts(role: Role, wanted: Wanted, have: State) -> str:
    """Return for example ``"the file wants 4 workers, 2 are there"``."""
    count = next(group.count for group in wanted.groups if group.role == role)
    there = sum(_alive(i, role) for i in have.instances)
    noun = role if count == 1 else f"{role}s"
    return f"the file wants {count} {noun}, {there} {'is' if there == 1 else 'are'} there"


def _alive(instance: Instance, role: Role) -> bool:
    return instance.role == role and instance.state != "deleting"


def why_start(instance: Instance) -> str:
    """Return why an instance is started."""
    return "set-up failed" if instance.state == "failed" else "stopped now"


def why_modify(now: Volume, new: Volume) -> str:
    """Return all that differs: ``"500GB in the file, 100GB now"``."""
    pairs = (
        (format_size(new.size_gib), format_size(now.size_gib)),
        (new.type, now.type),
        (_rate(new.iops, "IOPS"), _rate(now.iops, "IOPS")),
        (_rate(new.throughput, "MiB/s"), _rate(now.throughput, "MiB/s")),
    )
    differing = [(in_file, there) for in_file, there in pairs if in_file != there]
    wishes, existing = zip(*differing, strict=True)
    return f"{' and '.join(wishes)} in the file, {' and '.join(existing)} now"


def _rate(number: int | None, unit: str) -> str:
    return f"the included {unit}" if number is None else f"{number} {unit}"
