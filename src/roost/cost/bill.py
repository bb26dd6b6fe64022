"""The resources to pay for (`Bill`), and for how long (`Use`); provider-neutral but for types."""

from dataclasses import dataclass, fields
from decimal import Decimal

Number = Decimal | int
"""Quantities are exact: a float is refused by the arithmetic with Decimal prices."""


@dataclass(frozen=True, slots=True)
class Use:
    """The hours that the machines run, and that they and their disks exist.

    "16 h up within 48 h" is ``Use(16, 48)``; they are stopped for the other 32 h.
    ValueError unless 0 <= hours_running <= hours_existing.
    """

    hours_running: Number
    hours_existing: Number

    def __post_init__(self) -> None:
        if not 0 <= self.hours_running <= self.hours_existing:
            raise ValueError(
                f"{self.hours_running} h running within {self.hours_existing} h existing: "
                "a machine runs for 0 h or more, and no longer than it exists"
            )

    @classmethod
    def daily(cls, hours: Number, days: Number) -> "Use":
        """Return `hours` a day on `days` days: 4 h on 30 days are 120 h within 720 h."""
        both = (hours * days, 24 * days)
        # 12 h, and not 12.0 h, whatever way they were typed.
        return cls(*(int(number) if number == int(number) else number for number in both))

    @property
    def hours_stopped(self) -> Number:
        """Hours for which the machines exist and do not run."""
        return self.hours_existing - self.hours_running


class _Counted:
    """Refuses a negative quantity."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, int | Decimal) and value < 0:
                raise ValueError(f"{type(self).__name__}: {field.name} is {value}, below 0")


@dataclass(frozen=True, slots=True)
class Instances(_Counted):
    """Machines, paid for while they run. A spot machine costs the on-demand price at most.

    `full_load`: count what a burstable type costs beyond its price if it never rests.
    """

    instance_type: str
    region: str
    count: int = 1
    spot: bool = False
    full_load: bool = True


@dataclass(frozen=True, slots=True)
class Volumes(_Counted):
    """Disks of `gb` GB each, paid for in full while they exist, running or stopped.

    What AWS's price list calls a GB of a volume or a snapshot is a GiB.
    `iops` and `throughput_mibps` are provisioned ones (None: what the volume type includes).
    `used_gb` is how much of each holds data, for snapshots (None: not known).
    """

    gb: Number
    region: str
    volume_type: str
    count: int = 1
    iops: int | None = None
    throughput_mibps: int | None = None
    used_gb: Number | None = None


@dataclass(frozen=True, slots=True)
class Snapshots(_Counted):
    """Snapshots that store `gb` GB each; with `measured` false, `gb` is an upper bound.

    `tier` is "standard" or "archive".
    """

    gb: Number
    region: str
    count: int = 1
    tier: str = "standard"
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Addresses(_Counted):
    """Public IPv4 addresses.

    An Elastic IP address exists as long as its machine, running or stopped; any other is given
    back when the machine stops.
    """

    region: str
    count: int = 1
    elastic: bool = False


@dataclass(frozen=True, slots=True)
class Egress(_Counted):
    """GB sent to the internet in all, over the whole use."""

    gb: Number
    region: str


@dataclass(frozen=True, slots=True)
class Objects(_Counted):
    """`gb` GB in object storage while the machines exist, and its requests in all.

    `storage_class` is S3's name of it: STANDARD, STANDARD_IA, GLACIER_IR, GLACIER, DEEP_ARCHIVE.
    """

    gb: Number
    region: str
    storage_class: str = "STANDARD"
    puts: int = 0
    gets: int = 0


BillItem = Instances | Volumes | Snapshots | Addresses | Egress | Objects


@dataclass(frozen=True, slots=True)
class Bill:
    """All resources to pay for."""

    items: tuple[BillItem, ...] = ()

    def __add__(self, other: "Bill") -> "Bill":
        return Bill(self.items + other.items)
