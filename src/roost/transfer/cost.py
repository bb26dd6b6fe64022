"""The cost of a sync at Amazon's prices, before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from roost.cost.bill import Bill, Egress, Objects, Use
from roost.cost.book import PriceBook
from roost.cost.charges import lasting, paid_once
from roost.cost.rates import Section, Unknown, section

_GIB = 2**30
_MONTH = 730
LEAST_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90}
LEAST_DAYS["DEEP_ARCHIVE"] = 180
"""What is deleted sooner is paid for as if it had stayed that long."""


def once(
    requests: int, out: int, region: str, book: PriceBook, *, up: bool, storage: str
) -> Section:
    """Price so many requests, and so many bytes out to the internet (0 within a region)."""
    puts, gets = (requests, 0) if up else (0, requests)
    items = [Objects(0, region, storage, puts=puts, gets=gets)]
    egress = [Egress(Decimal(out) / _GIB, region)] if out else []
    return section(paid_once(Bill((*items, *egress)), book))


def monthly(bytes_: int, region: str, book: PriceBook, storage: str) -> Section:
    """Price so many stored bytes for a month."""
    gb = Decimal(bytes_) / _GIB
    return section(lasting(Bill((Objects(gb, region, storage),)), Use(0, _MONTH), book))


def from_archive(bytes_: int, kinds: Sequence[str], region: str, book: PriceBook, tier: str) -> str:
    """Price asking for so many bytes of the archive; "unknown" where the list does not say."""
    if tier != "Standard" or len(set(kinds)) != 1:
        return "unknown"
    rate = book.s3(region, kinds[0], "retrieval")
    if isinstance(rate, Unknown):
        return "unknown"
    return f"{Decimal(bytes_) / _GIB * rate.usd:.2f} USD"
