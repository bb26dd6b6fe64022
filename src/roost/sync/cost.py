"""What a sync will cost at Amazon's prices, before it is done."""

from __future__ import annotations

from decimal import Decimal

from roost.prices.bill import Bill, Egress, Objects, Use
from roost.prices.book import PriceBook
from roost.prices.charges import lasting, paid_once
from roost.prices.rates import Section, section
from roost.sync.engine import Planned
from roost.sync.upload import part_size
from roost.sync.wire import PART

_GIB = 2**30
_MONTH = 730
LEAST_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90}
LEAST_DAYS["DEEP_ARCHIVE"] = 180
"""What is deleted sooner is paid for as if it had stayed that long."""


def once(planned: Planned, region: str, book: PriceBook, *, up: bool, storage: str) -> Section:
    """Requests, and what goes out to the internet (from S3 to this computer)."""
    sizes = [copy.entry.size for copy in planned.copies]
    requests = sum(_requests(size, up=up) for size in sizes)
    gb = Decimal(sum(sizes)) / _GIB
    puts, gets = (requests, 0) if up else (0, requests)
    items = [Objects(0, region, storage, puts=puts, gets=gets)]
    egress = [] if up else [Egress(gb, region)]
    return section(paid_once(Bill((*items, *egress)), book))


def monthly(planned: Planned, region: str, book: PriceBook, storage: str) -> Section:
    """Keeping what is stored, for a month."""
    gb = Decimal(planned.bytes) / _GIB
    return section(lasting(Bill((Objects(gb, region, storage),)), Use(0, _MONTH), book))


def _requests(size: int, *, up: bool) -> int:
    if size <= PART:
        return 1
    return -(-size // part_size(size)) + 2 if up else -(-size // PART) + 1
