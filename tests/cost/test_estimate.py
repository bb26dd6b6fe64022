"""Estimates against sums done by hand; the prices are AWS's of 2026-10-15 unless quoted."""

import dataclasses
from datetime import date
from decimal import Decimal

import pytest

from roost.catalogue import Catalogue
from roost.cost.bill import (
    Addresses,
    Bill,
    BillItem,
    Egress,
    Instances,
    Objects,
    Snapshots,
    Use,
    Volumes,
)
from roost.cost.book import PriceBook
from roost.cost.estimate import Estimate, estimate
from roost.cost.quotation import Quotation
from roost.cost.rates import Amount, Unknown

IRELAND, TOKYO = "eu-west-1", "ap-northeast-1"
MONTH = Use(0, 730)


def cost(book: PriceBook, use: Use, *items: BillItem) -> Amount:
    return estimate(Bill(items), use, book).use.amount


class TestTheTrainingManual:
    """16 h up within 48 h, 30 GB at 0.133 a GB-month, a month of 720 h: 17.706 a machine."""

    machine = (Instances("p2.xlarge", IRELAND), Volumes(30, IRELAND, "gp2"))
    use = Use(16, 48)

    def test_one_machine(self, quoted: PriceBook) -> None:
        result = estimate(Bill(self.machine), self.use, quoted)
        assert [line.amount.usd for line in result.use.lines] == [
            Decimal("17.44"),
            Decimal("0.266"),
        ]
        assert result.use.amount == Amount(Decimal("17.706"))

    def test_twenty_machines(self, quoted: PriceBook) -> None:
        machines = (Instances("p2.xlarge", IRELAND, 20), Volumes(30, IRELAND, "gp2", 20))
        assert cost(quoted, self.use, *machines) == Amount(Decimal("354.12"))

    def test_an_idle_elastic_ip_address(self, quoted: PriceBook) -> None:
        address = Addresses(IRELAND, elastic=True)
        assert cost(quoted, self.use, address) == Amount(Decimal("0.192"))
        with_address = cost(quoted, self.use, *self.machine, address)
        assert with_address == Amount(Decimal("17.898"))

    def test_the_rule_of_2024_charges_the_running_hours_too(
        self, aws: Catalogue, manual: Quotation
    ) -> None:
        later = dataclasses.replace(manual, date=date(2024, 2, 1))
        book = PriceBook(aws, date(2026, 10, 15), later)
        address = Addresses(IRELAND, elastic=True)
        assert cost(book, self.use, address) == Amount(Decimal("0.288"))

    def test_the_day_before_the_rule(self, aws: Catalogue, manual: Quotation) -> None:
        earlier = dataclasses.replace(manual, date=date(2024, 1, 31))
        book = PriceBook(aws, date(2026, 10, 15), earlier)
        assert cost(book, self.use, Addresses(IRELAND, elastic=True)).usd == Decimal("0.192")

    def test_each_line_names_the_quotation(self, quoted: PriceBook) -> None:
        result = estimate(Bill(self.machine), self.use, quoted)
        sources = {(line.price.source, line.price.date) for line in result.use.lines}
        assert sources == {("training manual", date(2022, 6, 1))}
        assert (result.day, result.hours_per_month) == (date(2022, 6, 1), 720)

    def test_what_is_not_quoted_is_named(self, quoted: PriceBook) -> None:
        result = estimate(Bill((*self.machine, Snapshots(10, IRELAND))), self.use, quoted)
        assert "not from the quotation of 2022-06-01: standard snapshots" in result.notes


@pytest.mark.parametrize(
    ("items", "use", "usd"),
    [
        # 20 x 120 h x 0.587
        ([Instances("g4dn.xlarge", IRELAND, 20)], Use.daily(4, 30), "1408.8"),
        # 100 GB x 730 h / 730 h x 0.088
        ([Volumes(100, IRELAND, "gp3")], MONTH, "8.8"),
        # ... + 7000 IOPS x 0.0055 + 375 MiB/s x 0.044
        ([Volumes(100, IRELAND, "gp3", iops=10_000, throughput_mibps=500)], MONTH, "63.8"),
        # 50 GB x 0.138 + 1000 IOPS x 0.072
        ([Volumes(50, IRELAND, "io2", iops=1_000)], MONTH, "78.9"),
        # gp3 includes 3000 IOPS and 125 MiB/s
        ([Volumes(100, IRELAND, "gp3", iops=3_000, throughput_mibps=125)], MONTH, "8.8"),
        # 40 GB x 0.05, and x 0.0125
        ([Snapshots(40, IRELAND, measured=True)], MONTH, "2"),
        ([Snapshots(40, IRELAND, tier="archive", measured=True)], MONTH, "0.5"),
        # an address that is given back on stop: 2 x 10 h x 0.005
        ([Addresses(IRELAND, 2)], Use(10, 100), "0.1"),
        # one that is kept: 2 x 100 h x 0.005
        ([Addresses(IRELAND, 2, elastic=True)], Use(10, 100), "1"),
        # 200 GB x 0.023 + 10 x 0.005 + 100 x 0.0004
        ([Objects(200, IRELAND, puts=10_000, gets=100_000)], MONTH, "4.69"),
        # the first 100 GB are free: 150 x 0.09
        ([Egress(250, IRELAND)], Use(1, 1), "13.5"),
        # (10240 - 100) x 0.09 + 760 x 0.085
        ([Egress(11_000, IRELAND)], Use(1, 1), "977.2"),
        # the allowance is the account's: 60 GB free in Ireland, 40 in Singapore; 20 x 0.12
        ([Egress(60, IRELAND), Egress(60, "ap-southeast-1")], Use(1, 1), "2.4"),
        ([Egress(100, IRELAND)], Use(1, 1), "0"),
        ([], Use(1, 1), "0"),
    ],
)
def test_sums_done_by_hand(today: PriceBook, items: list[BillItem], use: Use, usd: str) -> None:
    assert cost(today, use, *items) == Amount(Decimal(usd))


def test_running_and_stopped_per_hour(today: PriceBook) -> None:
    bill = Bill(
        (
            Instances("c5.large", IRELAND, 2),
            Volumes(73, IRELAND, "gp3", count=2),
            Addresses(IRELAND, 2, elastic=True),
            Egress(500, IRELAND),
        )
    )
    result = estimate(bill, Use(1, 1), today)
    # stopped: 2 x 73 GB / 730 h x 0.088 + 2 x 0.005; running: + 2 x 0.096; transfer: in neither
    assert result.stopped.amount == Amount(Decimal("0.0276"))
    assert result.running.amount == Amount(Decimal("0.2196"))


def parked(result: Estimate) -> dict[str, tuple[str, str]]:
    return {
        f"{way.mode} {way.storage_class or ''}".strip(): (
            str(way.per_month.amount),
            str(way.coming_back.amount),
        )
        for way in result.parked
    }


def test_every_way_to_park_in_virginia(today: PriceBook) -> None:
    volume = Volumes(100, "us-east-1", "gp3", used_gb=40)
    result = estimate(Bill((Instances("c5.large", "us-east-1"), volume)), MONTH, today)
    assert parked(result) == {
        "keep": ("$8.00", "$0.00"),
        "snapshot": ("$2.00", "$0.00"),
        "archive": ("$0.50", "$1.20"),
        "s3 STANDARD": ("$0.92", "$0.00"),
        "s3 STANDARD_IA": ("$0.50", "$0.40"),
        "s3 GLACIER_IR": ("$0.16", "$1.20"),
        "discard": ("$0.00", "$0.00"),
    }
    assert [way.minimum_days for way in result.parked] == [0, 0, 90, 0, 30, 90, 0]


def test_parking_says_at_most_and_unknown(today: PriceBook) -> None:
    result = estimate(Bill((Volumes(100, TOKYO, "gp3"),)), MONTH, today)
    assert parked(result) == {
        "keep": ("$9.60", "$0.00"),
        "snapshot": ("at most $5.00", "$0.00"),
        "archive": ("at most $1.25", "unknown"),
        "s3 STANDARD": ("unknown", "$0.00"),
        "s3 STANDARD_IA": ("unknown", "unknown"),
        "s3 GLACIER_IR": ("unknown", "unknown"),
        "discard": ("$0.00", "$0.00"),
    }


def test_an_elastic_ip_address_costs_in_every_way_but_discard(today: PriceBook) -> None:
    result = estimate(Bill((Addresses(IRELAND, elastic=True),)), MONTH, today)
    sums = [way.per_month.amount.usd for way in result.parked]
    assert sums == [Decimal("3.65")] * 6 + [Decimal(0)]


def test_spot_is_the_on_demand_price_at_most(today: PriceBook) -> None:
    amount = cost(today, Use(10, 10), Instances("c5.large", IRELAND, spot=True))
    assert str(amount) == "at most $0.96"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (Instances("p9.huge", IRELAND), "unknown"),
        (Instances("c5.large", "atlantis-1"), "unknown"),
        (Volumes(10, IRELAND, "gp9"), "unknown"),
        (Volumes(50, IRELAND, "io2"), "at least $6.90"),
        (Volumes(100, IRELAND, "standard"), "at least $5.50"),
        (Objects(10, TOKYO), "unknown"),
        (Egress(500, TOKYO), "unknown"),
        (Egress(50, TOKYO), "$0.00"),
    ],
)
def test_what_is_unknown_is_said(today: PriceBook, item: BillItem, text: str) -> None:
    assert str(cost(today, MONTH if not isinstance(item, Instances) else Use(1, 1), item)) == text


def test_an_unknown_price_says_why(today: PriceBook) -> None:
    (line,) = estimate(Bill((Objects(10, TOKYO),)), MONTH, today).use.lines
    assert line.price == Unknown("no price of S3 STANDARD storage in ap-northeast-1")


def test_an_idle_address_of_old_is_unknown_without_a_quoted_price(aws: Catalogue) -> None:
    book = PriceBook(aws, date(2023, 5, 1))
    assert str(cost(book, Use(16, 48), Addresses(IRELAND, elastic=True))) == "unknown"
    assert cost(book, Use(16, 16), Addresses(IRELAND, elastic=True)) == Amount(Decimal(0))


def test_a_machine_that_the_region_does_not_offer_is_noted(today: PriceBook) -> None:
    notes = estimate(Bill((Instances("p2.xlarge", IRELAND),)), Use(1, 1), today).notes
    assert "eu-west-1 does not offer p2.xlarge, though it may have a price" in notes


def test_a_line_says_how_it_was_calculated(today: PriceBook) -> None:
    (line,) = estimate(Bill((Volumes(30, IRELAND, "gp3", count=20),)), Use(0, 48), today).use.lines
    assert line.basis == "20 x 30 GB x 48 h / 730 h a month"
    assert line.amount.usd == line.quantity * line.price.usd
    assert (line.price.unit, line.price.date) == ("GB-month", date(2026, 10, 15))
    assert "AWS price list" in line.price.source


def test_an_estimate_becomes_plain_data(today: PriceBook) -> None:
    plain = dataclasses.asdict(estimate(Bill((Volumes(10, TOKYO, "gp3"),)), MONTH, today))
    assert plain["use"]["lines"][0]["price"]["usd"] == Decimal("0.096")
    assert plain["parked"][0]["mode"] == "keep"


@pytest.mark.parametrize(
    ("running", "existing"), [(-1, 10), (11, 10), (Decimal("0.1"), Decimal("0.01"))]
)
def test_a_use_that_cannot_be(running: Decimal | int, existing: Decimal | int) -> None:
    with pytest.raises(ValueError, match="no longer than it exists"):
        Use(running, existing)


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="gb is -1, below 0"):
        Volumes(-1, IRELAND, "gp3")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Amount(Decimal(0)), "$0.00"),
        (Amount(Decimal(0), at_least=True), "unknown"),
        (Amount(Decimal("1.234"), at_least=True), "at least $1.23"),
        (Amount(Decimal("1.234"), at_most=True), "at most $1.23"),
        (Amount(Decimal(1), at_least=True, at_most=True), "at most $1.00, and what is unknown"),
        (Amount(Decimal("0.096")), "$0.096"),
        (Amount(Decimal("0.00002")), "$0.0001"),
        (Amount(Decimal("12345.678")), "$12,345.68"),
    ],
)
def test_amounts_as_text(amount: Amount, text: str) -> None:
    assert str(amount) == text


def test_a_burstable_type_costs_up_to_its_full_load(today: PriceBook) -> None:
    """EC2 user guide, "Unlimited mode": beyond the baseline (40 % of 8 vCPUs of t3a.2xlarge, 22.5 %
    of 4 of t2.xlarge, 20 % of 2 of t4g.medium) each vCPU-hour is 0.05, T4g's 0.04. 10 machines of
    8 vCPUs for 720 h: 10 x 720 x 0.3456 = 2488.32, and 10 x 720 x 4.8 x 0.05 = 1728.
    """
    ten = Instances("t3a.2xlarge", "eu-central-1", 10)
    result = estimate(Bill((ten,)), Use(720, 720), today)
    assert [line.amount.usd for line in result.use.lines] == [Decimal("2488.32"), 1728]
    assert result.use.amount == Amount(Decimal("4216.32"), at_most=True)
    assert any("t3a.2xlarge is burstable: above 40 %" in note for note in result.notes)
    beyond = {"t2.xlarge": "0.155", "t4g.medium": "0.064", "t3.nano": "0.095"}
    for kind, usd in beyond.items():
        lines = estimate(Bill((Instances(kind, IRELAND),)), Use(1, 1), today).running.lines
        assert lines[1].amount == Amount(Decimal(usd), at_most=True), kind
    steady = estimate(Bill((Instances("m6a.2xlarge", IRELAND),)), Use(1, 1), today)
    assert (len(steady.running.lines), steady.running.amount.at_most) == (1, False)


def test_each_tier_of_io2s_iops_has_its_price(today: PriceBook) -> None:
    """Amazon EBS pricing: 32,000 at 0.065, the next 32,000 at 0.046, the rest at 0.032; io1 has one
    price. A day of a month of 30 days, without the size.
    """
    for kind, iops, usd in (
        ("io2", 64_000, "118.40"),  # (32000 x 0.065 + 32000 x 0.046) / 30
        ("io2", 100_000, "156.80"),  # and 36000 x 0.032 / 30
        ("io2", 32_000, "69.3333"),
        ("io1", 64_000, "138.6667"),
    ):
        volume = Volumes(0, "us-east-1", kind, iops=iops)
        result = estimate(Bill((volume,)), Use(0, Decimal(24) * 730 / 720), today)
        assert round(result.use.amount.usd, 4) == Decimal(usd), (kind, iops)


def test_a_quotation_has_its_own_free_gigabytes(aws: Catalogue, manual: Quotation) -> None:
    """10 GB at 0.09, of which 1 is free: 0.81."""
    for transfer, usd in (
        ({"out": "0.09", "free_gb": "1"}, "0.81"),
        ({"out": "0.09"}, "0.9"),
    ):
        quoted = {name: Decimal(number) for name, number in transfer.items()}
        book = PriceBook(
            aws, date(2026, 10, 15), dataclasses.replace(manual, transfer=quoted, region=IRELAND)
        )
        assert cost(book, Use(1, 1), Egress(10, IRELAND)) == Amount(Decimal(usd))
