"""The site's flavors: which one a file means, and which is the smallest that fits a need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roost.errors import UsageError
from roost.model.resources import Shape
from roost.providers.openstack.client import Site
from roost.providers.openstack.rules import ANY_FLAVOR

MIB = 1024
NUMBER = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A type of machine of a site. Without ``disk_gib`` it boots from a volume."""

    id: str
    name: str
    cpus: int
    memory_gib: float
    disk_gib: float
    gpus: int = 0

    @property
    def text(self) -> str:
        """Return the flavor for people: ``"m1.large (4 CPUs, 8 GB)"``."""
        gpus = f", {self.gpus} GPU" if self.gpus else ""
        return f"{self.name} ({self.cpus} CPUs, {self.memory_gib:g} GiB{gpus})"


def find_flavors(site: Site) -> tuple[Flavor, ...]:
    """Return the flavors that the project may use, the smallest first. One call."""
    every = site.every("compute", "/flavors/detail", "flavors", [("limit", "1000")])
    found = [_flavor(one) for one in every if one.get("OS-FLV-DISABLED:disabled") is not True]
    return tuple(sorted(found, key=lambda f: (f.gpus, f.cpus, f.memory_gib, f.disk_gib, f.name)))


def _flavor(one: Mapping[str, Any]) -> Flavor:
    specs = one.get("extra_specs")
    return Flavor(
        id=str(one.get("id", "")),
        name=str(one.get("name", "")),
        cpus=int(one.get("vcpus") or 0),
        memory_gib=int(one.get("ram") or 0) / MIB,
        disk_gib=float(one.get("disk") or 0),
        gpus=gpus_in(specs if isinstance(specs, dict) else {}),
    )


def gpus_in(specs: Mapping[str, Any]) -> int:
    """Return how many GPUs a flavor's extra specs say; sites say it in several ways."""
    most = 0
    for key, value in specs.items():
        name, text = str(key).lower(), str(value).lower()
        if name in ("pci_passthrough:alias", "resources:vgpu", "resources:pgpu"):
            counts = re.findall(r":(\d{1,4})", text) if ":" in text else NUMBER.findall(text)
            most = max(most, sum(map(int, counts)))
        elif name in ("accelerator:number", "gpu_number", "gpu:count"):
            most = max(most, int(text) if NUMBER.fullmatch(text) else 0)
    return most


def named(flavors: Iterable[Flavor], name: str) -> Flavor:
    """Return the flavor of that name or id. Raises UsageError, naming those that are near."""
    listed = [*flavors]
    for flavor in listed:
        if name in (flavor.name, flavor.id):
            return flavor
    from roost.spec.table import did_you_mean

    hint = did_you_mean(name, tuple(f.name for f in listed))
    some = ", ".join(f.text for f in listed[:8]) + (" ..." if len(listed) > 8 else "")
    raise UsageError(
        f'this site has no flavor "{name}"; it has {some or "none"}'
        + (f"; {hint}" if hint else ""),
        next="type = ... in the file   (all of them: openstack flavor list)",
    )


def fitting(flavors: Iterable[Flavor], shape: Shape, now: Iterable[str] = ()) -> Flavor:
    """Return the smallest flavor for a need, or one that fits and is in use ``now``.

    Raises UsageError where none is large enough.
    """
    listed = [*flavors]
    fit = [f for f in listed if fits(f, shape)]
    running = [f for f in fit if f.name in now]
    if running or fit:
        return (running or fit)[0]
    largest = max(listed, key=lambda f: (f.gpus, f.cpus, f.memory_gib), default=None)
    gpus = f" and {shape.gpus} GPUs" if shape.gpus else ""
    raise UsageError(
        f"this site has no flavor with {shape.cpus} CPUs, {shape.memory_gib:g} GiB{gpus}"
        + (f"; its largest is {largest.text}" if largest else "; the project may use none"),
        next="smaller needs in the file   (all flavors: openstack flavor list)",
    )


def fits(flavor: Flavor, shape: Shape) -> bool:
    """Tell whether a flavor has what is needed; one with GPUs is for those who need them."""
    enough = flavor.cpus >= shape.cpus and flavor.memory_gib >= shape.memory_gib
    room = not flavor.disk_gib or flavor.disk_gib >= shape.disk_gib
    return enough and room and flavor.gpus >= shape.gpus and (bool(shape.gpus) or not flavor.gpus)


def resolved(flavors: Iterable[Flavor], shape: Shape, now: Iterable[str] = ()) -> Shape:
    """Return the shape with the site's own flavor in it. Raises UsageError."""
    from dataclasses import replace

    listed = tuple(flavors)
    if shape.type == ANY_FLAVOR:
        flavor = fitting(listed, shape, now)
    else:
        flavor = named(listed, shape.type)
        for other in shape.others:
            named(listed, other)
    return replace(
        shape, type=flavor.name, cpus=flavor.cpus, memory_gib=flavor.memory_gib, gpus=flavor.gpus
    )
