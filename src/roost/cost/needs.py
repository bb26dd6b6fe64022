"""The requirements for a machine, each testable by itself."""

from collections.abc import Callable
from dataclasses import dataclass

from roost.catalogue import Gpu, InstanceType


@dataclass(frozen=True, slots=True)
class Needs:
    """The least that a machine must have; None asks for nothing.

    Memory is in GiB, `gpu_memory_gib` of each GPU (a card sold as 24 GB has 22.4 GiB), the disk
    inside the host (`instance_store_gb`) in GB. A GPU's name or memory asks for one GPU.
    `arch` is "x86_64" or "arm64"; None takes either, but never a Mac. `spot` asks for a type that
    can be had as spot. `burstable` false refuses types whose CPU runs at full speed for a while
    only. Bare metal and slices of a GPU are taken only when asked for, and so are previous
    generations on the old Xen hypervisor (m1, c4); AWS calls m5 and g5 previous as well, but they
    run on Nitro like the current ones, cost less, and are taken.
    """

    cpus: int | None = None
    memory_gib: float | None = None
    gpus: int | None = None
    gpu_memory_gib: float | None = None
    gpu_name: str | None = None
    arch: str | None = None
    instance_store_gb: int | None = None
    spot: bool = False
    burstable: bool = True
    bare_metal: bool = False
    previous_generation: bool = False
    gpu_slices: bool = False

    @property
    def wants_gpu(self) -> bool:
        """True if a GPU is required, by number, memory or name."""
        return bool(self.gpus or self.gpu_memory_gib or self.gpu_name)


Size = Callable[[InstanceType], float]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that is needed; it has a `size` when there can be more or less of it."""

    wanted: str
    met: Callable[[InstanceType], bool]
    size: Size | None = None
    unit: str = ""


def requirements(needs: Needs) -> tuple[Requirement, ...]:
    """Return the requirements of some needs, the sizes first."""
    return (*_sizes(needs), *_gpus(needs), *_kinds(needs))


def _at_least(wanted: float, size: Size, unit: str) -> Requirement:
    one = unit.removesuffix("s") if wanted == 1 else unit
    return Requirement(f"{wanted:,.10g} {one}", lambda t: size(t) >= wanted, size, unit)


def _sizes(needs: Needs) -> list[Requirement]:
    found = []
    if needs.cpus is not None:
        found.append(_at_least(needs.cpus, lambda t: t.vcpus, "vCPUs"))
    if needs.memory_gib is not None:
        found.append(_at_least(needs.memory_gib, lambda t: t.memory_gib, "GiB of memory"))
    if needs.instance_store_gb is not None:
        disk = needs.instance_store_gb
        found.append(_at_least(disk, lambda t: t.instance_store_gb, "GB of instance store"))
    return found


def _gpus(needs: Needs) -> list[Requirement]:
    if not needs.wants_gpu:
        return []
    found = [_at_least(needs.gpus or 1, lambda t: t.gpu_count, "GPUs")]
    if needs.gpu_memory_gib is not None:
        # Manufacturers round: 24 GB are 22,888.2 MiB, and a card sold as such reports 22,888.
        least = needs.gpu_memory_gib - 1 / 1024
        wanted, unit = f"{needs.gpu_memory_gib:.4g} GiB of memory on each GPU", "GiB on each GPU"
        found.append(Requirement(wanted, lambda t: _gpu_gib(t) >= least, _gpu_gib, unit))
    if needs.gpu_name is not None:
        name = needs.gpu_name
        found.append(Requirement(f"a GPU named {name}", lambda t: has_gpu(t, name)))
    if not needs.gpu_slices:
        found.append(Requirement("whole GPUs", lambda t: all(g.fraction == 1 for g in t.gpus)))
    return found


def _kinds(needs: Needs) -> list[Requirement]:
    arches = (needs.arch,) if needs.arch else ("x86_64", "arm64")
    wanted = f"the {needs.arch} architecture" if needs.arch else "Linux"
    found = [Requirement(wanted, lambda t: any(arch in arches for arch in t.architectures))]
    if needs.spot:
        found.append(Requirement("spot", lambda t: t.spot))
    if not needs.burstable:
        found.append(Requirement("full CPU speed at all times", lambda t: not t.burstable))
    if not needs.bare_metal:
        found.append(Requirement("no bare metal", lambda t: not t.bare_metal))
    if not needs.previous_generation:
        found.append(Requirement("no previous generation on Xen", _modern))
    return found


def _modern(found: InstanceType) -> bool:
    return found.current_generation or found.hypervisor == "nitro" or found.bare_metal


def _gpu_gib(found: InstanceType) -> float:
    return max((gpu.memory_gib for gpu in found.gpus), default=0)


def has_gpu(found: InstanceType, name: str) -> bool:
    """Return whether a type has a GPU of this name, with its maker's name or without."""
    return any(name.casefold() in _names(gpu) for gpu in found.gpus)


def _names(gpu: Gpu) -> tuple[str, str]:
    """Return the names of a GPU: T4, and NVIDIA T4."""
    return gpu.name.casefold(), f"{gpu.manufacturer} {gpu.name}".casefold()
