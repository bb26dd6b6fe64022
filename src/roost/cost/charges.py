"""The lines of a bill: what each item is charged over a use."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from roost.cost.bill import (
    Addresses,
    Bill,
    BillItem,
    Egress,
    Instances,
    Number,
    Objects,
    Snapshots,
    Use,
    Volumes,
)
from roost.cost.book import PriceBook
from roost.cost.rates import Line, Price, Unknown, charge

SPOT_NOTE = "spot is usually less: this is the on-demand price, the most it can cost"
AT_MOST_NOTE = "at most: the volume's full size, since what it holds is not known"


def lasting(bill: Bill, use: Use, book: PriceBook) -> Iterator[Line]:
    """Yield the charges that grow with time."""
    for item in bill.items:
        yield from _lines(item, use, book)


def _lines(item: BillItem, use: Use, book: PriceBook) -> Iterator[Line]:
    match item:
        case Instances():
            yield from _instances(item, use, book)
        case Volumes():
            yield from _volumes(item, use, book)
        case Snapshots():
            yield from _snapshots(item, use, book)
        case Addresses():
            yield from _addresses(item, use, book)
        case Objects():
            months, basis = _months(item.gb, "GB", use, book)
            price = book.s3(item.region, item.storage_class)
            yield from charge(f"S3 {item.storage_class} storage", basis, months, price)
        case Egress():
            return


def _instances(item: Instances, use: Use, book: PriceBook) -> Iterator[Line]:
    kind, _, state = item.instance_type.partition(":")
    yield from charge(
        f"{kind} {state or 'running'}{' (spot)' if item.spot else ''}",
        f"{item.count} x {use.hours_running} h",
        Decimal(item.count * use.hours_running),
        book.instance(item.region, item.instance_type),
        SPOT_NOTE if item.spot else "",
        at_most=item.spot,
    )
    off = book.instance_off(item.instance_type)
    if off is not None:
        basis, hours = f"{item.count} x {use.hours_stopped} h", item.count * use.hours_stopped
        yield from charge(f"{item.instance_type} stopped", basis, Decimal(hours), off)
    if item.full_load:
        yield from _surcharge(item, use, book)


def _surcharge(item: Instances, use: Use, book: PriceBook) -> Iterator[Line]:
    """Yield what burstable machines cost beyond their price if their CPUs never rest."""
    kind, hours = item.instance_type, use.hours_running
    beyond = None if book.site else book.catalogue.cpu_credits(kind)
    if beyond is None:
        return
    yield from charge(
        f"{kind} at full load, up to",
        f"{item.count} x {hours} h x {beyond.vcpus.normalize():f} vCPU",
        item.count * hours * beyond.vcpus,
        beyond.rate,
        f"what its CPUs do above {beyond.baseline_percent.normalize():f} %, by the day's average",
        at_most=True,
    )


def _volumes(item: Volumes, use: Use, book: PriceBook) -> Iterator[Line]:
    kind, region = item.volume_type, item.region
    quantity, basis = _months(item.gb, "GB", use, book, item.count)
    name = "volumes" if kind == "any" else f"{kind} volumes"
    yield from charge(name, basis, quantity, book.volume(region, kind))
    if book.site is not None:  # a site has prices of sizes only
        return
    rule = book.catalogue.volume_rule(kind)
    if rule.uncounted:
        unknown = Unknown(f"{rule.uncounted} of {kind} volumes are charged, and not counted here")
        yield from charge(f"{kind} volume {rule.uncounted}", basis, quantity, unknown)
    if item.iops is not None and rule.iops is not None:
        for extra, price in _iops(max(item.iops - rule.iops, 0), kind, region, book):
            quantity, basis = _months(extra, "IOPS", use, book, item.count)
            yield from charge(f"{kind} IOPS", basis, quantity, price)
    elif rule.iops == 0:
        unknown = Unknown(f"how many IOPS the {kind} volumes are to have is not said")
        yield from charge(f"{kind} IOPS", basis, quantity, unknown)
    if item.throughput_mibps is not None and rule.throughput is not None:
        extra = max(item.throughput_mibps - rule.throughput, 0)
        quantity, basis = _months(extra, "MiB/s", use, book, item.count)
        yield from charge(f"{kind} throughput", basis, quantity, book.throughput(region, kind))


def _iops(extra: int, kind: str, region: str, book: PriceBook) -> Iterator[tuple[int, Price]]:
    """Yield the IOPS of each tier, and their price, to a tenth of a cent as AWS prints it."""
    price, counted = book.iops(region, kind), 0
    for end, share in book.catalogue.volume_rule(kind).iops_tiers:
        part = (extra if end is None else min(extra, end)) - counted
        counted += max(part, 0)
        if part <= 0 or isinstance(price, Unknown) or share == "1":
            yield max(part, 0), price
        else:
            usd = (price.usd * Decimal(share)).quantize(Decimal("0.001"), ROUND_HALF_UP)
            yield part, replace(price, usd=usd)


def copies(tier: str) -> str:
    """Return what copies of a volume are called: a site keeps them as images."""
    return "images" if tier == "image" else f"{tier} snapshots"


def _snapshots(item: Snapshots, use: Use, book: PriceBook) -> Iterator[Line]:
    quantity, basis = _months(item.gb, "GB", use, book, item.count)
    yield from charge(
        copies(item.tier),
        basis,
        quantity,
        book.snapshot(item.region, item.tier),
        "" if item.measured else AT_MOST_NOTE,
        at_most=not item.measured,
    )


def _addresses(item: Addresses, use: Use, book: PriceBook) -> Iterator[Line]:
    name = "Elastic IP address" if item.elastic else "public IPv4 address"
    name = "floating address" if book.site else name
    states = [("in use", use.hours_running, True)]
    if item.elastic or book.site:  # a site's addresses stay with their machines
        states.append(("idle", use.hours_stopped, False))
    for state, hours, in_use in states:
        price = book.address(item.region, elastic=item.elastic, in_use=in_use)
        basis = f"{item.count} x {hours} h"
        yield from charge(f"{name} {state}", basis, Decimal(item.count * hours), price)


def paid_once(bill: Bill, book: PriceBook) -> Iterator[Line]:
    """Yield the charges paid for their number and not for their time: requests and transfer."""
    for item in bill.items:
        if isinstance(item, Objects):
            for kind, count in (("put", item.puts), ("get", item.gets)):
                price = book.s3(item.region, item.storage_class, kind)
                name = f"S3 {item.storage_class} {kind} requests"
                yield from charge(name, f"{count} requests", Decimal(count) / 1000, price)
    yield from _transfer(bill, book)


def _transfer(bill: Bill, book: PriceBook) -> Iterator[Line]:
    """Yield the GB to the internet, counted as if sent in one month, after the free allowance."""
    sent: dict[str, Number] = {}
    for item in bill.items:
        if isinstance(item, Egress):
            sent[item.region] = sent.get(item.region, 0) + item.gb
    free_used: Number = 0
    for region, gb in sent.items():
        free = min(gb, max(book.free_transfer_gb(region) - free_used, 0))
        free_used += free
        yield from _tiers(region, gb, free, book)


def _tiers(region: str, gb: Number, free: Number, book: PriceBook) -> Iterator[Line]:
    item = f"transfer to the internet from {region}"
    note = f"{gb} GB, of which the first {free} GB are free if the account sends nothing else"
    note = note if free else ""
    tiers = book.transfer_out(region)
    if isinstance(tiers, Unknown):
        yield from charge(item, f"{gb - free} GB", Decimal(gb - free), tiers, note)
        return
    counted = free
    for tier in tiers:
        end = gb if tier.up_to_gb is None else min(gb, tier.up_to_gb)
        part = max(end - counted, 0)
        counted += part
        yield from charge(item, f"{part} GB", Decimal(part), tier.rate, note)


def _months(
    size: Number, unit: str, use: Use, book: PriceBook, count: int = 1
) -> tuple[Decimal, str]:
    """Return the `unit`-months of `count` things of `size` over the use, and the calculation."""
    hours, month = use.hours_existing, book.hours_per_month
    basis = f"{count} x {size} {unit} x {hours} h / {month} h a month"
    return Decimal(count * size * hours) / month, basis
