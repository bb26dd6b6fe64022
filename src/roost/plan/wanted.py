"""The way from a spec to all that it wants. Pure, as the rules of each provider are."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from roost.model import nodes
from roost.model.resources import (
    Address,
    Group,
    KeyPair,
    Role,
    Rule,
    SecurityGroup,
    Shape,
    Volume,
    Wanted,
)
from roost.providers.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.model.host import Host
    from roost.spec import Spec
    from roost.spec import volume as spec_volume
    from roost.spec.cluster import Workers
    from roost.spec.machine import Machine

    Shaper = Callable[[Machine, Role], Shape]

HTTPS, SSH = 443, 22


def wanted_of(spec: Spec, host: Host) -> Wanted:
    """Return all that ``spec`` wants. Raises UsageError where its cloud cannot be what it wants."""
    rules = rules_of(spec.cloud)

    def shape(machine: Machine, role: Role) -> Shape:
        return rules.shape(spec, machine, role, host)

    groups = _groups(spec, shape)
    if not rules.rents:
        return Wanted(name=spec.name, record=spec.to_json(), groups=groups)
    instances = tuple(
        name for group in groups for name in _holders(group.role, group.count, group.role)
    )
    reached = [n for n in instances if not n.startswith("worker")]
    return Wanted(
        name=spec.name,
        record=spec.to_json(),
        groups=groups,
        key_pairs=(KeyPair(name=spec.name),),
        security_groups=(SecurityGroup(name=spec.name, rules=_rules(spec)),),
        volumes=_volumes(spec, reached),
        addresses=tuple(Address(name=n, holder=n) for n in reached)
        if spec.access.address == "fixed"
        else (),
        public=spec.access.reach == "public",
    )


def _groups(spec: Spec, shape: Shaper) -> tuple[Group, ...]:
    if spec.kind == "cluster":
        head = _group("head", 1, shape(spec.head, "head"), spec)
        workers = _group("worker", spec.workers.count, _worker_shape(spec.workers, shape), spec)
        return head, replace(workers, least=spec.workers.quorum)
    if spec.kind == "classroom":
        return (_group("seat", spec.seats, shape(spec.machine, "seat"), spec),)
    return (_group("desktop", 1, shape(spec.machine, "desktop"), spec),)


def _worker_shape(workers: Workers, shape: Shaper) -> Shape:
    """Return the shape of workers, with others to try: any will do, as workers hold no data."""
    return replace(
        shape(workers, "worker"),
        others=workers.types[1:],
        or_on_demand=workers.spot == "first",
    )


def _group(role: Role, count: int, shape: Shape, spec: Spec) -> Group:
    return Group(role=role, count=count, shape=shape, fingerprint=_fingerprint(spec, shape))


def _fingerprint(spec: Spec, shape: Shape) -> str:
    """Return a digest of all that an instance is set up as, and of nothing else."""
    # Not the type: a machine of another type is set up the same, and can be resized.
    plain = {"image": shape.image, "arch": shape.arch, "disk": shape.disk_gib}
    speed = {
        "disk_type": shape.disk_type,
        "disk_iops": shape.disk_iops,
        "disk_throughput": shape.disk_throughput,
    }
    plain |= {key: value for key, value in speed.items() if value}
    own = rules_of(spec.cloud).set_up(spec)
    parts: dict[str, object] = {"cloud": spec.cloud, **plain, **own}
    if spec.kind == "cluster":
        parts["environment"] = spec.environment.digest
        parts["jupyter"] = spec.jupyter.model_dump(mode="json")
    return f"{zlib.crc32(json.dumps(parts, sort_keys=True).encode()):08x}"


def _holders(role: Role, count: int, single: str) -> tuple[str, ...]:
    return tuple(nodes.names(role, count)) if role in nodes.NUMBERED else (single,)


def _rules(spec: Spec) -> tuple[Rule, ...]:
    named = {"me": "caller", "anywhere": "0.0.0.0/0"}
    return tuple(
        Rule(port=port, source=named.get(source, source))
        for port, sources in ((SSH, spec.access.ssh), (HTTPS, spec.access.https))
        for source in sources
    )


def _volumes(spec: Spec, holders: list[str]) -> tuple[Volume, ...]:
    """Return each volume once, on the head or desktop; those of a classroom on every seat."""
    return tuple(
        Volume(
            name=_volume_name(spec, holder, v.name),
            size_gib=v.size,
            type=v.type,
            holder=holder,
            mount=v.place,
            iops=v.iops,
            throughput=v.throughput,
            slot=slot,
            id=v.id or "",
            warm=v.warm,
        )
        for holder in holders
        for slot, v in enumerate(spec.volumes)
    )


def _volume_name(spec: Spec, holder: str, volume: str) -> str:
    return f"{holder}-{volume}" if spec.kind == "classroom" else volume


def volumes_of(spec: Spec) -> dict[str, spec_volume.Volume]:
    """Return the file's table of each volume, by the name that the volume has in a cloud."""
    seats = spec.seats if spec.kind == "classroom" else 1
    return {
        _volume_name(spec, holder, volume.name): volume
        for holder in _holders("seat", seats, "seat")
        for volume in spec.volumes
    }
