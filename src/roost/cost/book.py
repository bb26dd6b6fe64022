"""The price book: the catalogue of today, or an old quotation with the catalogue behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from roost.catalogue import AddressRule, Catalogue, Rate, RegionPrices, TransferTier
from roost.catalogue.facts import Unit
from roost.cost.bill import Number
from roost.cost.quotation import HOURS_PER_MONTH, Quotation
from roost.cost.rates import DOLLARS, Price, Unknown
from roost.cost.site_prices import SitePrices


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every price that an estimate asks for, each a `Rate` or `Unknown` and never a silent 0.

    `today` selects the rules that hold (who pays for an IPv4 address) unless a quotation's date
    does; the prices of a quotation come before those of the catalogue. ``site`` are those of a
    cloud of which no catalogue has any: then nothing else counts.
    """

    catalogue: Catalogue
    today: date
    quotation: Quotation | None = None
    site: SitePrices | None = None

    @property
    def currency(self) -> str:
        """What its prices are in: "USD", or a site's own unit."""
        return self.site.unit if self.site else DOLLARS

    @property
    def day(self) -> date:
        """The day whose rules hold: the quotation's, or today."""
        return self.quotation.date if self.quotation else self.today

    @property
    def hours_per_month(self) -> Decimal:
        """The hours that a month is counted as: the quotation's number, or 730."""
        if self.site is not None:
            return self.site.hours_per_month
        return self.quotation.hours_per_month if self.quotation else HOURS_PER_MONTH

    def instance(self, region: str, instance_type: str) -> Price:
        """Return the USD per hour running, on demand."""
        if self.site is not None:
            return self.site.flavor(instance_type)
        return self._quoted("instances", region, instance_type, "hour") or self._listed(
            region, lambda prices: prices.instance(instance_type), instance_type
        )

    def instance_off(self, instance_type: str) -> Price | None:
        """Return the price of an hour of a machine that is stopped; None: it has none."""
        return self.site.flavor(instance_type, self.site.off) if self.site is not None else None

    def volume(self, region: str, volume_type: str) -> Price:
        """Return the USD per GB-month."""
        if self.site is not None:
            return self.site.gb("volumes", volume_type)
        return (
            self._quoted("volumes", region, volume_type, "GB-month")
            or self._quoted("volumes", region, "any", "GB-month")
            or self._listed(
                region, lambda prices: prices.volume(volume_type), f"{volume_type} volumes"
            )
        )

    def iops(self, region: str, volume_type: str) -> Price:
        """Return the USD per provisioned IOPS and month."""
        return self._listed(region, lambda prices: prices.iops(volume_type), f"{volume_type} IOPS")

    def throughput(self, region: str, volume_type: str) -> Price:
        """Return the USD per provisioned MiB/s and month."""
        return self._listed(
            region, lambda prices: prices.throughput(volume_type), f"{volume_type} throughput"
        )

    def snapshot(self, region: str, tier: str) -> Price:
        """Return the USD per GB-month in the "standard" or "archive" tier, or of an "image"."""
        if self.site is not None:
            return self.site.gb("images" if tier == "image" else "snapshots")
        return self._quoted("snapshots", region, tier, "GB-month") or self._listed(
            region, lambda prices: prices.snapshot(tier), f"{tier} snapshots"
        )

    def archive_retrieval(self, region: str) -> Price:
        """Return the USD per GB restored from an archived snapshot."""
        return self._quoted("snapshots", region, "archive_retrieval", "GB") or self._listed(
            region, RegionPrices.archive_retrieval, "retrieval from archived snapshots"
        )

    def s3(self, region: str, storage_class: str, charge: str = "storage") -> Price:
        """Return the USD of "storage" (GB-month), "put", "get" (1000 each), "retrieval" (GB)."""
        quoted = self._quoted("s3", region, storage_class, "GB-month")
        if quoted is not None and charge == "storage":
            return quoted
        return self._listed(
            region,
            lambda prices: prices.s3(storage_class, charge),
            f"S3 {storage_class} {charge}",
        )

    def address_rule(self) -> AddressRule:
        """Return the rule of charging for public IPv4 addresses on the book's day."""
        held = (rule for rule in self.catalogue.address_rules() if rule.since <= self.day)
        return max(held, key=lambda rule: rule.since)

    def address(self, region: str, *, elastic: bool, in_use: bool) -> Price:
        """Return the USD per hour of a public IPv4 address; a real 0 when the day has no charge.

        `in_use`: a running machine has the address.
        """
        if self.site is not None:
            return self.site.address()
        rule = self.address_rule()
        if rule.charged == "idle" and (in_use or not elastic):
            return Rate(Decimal(0), "hour", f"{rule.text} ({rule.source})", None)
        quoted = self._quoted("addresses", region, "ipv4", "hour")
        unknown = Unknown(f"no price of an idle Elastic IP address on {self.day}")
        return quoted or rule.rate or unknown

    def transfer_out(self, region: str) -> tuple[TransferTier, ...] | Unknown:
        """Return the USD per GB sent to the internet, by tier of the GB sent in a month."""
        if self.site is not None:
            return Unknown("what a site charges for transfer to the internet")
        quoted = self._quoted("transfer", region, "out", "GB")
        if quoted is not None:
            return (TransferTier(None, quoted),)
        prices = self.region(region)
        tiers = prices.transfer_out if prices is not None else ()
        return tiers or Unknown(f"no price of transfer to the internet from {region}")

    def free_transfer_gb(self, region: str) -> Number:
        """Return the GB a month that are sent free of charge: a quotation's beside its price."""
        if self.site is not None:
            return 0
        if self._quoted("transfer", region, "out", "GB") is None or self.quotation is None:
            return self.catalogue.free_transfer_gb()
        return self.quotation.transfer.get("free_gb", 0)

    def region(self, region: str) -> RegionPrices | None:
        """Return the catalogue's prices of a region; None when it has none."""
        return self.catalogue.region(region)

    def _quoted(self, table: str, region: str, name: str, unit: Unit) -> Rate | None:
        quotation = self.quotation
        if quotation is None or not quotation.holds_in(region):
            return None
        usd = getattr(quotation, table).get(name)
        return None if usd is None else Rate(usd, unit, quotation.source, quotation.date)

    def _listed(self, region: str, find: Callable[[RegionPrices], Rate | None], what: str) -> Price:
        prices = self.region(region)
        rate = None if prices is None else find(prices)
        return Unknown(f"no price of {what} in {region}") if rate is None else rate
