"""Read the catalogue files of a provider, as late and as few as possible."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from roost.catalogue.facts import (
    AddressRule,
    CpuCredits,
    FreeTier,
    Gpu,
    InstanceType,
    Rate,
    TransferTier,
    VolumeRule,
)
from roost.catalogue.region import RegionPrices

DATA = Path(__file__).parent / "data"
"""A folder for each provider that has a catalogue."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The facts about a provider's machines and prices that are known offline.

    `published` and `source` are of the price list, `types_date` and `types_source` of the
    specifications. `undescribed` names the types that the price list still prices although the
    provider no longer describes them (p2.xlarge); such a type has prices and no specification.
    """

    provider: str
    published: date
    source: str
    types_date: date
    types_source: str
    region_names: Mapping[str, str]
    undescribed: tuple[str, ...]
    _rows: Mapping[str, list[Any]] = field(repr=False)

    @property
    def regions(self) -> tuple[str, ...]:
        """Codes of the regions that have prices, sorted."""
        return tuple(self.region_names)

    @property
    def type_names(self) -> tuple[str, ...]:
        """Names of the types that have a specification, sorted."""
        return tuple(self._rows)

    def instance_type(self, name: str) -> InstanceType | None:
        """Return the specification of a type; None when there is none of that name."""
        row = self._rows.get(name)
        return None if row is None else _instance_type(name, row)

    def instance_types(self) -> tuple[InstanceType, ...]:
        """Return every specification, sorted by name."""
        return _instance_types(self)

    def region(self, code: str) -> RegionPrices | None:
        """Return the prices of a region; None when the catalogue has none for it."""
        return _region(self.provider, code) if code in self.region_names else None

    def address_rules(self) -> tuple[AddressRule, ...]:
        """Return the rules of charging for public IPv4 addresses, the oldest first."""
        return tuple(_address_rule(rule) for rule in _other(self.provider)["public_ipv4"])

    def cpu_credits(self, instance_type: str) -> CpuCredits | None:
        """Return the charge for a burstable type at full load; None for every other type."""
        facts = _other(self.provider)["cpu_credits"].get(instance_type)
        described = self.instance_type(instance_type)
        if facts is None or described is None:
            return None
        baseline = Decimal(facts["baseline_percent"])
        above = described.vcpus * (100 - baseline) / 100
        return CpuCredits(baseline, above, _rate(facts["rate"]))

    def volume_rule(self, volume_type: str) -> VolumeRule:
        """Return the charges of a type of volume beside its size; none where none are listed."""
        facts = dict(_other(self.provider)["volume_types"].get(volume_type, {}))
        if "iops_tiers" in facts:
            facts["iops_tiers"] = tuple((end, share) for end, share in facts["iops_tiers"])
        return VolumeRule(**facts)

    def free_tier(self) -> FreeTier:
        """Return what is free of its machines."""
        facts = dict(_other(self.provider)["free_tier"])
        for day in ("since", "date"):
            facts[day] = date.fromisoformat(facts[day])
        return FreeTier(**facts | {"types": tuple(facts["types"])})

    def free_transfer_gb(self) -> int:
        """Return the GB a month that an account sends to the internet free of charge."""
        free: int = _other(self.provider)["transfer_out_free"]["gb_per_month"]
        return free


def load(provider: str | None = None) -> Catalogue:
    """Return the catalogue of a provider, read once; without a name, of the only one that has any.

    LookupError when roost ships none for it, or several and none is named.
    """
    known = sorted(folder.name for folder in DATA.iterdir() if folder.is_dir())
    if provider is None and len(known) == 1:
        return _load(known[0])
    if provider is None or provider not in known:
        raise LookupError(f"no catalogue of {provider!r}; there is one of {', '.join(known)}")
    return _load(provider)


@cache
def _load(provider: str) -> Catalogue:
    facts = _read(provider, "instance-types.json")
    return Catalogue(
        provider=provider,
        published=date.fromisoformat(facts["published"]),
        source=facts["price_source"],
        types_date=date.fromisoformat(facts["date"]),
        types_source=facts["source"],
        region_names=MappingProxyType(facts["regions"]),
        undescribed=tuple(facts["undescribed"]),
        _rows=facts["types"],
    )


def _read(provider: str, name: str) -> Any:
    path = DATA / provider / name
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


@cache
def _other(provider: str) -> Any:
    return _read(provider, "other.json")


@cache
def _instance_types(catalogue: Catalogue) -> tuple[InstanceType, ...]:
    return tuple(_instance_type(name, row) for name, row in catalogue._rows.items())


def _instance_type(name: str, row: list[Any]) -> InstanceType:
    """Parse a row of instance-types.json; its columns are the fields of InstanceType, in order."""
    architectures, virtualization, gpus, *rest = row
    gpus = tuple(Gpu(*gpu) for gpu in gpus)
    return InstanceType(name, tuple(architectures), tuple(virtualization), gpus, *rest)


@cache
def _region(provider: str, code: str) -> RegionPrices:
    facts = _read(provider, f"regions/{code}.json")
    other = _other(provider)
    tiers = other["transfer_out"].get(code, ())
    rates = other["rates"].get(code, {})
    return RegionPrices(
        region=code,
        name=facts["name"],
        source=facts["source"],
        published=date.fromisoformat(facts["published"]),
        instances=_usd(facts["instances"]),
        volumes=_usd(facts["volumes"]),
        offered_without_price=tuple(facts["offered_without_price"]),
        transfer_out=tuple(TransferTier(tier["up_to_gb"], _rate(tier)) for tier in tiers),
        _facts={
            "priced_but_not_offered": frozenset(facts["priced_but_not_offered"]),
            "offerings_known": facts["offerings_known"],
            "iops": _usd(facts["iops"]),
            "throughput": _usd(facts["throughput"]),
            "snapshots": _usd(facts["snapshots"]),
            "nat_gateway": Decimal(facts["nat_gateway"]),
        },
        _rates={name: _rate(rate) for name, rate in rates.items()},
    )


def _usd(prices: dict[str, Decimal | int]) -> Mapping[str, Decimal]:
    return MappingProxyType({name: Decimal(usd) for name, usd in prices.items()})


def _rate(facts: dict[str, Any]) -> Rate:
    return Rate(Decimal(facts["usd"]), facts["unit"], facts["source"], _date(facts["date"]))


def _date(text: str) -> date | None:
    """Parse a date: 2026-10-15, or 2026-08 (its first day), or nothing."""
    month_only = len(text) == len("2026-08")
    return date.fromisoformat(f"{text}-01" if month_only else text) if text else None


def _address_rule(facts: dict[str, Any]) -> AddressRule:
    return AddressRule(
        since=_date(facts["from"] or "") or date.min,
        charged=facts["charged"],
        rate=_rate(facts["rate"]) if facts["rate"] else None,
        text=facts["rule"],
        source=facts["source"],
    )
