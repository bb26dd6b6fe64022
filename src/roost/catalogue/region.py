"""The prices of one region."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from roost.catalogue.facts import Rate, TransferTier, Unit


@dataclass(frozen=True, slots=True)
class RegionPrices:
    """The prices of one region, in USD before tax; an unknown price is None, never 0.

    `published` and `source` are those of the provider's price list. `instances` holds on-demand
    USD/hour of Linux machines on shared hardware, `volumes` USD/GB-month by type of volume.
    """

    region: str
    name: str
    source: str
    published: date
    instances: Mapping[str, Decimal] = field(repr=False)
    volumes: Mapping[str, Decimal]
    offered_without_price: tuple[str, ...]
    transfer_out: tuple[TransferTier, ...]
    _facts: Mapping[str, Any] = field(repr=False)
    _rates: Mapping[str, Rate] = field(repr=False)

    def instance(self, instance_type: str) -> Rate | None:
        """Return the USD per hour of a running machine, on demand."""
        return self._listed(self.instances.get(instance_type), "hour")

    def offered(self, instance_type: str) -> bool | None:
        """Return whether the region offers the type; None when no list of its offers is known.

        The price list still names types that a region has withdrawn, or has not opened yet.
        """
        if instance_type in self._facts["priced_but_not_offered"]:
            return False
        if not self._facts["offerings_known"]:
            return None
        return instance_type in self.instances or instance_type in self.offered_without_price

    def volume(self, volume_type: str) -> Rate | None:
        """Return the USD per GB-month of a volume, paid for its whole size while it exists."""
        return self._listed(self.volumes.get(volume_type), "GB-month")

    def iops(self, volume_type: str) -> Rate | None:
        """Return the USD per provisioned IOPS and month, above those that the type has anyway."""
        return self._listed(self._facts["iops"].get(volume_type), "IOPS-month")

    def throughput(self, volume_type: str) -> Rate | None:
        """Return the USD per provisioned MiB/s and month, above those that the type has anyway."""
        return self._listed(self._facts["throughput"].get(volume_type), "MiB/s-month")

    def snapshot(self, tier: str = "standard") -> Rate | None:
        """Return the USD per GB-month of a snapshot in the "standard" or the "archive" tier."""
        return self._listed(self._facts["snapshots"].get(tier), "GB-month")

    def archive_retrieval(self) -> Rate | None:
        """Return the USD per GB restored from an archived snapshot."""
        return self._rates.get("snapshot.archive.retrieval")

    def s3(self, storage_class: str, charge: str = "storage") -> Rate | None:
        """Return the USD of an S3 storage class: "storage", "put", "get" requests, "retrieval"."""
        return self._rates.get(f"s3.{storage_class}.{charge}")

    def nat_gateway(self) -> Rate | None:
        """Return the USD per hour that a NAT gateway exists."""
        return self._listed(self._facts["nat_gateway"], "hour")

    def nat_data(self) -> Rate | None:
        """Return the USD per GB that passes a NAT gateway."""
        return self._rates.get("nat.data")

    def between_zones(self) -> Rate | None:
        """Return the USD per GB sent to another availability zone, in each direction."""
        return self._rates.get("transfer.between_zones")

    def _listed(self, usd: Decimal | None, unit: Unit) -> Rate | None:
        return None if usd is None else Rate(usd, unit, self.source, self.published)
