"""From a spec to all that it wants from its cloud. Pure: the catalogue is a table of facts."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roost.errors import UsageError
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.catalogue import Catalogue, InstanceType
    from roost.spec import Spec
    from roost.spec import volume as spec_volume
    from roost.spec.cluster import Workers
    from roost.spec.machine import Machine

    Shaper = Callable[[Machine, bool], Shape]

HTTPS, SSH = 443, 22


@dataclass(frozen=True, slots=True)
class Host:
    """The user's own machine: its CPUs and its memory in GiB."""

    cpus: int
    memory_gib: float


LOCAL_SHARE = 0.8
"""The part of the host's memory that the workers may use between them."""


def wanted_of(spec: Spec, host: Host, catalogue: Callable[[], Catalogue]) -> Wanted:
    """All that ``spec`` wants. ``catalogue`` is called only where the cloud has prices.

    Raises UsageError where the spec's cloud cannot be what the spec wants.
    """
    if spec.cloud == "local":
        return _local(spec, host)
    if spec.cloud == "aws":
        return _cloud(spec, _aws_shaper(spec, catalogue()))
    return _cloud(spec, _flavor_shape)


# --- the user's own machine --------------------------------------------------------------------


def _local(spec: Spec, host: Host) -> Wanted:
    if spec.kind != "cluster" or spec.scheduler != "dask":
        what = f"{spec.kind} with slurm" if spec.kind == "cluster" else spec.kind
        raise UsageError(
            f"a {what} needs machines of its own; your own machine can be a Dask cluster",
            next="roost plan FILE --cloud aws",
        )
    threads = spec.local.threads
    share = host.memory_gib * LOCAL_SHARE / max(host.cpus, spec.workers.count * threads)
    memory = spec.local.memory or max(1.0, round(share * threads, 1))
    worker = Shape(type="process", cpus=threads, memory_gib=memory)
    head = Shape(type="process", cpus=1, memory_gib=0)
    return Wanted(
        name=spec.name,
        record=spec.to_json(),
        groups=(
            _group("head", 1, head, spec),
            _group("worker", spec.workers.count, worker, spec),
        ),
    )


# --- a cloud -----------------------------------------------------------------------------------


def _cloud(spec: Spec, shaper: Shaper) -> Wanted:
    groups = _groups(spec, shaper)
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
    )


def _groups(spec: Spec, shaper: Shaper) -> tuple[Group, ...]:
    if spec.kind == "cluster":
        return (
            _group("head", 1, shaper(spec.head, False), spec),
            replace(
                _group("worker", spec.workers.count, _worker_shape(spec.workers, shaper), spec),
                least=spec.workers.quorum,
            ),
        )
    if spec.kind == "classroom":
        return (_group("seat", spec.seats, shaper(spec.machine, False), spec),)
    return (_group("desktop", 1, shaper(spec.machine, False), spec),)


def _worker_shape(workers: Workers, shaper: Shaper) -> Shape:
    """With what to try where there is no room: workers hold no data, so others will do."""
    return replace(
        shaper(workers, workers.on_spot),
        others=workers.types[1:],
        or_on_demand=workers.spot == "first",
    )


def _group(role: Role, count: int, shape: Shape, spec: Spec) -> Group:
    return Group(role=role, count=count, shape=shape, fingerprint=_fingerprint(spec, shape))


def _fingerprint(spec: Spec, shape: Shape) -> str:
    """Changes with all that an instance is set up as, and with nothing else."""
    # Not the type: a machine of another type is set up the same, and can be resized.
    plain = {"image": shape.image, "arch": shape.arch, "disk": shape.disk_gib}
    parts: dict[str, object] = {"cloud": spec.cloud, **plain}
    if spec.cloud == "local" and spec.kind == "cluster":
        # Not the shape: a worker's share of the memory follows the number of workers.
        parts["local"] = spec.local.model_dump(mode="json")
        # Every process works there.
        parts["project"] = str(spec.environment.project or spec.folder)
    if spec.kind == "cluster":
        parts["environment"] = spec.environment.digest
        parts["jupyter"] = spec.jupyter.model_dump(mode="json")
    return f"{zlib.crc32(json.dumps(parts, sort_keys=True).encode()):08x}"


def _holders(role: Role, count: int, single: str) -> tuple[str, ...]:
    if role in ("worker", "seat"):
        return tuple(f"{role}-{number}" for number in range(1, count + 1))
    return (single,)


def _rules(spec: Spec) -> tuple[Rule, ...]:
    named = {"me": "caller", "anywhere": "0.0.0.0/0"}
    return tuple(
        Rule(port=port, source=named.get(source, source))
        for port, sources in ((SSH, spec.access.ssh), (HTTPS, spec.access.https))
        for source in sources
    )


def _volumes(spec: Spec, holders: list[str]) -> tuple[Volume, ...]:
    """A desktop's and a cluster's volumes once, on the head; a classroom's on every seat."""
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
    """What the file says of each volume, by the names that volumes have in a cloud."""
    seats = spec.seats if spec.kind == "classroom" else 1
    return {
        _volume_name(spec, holder, volume.name): volume
        for holder in _holders("seat", seats, "seat")
        for volume in spec.volumes
    }


# --- which machine -----------------------------------------------------------------------------


def _aws_shaper(spec: Spec, catalogue: Catalogue) -> Shaper:
    from roost.cost.machines import cheapest
    from roost.spec.machine import why_none_of

    if spec.aws is None:
        raise UsageError('the file says nothing of [aws]: it needs at least region = "..."')
    region, profile = spec.aws.region, spec.aws.instance_profile

    def shape(machine: Machine, spot: bool) -> Shape:
        found = _exact(machine.exact[0], catalogue) if machine.exact else None
        if not machine.exact:
            offers = cheapest(catalogue, region, machine.needs(), limit=1)
            if not offers:
                raise UsageError(why_none_of(machine, region))
            found = offers[0].instance_type
        return Shape(
            type=found.name if found else machine.exact[0],
            cpus=found.vcpus if found else 0,
            memory_gib=found.memory_gib if found else 0,
            gpus=found.gpu_count if found else 0,
            arch=found.architectures[-1] if found else "x86_64",
            image=machine.image,
            disk_gib=machine.disk,
            spot=spot,
            profile=profile or "",
        )

    return shape


def _exact(name: str, catalogue: Catalogue) -> InstanceType | None:
    """The type that was named; None where it has a price and no description (p2.xlarge)."""
    found = catalogue.instance_type(name)
    if found is None and name not in catalogue.undescribed:
        raise UsageError(f"AWS has no instance type {name}")
    return found


def _flavor_shape(machine: Machine, spot: bool) -> Shape:
    """OpenStack: which flavor fits is known only at the site."""
    return Shape(
        type=machine.exact[0] if machine.exact else "a flavor that fits",
        cpus=0 if machine.exact else machine.cpus,
        memory_gib=0 if machine.exact else machine.memory,
        gpus=machine.gpus or 0,
        arch=machine.arch or "x86_64",
        image=machine.image,
        disk_gib=machine.disk,
        spot=spot,
    )
