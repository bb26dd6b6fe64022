"""Finding the cheapest instance type that fits, and saying why none does."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from roost.catalogue import Catalogue, CpuCredits, InstanceType, RegionPrices
from roost.cost.needs import Needs, Requirement, has_gpu, requirements
from roost.cost.rates import Price, Unknown

__all__ = ["Needs", "NoFit", "Offer", "cheapest", "why_none"]


@dataclass(frozen=True, slots=True)
class Offer:
    """An instance type in a region, and its price per hour on demand."""

    instance_type: InstanceType
    region: str
    price: Price
    note: str = ""


@dataclass(frozen=True, slots=True)
class NoFit:
    """The reason that no type fits, and the nearest offers."""

    reason: str
    nearest: tuple[Offer, ...]


def cheapest(
    catalogue: Catalogue, region: str, needs: Needs, limit: int | None = None
) -> tuple[Offer, ...]:
    """Return the types that fit, the cheapest first, then by fewer vCPUs, by name; `limit` of them.

    A type whose price is not known comes last. Types that the region is known not to offer are
    left out. Nothing is returned when nothing fits (`why_none` says why) or when the catalogue
    does not have the region.
    """
    prices = catalogue.region(region)
    if prices is None:
        return ()
    fitting = _fitting(_offered(catalogue, prices), requirements(needs))
    return _offers(catalogue, prices, fitting, needs)[:limit]


def why_none(catalogue: Catalogue, region: str, needs: Needs) -> NoFit:
    """Return the requirements that stand in the way, and the most that there is of each.

    Each requirement is dropped in turn; one without which something fits is named.
    """
    prices = catalogue.region(region)
    if prices is None:
        return NoFit(f"the catalogue has no region {region}", ())
    gpu, types = needs.gpu_name, catalogue.instance_types()
    if gpu is not None and not any(has_gpu(found, gpu) for found in types):
        known = ", ".join(sorted({one.name for found in types for one in found.gpus}))
        return NoFit(f"{catalogue.provider.upper()} has no {gpu}; it has: {known}", ())
    offered, needed = _offered(catalogue, prices), requirements(needs)
    near = []
    for dropped in needed:
        others = tuple(requirement for requirement in needed if requirement is not dropped)
        offers = _offers(catalogue, prices, _fitting(offered, others), needs)
        if offers:
            near.append((dropped, _nearest(dropped, offers)))
    if near:
        reasons = "; ".join(_reason(dropped, offer, "with all the rest") for dropped, offer in near)
    else:
        near = [
            (lacking, _nearest(lacking, _offers(catalogue, prices, offered, needs)))
            for lacking in needed
            if lacking.size and not any(map(lacking.met, offered))
        ]
        reasons = "; ".join(_reason(lacking, offer, "of all") for lacking, offer in near)
    reasons = reasons or "no single requirement stands in the way, but they exclude each other"
    return NoFit(f"no type in {region} has it: {reasons}", _sorted({offer for _, offer in near}))


def _reason(dropped: Requirement, nearest: Offer, among: str) -> str:
    found = nearest.instance_type
    if dropped.size is None:
        return f"{found.name} has it but for this: {dropped.wanted}"
    size = f"{dropped.size(found):,.5g} {dropped.unit}"
    return f"{dropped.wanted} wanted, the largest {among} is {found.name} with {size}"


def _nearest(dropped: Requirement, offers: tuple[Offer, ...]) -> Offer:
    """Return the offer with the most of what was dropped, the cheapest of equals."""
    size = dropped.size
    return offers[0] if size is None else max(offers, key=lambda offer: size(offer.instance_type))


def _offered(catalogue: Catalogue, prices: RegionPrices) -> list[InstanceType]:
    return [found for found in catalogue.instance_types() if _is_offered(prices, found.name)]


def _is_offered(prices: RegionPrices, name: str) -> bool:
    """Return whether the region offers the type, or prices it where its offers are not known."""
    offered = prices.offered(name)
    return name in prices.instances if offered is None else offered


def _fitting(
    types: Iterable[InstanceType], needed: tuple[Requirement, ...]
) -> Iterable[InstanceType]:
    return (found for found in types if all(requirement.met(found) for requirement in needed))


def _offers(
    catalogue: Catalogue, prices: RegionPrices, types: Iterable[InstanceType], needs: Needs
) -> tuple[Offer, ...]:
    return _sorted(
        Offer(
            found,
            prices.region,
            prices.instance(found.name) or Unknown(f"no price of it in {prices.region}"),
            _note(found, needs, catalogue.cpu_credits(found.name)),
        )
        for found in types
    )


def _sorted(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    return tuple(sorted(offers, key=_order))


def _order(offer: Offer) -> tuple[bool, Decimal, int, str]:
    found, price = offer.instance_type, offer.price
    if isinstance(price, Unknown):
        return True, Decimal(0), found.vcpus, found.name
    return False, price.usd, found.vcpus, found.name


def _note(found: InstanceType, needs: Needs, beyond: CpuCredits | None) -> str:
    """Return a note on the type: its price at full load, its GPUs, and its generation."""
    notes = []
    if beyond is not None:
        usd = beyond.usd_per_hour.normalize()
        notes.append(f"burstable: up to {usd:f} an hour more at full load")
    for gpu in found.gpus:
        share = "" if gpu.fraction == 1 else f"{gpu.fraction} of "
        text = f"{gpu.count} x {share}{gpu.name}, {gpu.memory_gib:.3g} GiB"
        notes.append(text if needs.wants_gpu else f"{text}: a GPU that was not asked for")
    if not found.current_generation:
        notes.append("a previous generation, as its maker calls it")
    return "; ".join(notes)
