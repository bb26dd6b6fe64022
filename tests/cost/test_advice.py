"""Which way to park, against sums done by hand; eu-west-1: gp3 0.088 a GB-month, snapshots 0.05,
in the archive 0.0125, S3 STANDARD 0.023, STANDARD_IA 0.0125; a month has 730 hours."""

import dataclasses
from decimal import Decimal

import pytest

from roost.catalogue import Rate
from roost.cost.bill import Volumes
from roost.cost.book import PriceBook
from roost.cost.quotation import Quotation
from roost.cost.rates import Amount, Unknown
from roost.parking.advice import Advice, advise

IRELAND = "eu-west-1"
ALL_PRICES = {"archive": Decimal("0.0125"), "archive_retrieval": Decimal("0.03")}


@pytest.fixture
def whole(today: PriceBook) -> PriceBook:
    """With a price of bringing back from the archive, which the shipped list does not have."""
    quotation = Quotation(today.today, "a letter", snapshots=ALL_PRICES)
    return dataclasses.replace(today, quotation=quotation)


def totals(found: Advice) -> dict[str, tuple[int, Amount]]:
    return {o.name: (o.days_charged, o.total) for o in found.options}


def test_a_year_of_a_volume_that_is_half_full(whole: PriceBook) -> None:
    found = advise((Volumes(200, IRELAND, "gp3", used_gb=100),), 365, whole)
    assert totals(found) == {
        "keep": (365, Amount(Decimal("211.2"))),  # 200 x 0.088 x 12 months
        "snapshot": (365, Amount(Decimal("60"))),  # 100 x 0.05 x 12
        "archive": (365, Amount(Decimal("18"))),  # 100 x 0.0125 x 12 + 100 x 0.03
        "s3 STANDARD": (365, Amount(Decimal("27.6"))),  # 100 x 0.023 x 12
        # 100 x 0.0125 x 12 and an unknown retrieval
        "s3 STANDARD_IA": (365, Amount(Decimal("15"), at_least=True)),
        "s3 GLACIER_IR": (365, Amount(Decimal(0), at_least=True)),
        "discard": (365, Amount(Decimal(0))),
    }
    assert found.best is not None
    assert found.best.name == "archive"
    assert found.reason == (
        "archive: $18.00 for 365 days, $211.20 if the volumes are kept; "
        "a price of s3 STANDARD_IA and s3 GLACIER_IR is unknown"
    )


def test_twenty_days_in_the_archive_cost_ninety(whole: PriceBook) -> None:
    found = advise((Volumes(73, IRELAND, "gp3", used_gb=73),), 20, whole)
    days, total = totals(found)["archive"]
    # 73 x 0.0125 x (90 x 24 / 730) + 73 x 0.03 = 2.7 + 2.19
    assert (days, total) == (90, Amount(Decimal("4.89")))
    # 73 x 0.05 x (20 x 24 / 730)
    assert totals(found)["snapshot"] == (20, Amount(Decimal("2.4")))
    # 73 x 0.0125 x (30 x 24 / 730) = 0.9
    assert totals(found)["s3 STANDARD_IA"] == (30, Amount(Decimal("0.9"), at_least=True))
    # 73 x 0.023 x (20 x 24 / 730)
    assert totals(found)["s3 STANDARD"] == (20, Amount(Decimal("1.104")))
    assert found.best is not None
    assert found.best.name == "s3 STANDARD"
    assert found.reason == (
        "s3 STANDARD: $1.10 for 20 days, $4.22 if the volumes are kept; a pause of 20 days is "
        "shorter than the minimum of archive, s3 STANDARD_IA and s3 GLACIER_IR; "
        "a price of s3 STANDARD_IA and s3 GLACIER_IR is unknown"
    )


def test_a_price_that_is_not_known_never_wins(today: PriceBook) -> None:
    """STANDARD_IA and the archive would be less, if nothing were paid for coming back."""
    found = advise((Volumes(100, IRELAND, "gp3", used_gb=100),), 730, today)
    assert found.best is not None
    assert found.best.name == "s3 STANDARD"
    assert totals(found)["archive"][1].at_least


def test_the_full_size_where_it_is_not_known_what_is_used(today: PriceBook) -> None:
    found = advise((Volumes(73, IRELAND, "gp3"),), 10, today)
    # 73 x 0.05 x (10 x 24 / 730), at most
    assert totals(found)["snapshot"] == (10, Amount(Decimal("1.2"), at_most=True))
    # 73 x 0.088 x (10 x 24 / 730), exactly
    assert totals(found)["keep"] == (10, Amount(Decimal("2.112")))


def test_an_almost_empty_cheap_disk_of_a_region_without_s3_prices(today: PriceBook) -> None:
    """Where only what is kept has a price, it is kept."""
    quotation = Quotation(today.today, "a letter", volumes={"sc1": Decimal("0.01")})
    nowhere = dataclasses.replace(today, quotation=quotation)
    found = advise((Volumes(730, "xx-nowhere-1", "sc1"),), 1, nowhere)
    assert found.best is not None
    assert found.best.name == "keep"
    # 730 x 0.01 x 24 / 730
    assert found.best.total == Amount(Decimal("0.24"))
    assert found.reason.startswith("keep: $0.24 for 1 day: nothing else costs less; ")


def test_no_price_at_all(today: PriceBook) -> None:
    found = advise((Volumes(10, "xx-nowhere-1", "gp3"),), 10, today)
    assert (found.best, found.reason) == (None, "no way to keep the data has a known price here")


def test_no_pause(today: PriceBook) -> None:
    with pytest.raises(ValueError, match="a pause of 0 days: it takes 1 day or more"):
        advise((Volumes(10, IRELAND, "gp3"),), 0, today)


def test_the_prices_are_those_of_the_sums(today: PriceBook) -> None:
    def usd(price: Rate | Unknown) -> str:
        return "unknown" if isinstance(price, Unknown) else str(price.usd)

    assert [
        usd(today.volume(IRELAND, "gp3")),
        usd(today.snapshot(IRELAND, "standard")),
        usd(today.snapshot(IRELAND, "archive")),
        usd(today.archive_retrieval(IRELAND)),
        usd(today.s3(IRELAND, "STANDARD")),
        usd(today.s3(IRELAND, "STANDARD_IA")),
        usd(today.s3(IRELAND, "STANDARD_IA", "retrieval")),
    ] == ["0.088", "0.05", "0.0125", "unknown", "0.023", "0.0125", "unknown"]
