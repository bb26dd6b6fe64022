"""The way from a spec to all that it wants. Pure, as the rules of each provider are."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from roost.model import nodes
from roost.model.resources import (
    EVERY,
    GATEWAY,
    STATELESS,
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
from roost.providers.rules import arch_of, rules_of, volume_types

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
    if spec.access.makes_gateway:
        # After the others: theirs is the zone that must have room for what they are.
        groups = (*groups, _gateway(spec, shape))
    holders = [n for g in groups if g.role not in STATELESS for n in _names(g)]
    fixed = holders if spec.access.address == "fixed" else []
    fixed = [GATEWAY] if spec.access.makes_gateway else fixed
    return Wanted(
        name=spec.name,
        record=spec.to_json(),
        groups=groups,
        key_pairs=(KeyPair(name=spec.name),),
        security_groups=_firewalls(spec),
        volumes=_volumes(spec, holders),
        addresses=tuple(Address(name=n, holder=n) for n in fixed),
        public=spec.access.has_way_out,
    )


def _groups(spec: Spec, shape: Shaper) -> tuple[Group, ...]:
    if spec.kind == "cluster":
        head = _group("head", 1, shape(spec.head, "head"), spec)
        workers = _group("worker", spec.workers.count, _worker_shape(spec.workers, shape), spec)
        return head, replace(workers, least=spec.workers.quorum)
    if spec.kind == "classroom":
        return (_group("seat", spec.machines, shape(spec.machine, "seat"), spec),)
    return (_group("desktop", 1, shape(spec.machine, "desktop"), spec),)


def _worker_shape(workers: Workers, shape: Shaper) -> Shape:
    """Return the shape of workers, with others to try: any will do, as workers hold no data."""
    return replace(
        shape(workers, "worker"),
        others=workers.types[1:],
        or_on_demand=workers.spot == "first",
        max_price=None if workers.max_price is None else float(workers.max_price),
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
    parts: dict[str, object] = {"cloud": spec.cloud, **plain}
    if spec.kind == "cluster":
        parts["environment"] = spec.environment.digest
        parts["jupyter"] = spec.jupyter.model_dump(mode="json")
    parts |= own
    return f"{zlib.crc32(json.dumps(parts, sort_keys=True).encode()):08x}"


def _holders(role: Role, count: int, single: str) -> tuple[str, ...]:
    return tuple(nodes.names(role, count)) if role in nodes.NUMBERED else (single,)


def _gateway(spec: Spec, shape: Shaper) -> Group:
    """Return the one machine that is reached from outside: small, and without any right.

    It has the system of the main one, or a plain one where that is an image of somebody's own.
    """
    from roost.spec.machine import Machine
    from roost.spec.values import SYSTEMS

    main = spec.head if spec.kind == "cluster" else spec.machine
    small = Machine().model_copy(
        update={
            "cpus": 1,
            "memory": 2.0,
            "arch": arch_of(spec.cloud, main),
            "image": main.image if main.image in SYSTEMS else SYSTEMS[0],
            "disk": 10.0,
        }
    )
    return _group(GATEWAY, 1, replace(shape(small, GATEWAY), machine_role=""), spec)


def _firewalls(spec: Spec) -> tuple[SecurityGroup, ...]:
    """Return the firewall around all machines; where a gateway is the way in, nobody enters it.

    No seat reaches another one: who has a seat may be root there. The gateway reaches all of them.
    """
    alone = spec.kind == "classroom"
    if not spec.access.makes_gateway:
        return (SecurityGroup(name=spec.name, rules=_rules(spec), alone=alone),)
    outer = SecurityGroup(name=nodes.gateway_firewall(spec.name), rules=_rules(spec))
    if not alone:
        return (SecurityGroup(name=spec.name), outer)
    by_gateway = Rule(port=EVERY, source=outer.name)
    return outer, SecurityGroup(name=spec.name, rules=(by_gateway,), alone=True)


def _names(group: Group) -> tuple[str, ...]:
    return _holders(group.role, group.count, group.role)


def _rules(spec: Spec) -> tuple[Rule, ...]:
    named = {"me": "caller", "anywhere": "0.0.0.0/0"}
    return tuple(
        Rule(port=port, source=named.get(source, source))
        for port, sources in ((SSH, spec.access.ssh), (HTTPS, spec.access.https))
        for source in sources
    )


def _volumes(spec: Spec, holders: list[str]) -> tuple[Volume, ...]:
    """Return each volume once, on the head or desktop; those of a classroom on every seat.

    What a file says of disks for another cloud does not count where those of this one are not known
    from here: a type of another cloud's is then the default.
    """
    known = rules_of(spec.cloud).disks is not None
    others = () if known else volume_types()
    return tuple(
        Volume(
            name=_volume_name(spec, holder, v.name),
            size_gib=v.size,
            type="" if v.type in others else v.type,
            holder=holder,
            mount=v.place,
            iops=v.iops if known else None,
            throughput=v.throughput if known else None,
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
    seats = spec.machines if spec.kind == "classroom" else 1
    return {
        _volume_name(spec, holder, volume.name): volume
        for holder in _holders("seat", seats, "seat")
        for volume in spec.volumes
    }
