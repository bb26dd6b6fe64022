"""The facts of a catalogue: instance types, rates and the rules of charging."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Unit = Literal["hour", "vCPU-hour", "GB-month", "GB", "IOPS-month", "MiB/s-month", "1000 requests"]
"""The unit of a rate. A GB-month is one gigabyte kept for one month."""

MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """A price for one `unit`, with the source and the date for which the source states it.

    `usd` is in US dollars, unless `currency` names another: a site's own service units.

    `date` is the first day of the month where the source gives only a month, and None where it
    gives no date. A price that is not known has no `Rate`; 0 means that there is no charge.
    """

    usd: Decimal
    unit: Unit
    source: str
    date: date | None
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class FreeTier:
    """What a provider gives for nothing of its machines, from a day on, and who says so.

    ``types`` are those of which people remember that they are free, or were.
    """

    since: date
    types: tuple[str, ...]
    text: str
    source: str
    date: date


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPUs of one kind in an instance type.

    `fraction` is below 1 where a machine gets a slice of a shared GPU; `count` then counts slices,
    and `memory_mib` (MiB of each) is the memory of a slice.
    """

    name: str
    manufacturer: str
    count: int
    memory_mib: int
    fraction: Decimal

    @property
    def memory_gib(self) -> float:
        """Memory of each GPU in GiB; a card sold as 24 GB has 22.4 GiB."""
        return self.memory_mib / MIB_PER_GIB


@dataclass(frozen=True, slots=True)
class InstanceType:
    """The specification of one instance type.

    `instance_store_gb` is the disk inside the host, lost when the machine stops (0: none).
    `cores` and the bandwidths to EBS volumes (Mbit/s) are None where they are not known, and
    `hypervisor` is None on bare metal.
    """

    name: str
    architectures: tuple[str, ...]
    virtualization: tuple[str, ...]
    gpus: tuple[Gpu, ...]
    vcpus: int
    cores: int | None
    memory_mib: int
    cpu_manufacturer: str | None
    instance_store_gb: int
    network: str
    efa: bool
    ebs_optimized: str
    ebs_baseline_mbps: int | None
    ebs_maximum_mbps: int | None
    hypervisor: str | None
    burstable: bool
    bare_metal: bool
    current_generation: bool
    spot: bool
    hibernation: bool

    @property
    def memory_gib(self) -> float:
        """Memory in GiB."""
        return self.memory_mib / MIB_PER_GIB

    @property
    def gpu_count(self) -> int:
        """The number of GPUs (or slices of one) that the machine sees."""
        return sum(gpu.count for gpu in self.gpus)


@dataclass(frozen=True, slots=True)
class CpuCredits:
    """The charge for a burstable type that runs faster than `baseline_percent` of each vCPU.

    `vcpus` are those above the baseline at full load. It is charged by the average of a day, and
    only in the mode "unlimited".
    """

    baseline_percent: Decimal
    vcpus: Decimal
    rate: Rate

    @property
    def usd_per_hour(self) -> Decimal:
        """What an hour at full load costs beyond the type's price."""
        return self.vcpus * self.rate.usd


@dataclass(frozen=True, slots=True)
class VolumeRule:
    """The charges for a type of volume beside its size.

    `iops` and `throughput` (MiB/s) are what it has without extra charge; None where none can be
    provisioned. `iops_tiers` are shares of the price: up to so many IOPS (None: without end), a
    price's share, as text. `uncounted` names a charge for its use, which no estimate can count.
    """

    iops: int | None = None
    throughput: int | None = None
    iops_tiers: tuple[tuple[int | None, str], ...] = ((None, "1"),)
    uncounted: str = ""


@dataclass(frozen=True, slots=True)
class TransferTier:
    """The price of a GB sent to the internet until `up_to_gb` in a month (None: without end)."""

    up_to_gb: int | None
    rate: Rate


@dataclass(frozen=True, slots=True)
class AddressRule:
    """The rule for charging public IPv4 addresses from the day `since` on.

    `charged` is "idle" (only an Elastic IP address no running machine uses) or "always".
    `rate` is None where the price of that time is not known.
    """

    since: date
    charged: Literal["idle", "always"]
    rate: Rate | None
    text: str
    source: str
