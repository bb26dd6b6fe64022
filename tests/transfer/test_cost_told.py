"""What a sync will cost, by the price list that roost ships; what that has not is unknown."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from roost.catalogue import load
from roost.cost.book import PriceBook
from roost.transfer import cost
from roost.transfer.engine import Planned
from roost.transfer.listing import Entry
from roost.transfer.plan import Copy

GIB = 2**30
HERE = "us-east-1"


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(load(), date(2026, 11, 21))


def planned(*sizes: int) -> Planned:
    return Planned([Copy(Entry(f"f{i}", size, 0), "new") for i, size in enumerate(sizes)])


def test_into_s3_only_requests_are_paid(book: PriceBook) -> None:
    # 64 parts of 16 MiB, their beginning and end, and one small file: 67 PUTs at $5 a million
    told = cost.once(planned(GIB, 10).requests(up=True), 0, HERE, book, up=True, storage="STANDARD")
    assert told.amount.usd == Decimal(67) * Decimal("0.005") / 1000
    assert told.amount.known


def test_out_of_s3_ranges_are_asked_for(book: PriceBook) -> None:
    # 256 ranges of 4 MiB, one question for the checksum, one small file
    told = cost.once(
        planned(GIB, 10).requests(up=False), GIB + 10, HERE, book, up=False, storage="STANDARD"
    )
    assert told.amount.usd == Decimal(258) * Decimal("0.0004") / 1000


def test_out_of_s3_the_free_tier_comes_first_and_then_the_first_price(book: PriceBook) -> None:
    free = book.free_transfer_gb(HERE)
    told = cost.once(0, (int(free) + 50) * GIB, HERE, book, up=False, storage="STANDARD")
    assert told.amount.usd == Decimal(50) * Decimal("0.09")


def test_a_month_is_told_by_class(book: PriceBook) -> None:
    plain = cost.monthly(100 * GIB, HERE, book, "STANDARD").amount
    cold = cost.monthly(100 * GIB, HERE, book, "GLACIER_IR").amount
    assert plain.usd == Decimal(100) * Decimal("0.023")
    assert Decimal(0) < cold.usd < plain.usd


def test_what_the_list_has_not_is_unknown_and_not_free(book: PriceBook) -> None:
    nowhere = "xx-nowhere-9"
    assert not cost.once(
        planned(GIB).requests(up=False), GIB, nowhere, book, up=False, storage="STANDARD"
    ).amount.known
    assert not cost.monthly(GIB, nowhere, book, "STANDARD").amount.known
