"""From all that is wanted to what is paid for."""

from __future__ import annotations

from decimal import Decimal

from roost.plan.resources import Wanted
from roost.prices.bill import Addresses, Bill, BillItem, Instances, Volumes

ROOT_VOLUME = "gp3"
"""The type of the disk that a machine boots from."""


def bill_of(wanted: Wanted, region: str) -> Bill:
    """The charged parts of ``wanted`` in an AWS region.

    Every instance has a public IPv4 address while it runs, because it must reach the package
    registries; a fixed one costs while the instance is stopped too.
    """
    items: list[BillItem] = []
    for group in wanted.groups:
        if not group.count:
            continue
        shape = group.shape
        items.append(Instances(shape.type, region, group.count, shape.spot))
        items.append(Volumes(_gb(shape.disk_gib), region, ROOT_VOLUME, group.count))
    fixed = len(wanted.addresses)
    instances = sum(group.count for group in wanted.groups)
    items += [
        Volumes(_gb(v.size_gib), region, v.type, 1, v.iops, v.throughput) for v in wanted.volumes
    ]
    if fixed:
        items.append(Addresses(region, fixed, elastic=True))
    if instances > fixed:
        items.append(Addresses(region, instances - fixed))
    return Bill(tuple(_merged(items)))


def _merged(items: list[BillItem]) -> list[BillItem]:
    """Equal volumes as one item with their count, so that a class of 1,000 is priced as one."""
    from dataclasses import replace

    counts: dict[BillItem, int] = {}
    for item in items:
        one = replace(item, count=1) if isinstance(item, Volumes) else item
        counts[one] = counts.get(one, 0) + (item.count if isinstance(item, Volumes) else 1)
    return [
        replace(item, count=count) if isinstance(item, Volumes) else item
        for item, count in counts.items()
    ]


def _gb(gib: float) -> Decimal:
    return Decimal(str(gib))
