"""The price of each way to park: a month of it, and coming back.

Only the machines' own disks and Elastic IP addresses are counted; snapshots and objects that are
in the bill already go on costing the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from roost.cost.bill import Addresses, Bill, Number, Use, Volumes
from roost.cost.book import PriceBook
from roost.cost.charges import AT_MOST_NOTE, copies, lasting
from roost.cost.rates import Amount, Line, Price, Section, charge, section
from roost.parking.modes import ParkMode


@dataclass(frozen=True, slots=True)
class Parked:
    """One way to park, and its price.

    `per_month` is paid while parked, `coming_back` once, for bringing the data back.
    `minimum_days` is how long the storage is charged even if it is needed for less.
    `storage_class` is S3's, for ParkMode.S3.
    """

    mode: ParkMode
    per_month: Section
    coming_back: Section
    minimum_days: int = 0
    storage_class: str | None = None


# Minimum days by S3's user guide, "Understanding and managing Amazon S3 storage classes".
_S3_CLASSES = (("STANDARD", 0), ("STANDARD_IA", 30), ("GLACIER_IR", 90))
_ARCHIVE_DAYS = 90  # EBS user guide, "Pricing and billing for archiving snapshots"


def parked(bill: Bill, book: PriceBook) -> tuple[Parked, ...]:
    """Return every way to park the bill's machines, from keeping them to discarding them."""
    nothing = Section((), Amount(Decimal(0), currency=book.currency))
    addresses = tuple(_addresses(bill, book))
    if book.site is not None:
        images = section((*_copies(bill, book, "image"), *addresses))
        return (
            Parked(ParkMode.KEEP, section(_kept(bill, book)), nothing),
            Parked(ParkMode.SNAPSHOT, images, nothing),
            Parked(ParkMode.DISCARD, nothing, nothing),
        )
    standard = section((*_copies(bill, book, "standard"), *addresses))
    archive = section((*_copies(bill, book, "archive"), *addresses))
    retrieval = section(_archive_retrieval(bill, book))
    return (
        Parked(ParkMode.KEEP, section(_kept(bill, book)), nothing),
        Parked(ParkMode.SNAPSHOT, standard, nothing),
        Parked(ParkMode.ARCHIVE, archive, retrieval, _ARCHIVE_DAYS),
        *(_in_s3(bill, book, addresses, name, days) for name, days in _S3_CLASSES),
        Parked(ParkMode.DISCARD, nothing, nothing),
    )


def _month(book: PriceBook) -> Use:
    return Use(0, book.hours_per_month)


def _kept(bill: Bill, book: PriceBook) -> Iterator[Line]:
    own = tuple(item for item in bill.items if isinstance(item, Volumes | Addresses))
    return lasting(Bill(own), _month(book), book)


def _addresses(bill: Bill, book: PriceBook) -> Iterator[Line]:
    own = tuple(item for item in bill.items if isinstance(item, Addresses))
    return lasting(Bill(own), _month(book), book)


def _copies(bill: Bill, book: PriceBook, tier: str) -> Iterator[Line]:
    for item in _volumes(bill):
        yield from _copy(copies(tier), item, book.snapshot(item.region, tier))


def _archive_retrieval(bill: Bill, book: PriceBook) -> Iterator[Line]:
    for item in _volumes(bill):
        price = book.archive_retrieval(item.region)
        yield from _copy("retrieval from the archive", item, price)


def _in_s3(
    bill: Bill, book: PriceBook, addresses: tuple[Line, ...], storage_class: str, days: int
) -> Parked:
    name = f"S3 {storage_class}"
    kept: list[Line] = []
    back: list[Line] = []
    for item in _volumes(bill):
        kept += _copy(f"{name} storage", item, book.s3(item.region, storage_class))
        if storage_class != "STANDARD":
            price = book.s3(item.region, storage_class, "retrieval")
            back += _copy(f"{name} retrieval", item, price)
    return Parked(ParkMode.S3, section((*kept, *addresses)), section(back), days, storage_class)


def _volumes(bill: Bill) -> tuple[Volumes, ...]:
    return tuple(item for item in bill.items if isinstance(item, Volumes))


def _copy(name: str, item: Volumes, price: Price) -> tuple[Line, ...]:
    """Price a month of a copy of the data (or, once, its restore), of the full size if need be."""
    size: Number = item.gb if item.used_gb is None else item.used_gb
    return charge(
        name,
        f"{item.count} x {size} GB",
        Decimal(item.count * size),
        price,
        "" if item.used_gb is not None else AT_MOST_NOTE,
        at_most=item.used_gb is None,
    )
