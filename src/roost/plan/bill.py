"""The bill: the charged parts of all that is wanted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from roost.cost.bill import Addresses, Bill, Instances, Number, Volumes
from roost.model.resources import Group, Instance, Shape, State, Volume, Wanted
from roost.providers.rules import find_rules, rules_of

if TYPE_CHECKING:
    from datetime import date

    from roost.cost.book import PriceBook
    from roost.cost.quotation import Quotation
    from roost.spec import Spec

Part = Instances | Volumes | Addresses


def bill_for(spec: Spec, wanted: Wanted) -> Bill | None:
    """Return the charged parts of a spec; None where roost knows no prices of its cloud."""
    rules = rules_of(spec.cloud)
    region = rules.price_region(spec)
    if region is None:
        return None
    return bill_of(wanted, region, rules.disks.root if rules.disks is not None else "")


def book_of(
    cloud: str, spec: Spec | None, day: date, quotation: Quotation | None = None
) -> PriceBook:
    """Return the prices of a cloud on a day: those that roost ships, or that the file brings."""
    from roost.catalogue import load
    from roost.cost.book import PriceBook
    from roost.cost.site_prices import no_catalogue

    rules = find_rules(cloud)
    site = rules.site_prices(spec) if rules is not None else None
    return PriceBook(load() if site is None else no_catalogue(), day, quotation, site)


def as_it_is(made: Wanted, have: State) -> Wanted:
    """Return what is there now as if it were wanted, to price it.

    ``made`` is what its file wanted: only that says how large the machines' own disks are.
    """
    groups = tuple(
        replace(group, count=1, shape=_shape(group, instance))
        for instance in have.instances
        for group in made.groups
        if group.role == instance.role and instance.state != "deleting"
    )
    return replace(made, groups=groups, volumes=have.volumes, addresses=have.addresses)


def as_it_will_be(wanted: Wanted, have: State) -> Wanted:
    """Return what is there after ``up``, to price it.

    Machines keep the type that they have, a volume is never made smaller, and one that is not in
    the file any more stays.
    """
    groups = []
    for group in wanted.groups:
        mine = [i for i in have.instances if i.role == group.role and i.state != "deleting"]
        kept = mine[: group.count]
        groups += [replace(group, count=1, shape=_shape(group, instance)) for instance in kept]
        groups.append(replace(group, count=group.count - len(kept)))
    there = {volume.name: volume for volume in have.volumes}
    volumes = [
        replace(v, size_gib=max(v.size_gib, there[v.name].size_gib)) if v.name in there else v
        for v in wanted.volumes
    ]
    named = {volume.name for volume in wanted.volumes}
    volumes += [volume for volume in have.volumes if volume.name not in named]
    return replace(wanted, groups=tuple(groups), volumes=tuple(volumes))


def _shape(group: Group, instance: Instance) -> Shape:
    return replace(group.shape, type=instance.shape.type, spot=instance.shape.spot)


def bill_of(wanted: Wanted, region: str, root: str) -> Bill:
    """Return the charged parts of ``wanted`` in a region; ``root`` is the type of boot disks.

    Every instance has a public IPv4 address while it runs, because it must reach the package
    registries; a fixed one costs while the instance is stopped too. Machines in a private network
    have none: what their gateway to the internet costs is its owner's.
    """
    items: list[Part] = []
    for group in wanted.groups:
        if not group.count:
            continue
        shape = group.shape
        items.append(Instances(shape.type, region, group.count, shape.spot))
        if root:  # on a site, the price of a flavor has its disk in it
            kind, speed = shape.disk_type or root, (shape.disk_iops, shape.disk_throughput)
            items.append(Volumes(gb(shape.disk_gib), region, kind, group.count, *speed))
    fixed = len(wanted.addresses)
    instances = sum(group.count for group in wanted.groups)
    items += [charged(volume, region) for volume in wanted.volumes]
    if fixed:
        items.append(Addresses(region, fixed, elastic=True))
    if wanted.public and instances > fixed:
        items.append(Addresses(region, instances - fixed))
    return Bill(tuple(_merged(items)))


def charged(volume: Volume, region: str) -> Volumes:
    """Return what a volume is charged for in a region."""
    size = gb(volume.size_gib)
    return Volumes(size, region, volume.type or "any", 1, volume.iops, volume.throughput)


def _merged(items: list[Part]) -> list[Part]:
    """Return equal items as one with their count, so that a class of 1,000 is priced once."""
    counts: dict[Part, int] = {}
    for item in items:
        one = replace(item, count=1)
        counts[one] = counts.get(one, 0) + item.count
    return [replace(one, count=count) for one, count in counts.items()]


def gb(gib: float) -> Number:
    """Return exactly that number, and a whole one as such: 30, not 30.0."""
    return int(gib) if float(gib).is_integer() else Decimal(str(gib))
