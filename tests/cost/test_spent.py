"""What was spent, against sums done by hand; AWS's prices of eu-central-1, 2026-10-15.

m7i.xlarge 0.2415 an hour, m5.large 0.115 an hour, gp3 0.0952 a GB-month (and, above what is
included, 0.006 an IOPS-month), standard snapshots 0.054 a GB-month, an address 0.005 an hour.
"""

from decimal import Decimal

import pytest

from roost.catalogue import Catalogue
from roost.cost.bill import Addresses, Bill, Instances, Volumes
from roost.cost.book import PriceBook
from roost.cost.ledger import Copy, Disk, Ledger, Machine, Seen, closing, reconciled
from roost.cost.rates import Amount, Section
from roost.cost.spent import (
    Spent,
    There,
    budget_use,
    cost,
    hours,
    per_hour,
    rate_per_hour,
    spent,
)

REGION = "eu-central-1"
HEAD, SPOT = Machine("m7i.xlarge"), Machine("m5.large", spot=True)
DISK = Disk("gp3", 73)
"""73 GB x 0.0952 / 730 h = 0.00952 an hour."""
START = 1_795_168_800
HOUR = 3600


def test_the_prices_are_those_of_the_sums(aws: Catalogue) -> None:
    prices = aws.region(REGION)
    assert prices is not None
    found = [prices.instance("m7i.xlarge"), prices.instance("m5.large"), prices.volume("gp3")]
    assert [rate and str(rate.usd) for rate in found] == ["0.2415", "0.115", "0.0952"]


def there(*seen: Seen, hours: int = 10, fixed: tuple[int | None, ...] = ()) -> There:
    return There(seen, began=START, now=START + hours * HOUR, fixed=fixed)


def test_a_desktop_that_runs_since_ten_hours(today: PriceBook) -> None:
    found = cost(Ledger(), there(Seen(HEAD, START), Seen(DISK, START)), REGION, today)
    # 10 x (0.2415 + 0.00952 + 0.005)
    assert found.spent.most.amount == Amount(Decimal("2.5602"))
    assert found.spent.exact
    assert found.per_hour.amount == Amount(Decimal("0.25602"))
    assert [line.item for line in found.per_hour.lines] == [
        "m7i.xlarge running",
        "gp3 volumes",
        "public IPv4 address in use",
    ]
    assert (found.until_end, found.notes) == (None, ())


def test_until_the_end_time(today: PriceBook) -> None:
    now = there(Seen(HEAD, START), Seen(DISK, START))
    left = cost(Ledger(), now, REGION, today, end=now.now + 90 * 60).until_end
    # 1.5 h x 0.25602
    assert left == Amount(Decimal("0.38403"))
    assert cost(Ledger(), now, REGION, today, end=now.now - 60).until_end is None


def test_stopped_after_two_hours_of_ten(today: PriceBook) -> None:
    running = [Seen(HEAD, START), Seen(DISK, START)]
    ledger = closing(Ledger(), running, running[:1], START + 2 * HOUR)
    stopped = Seen(HEAD, START, on=False, ended=START + 2 * HOUR)
    found = cost(ledger, there(stopped, Seen(DISK, START)), REGION, today)
    # 2 x (0.2415 + 0.005) + 10 x 0.00952
    assert found.spent.most.amount == Amount(Decimal("0.5882"))
    assert found.per_hour.amount == Amount(Decimal("0.00952"))


def test_stopped_nobody_knows_when(today: PriceBook) -> None:
    stopped = Seen(HEAD, START, on=False)
    found = cost(Ledger(), there(stopped, Seen(DISK, START)), REGION, today)
    # the disk's 10 x 0.00952, and 0 to 10 times (0.2415 + 0.005)
    assert found.spent.least.amount == Amount(Decimal("0.0952"))
    assert found.spent.most.amount == Amount(Decimal("2.5602"))
    assert str(found.spent) == "between $0.0952 and $2.56"
    assert found.notes == (
        "a range, because it is not known when some ended (m7i.xlarge): "
        "they stopped by themselves or were ended without roost",
    )


def test_a_burstable_machine_is_a_range_up_to_its_full_load(today: PriceBook) -> None:
    """t3a.xlarge for 10 h: 10 x 0.1632 + 10 x 0.005 for its address, and 10 x 4 x 60 % x 0.05."""
    there = There((Seen(Machine("t3a.xlarge"), START),), START, START + 10 * HOUR)
    result = cost(Ledger(), there, "eu-west-1", today)
    assert (result.spent.least.amount.usd, result.spent.most.amount.usd) == (
        Decimal("1.682"),
        Decimal("2.882"),
    )
    assert str(result.per_hour.amount) == "at most $0.2882"
    assert any("t3a.xlarge is burstable" in note for note in result.notes)


def test_spot_is_at_most_the_price_on_demand(today: PriceBook) -> None:
    found = cost(Ledger(), there(*[Seen(SPOT, START)] * 4), REGION, today)
    # 4 x 10 x (0.115 + 0.005)
    assert found.spent.most.amount == Amount(Decimal("4.8"), at_most=True)
    assert found.notes == (
        "spot machines are counted at the on-demand price, the most they can cost",
    )


def test_a_fast_volume_and_a_snapshot(today: PriceBook) -> None:
    seen = there(Seen(Disk("gp3", 73, 3730, 125), START), Seen(Copy(73), START))
    # 10 x (0.00952 + 730 IOPS x 0.006 / 730 h + 73 x 0.054 / 730 h)
    assert spent(Ledger(), seen, REGION, today).most.amount == Amount(
        Decimal("0.2092"), at_most=True
    )


def test_an_unknown_price_is_never_nothing(today: PriceBook) -> None:
    seen = there(Seen(Machine("x99.large"), START), Seen(DISK, START))
    found = spent(Ledger(), seen, REGION, today)
    # the disk's 0.0952 and the address's 0.05
    assert found.most.amount == Amount(Decimal("0.1452"), at_least=True)
    assert str(found) == "at least $0.1452"


def test_a_lost_part_of_the_history_is_said(today: PriceBook) -> None:
    found = cost(Ledger(damaged=True), there(Seen(DISK, START)), REGION, today)
    assert str(found.spent) == "at least $0.0952"
    assert found.notes == ("a part of the history is lost: it cost more than that",)


class TestFixedAddresses:
    def test_in_use_since_the_machine_runs(self, today: PriceBook) -> None:
        seen = there(Seen(HEAD, START), fixed=(START,))
        # 10 x (0.2415 + 0.005): the same as any other address
        assert spent(Ledger(), seen, REGION, today).most.amount == Amount(Decimal("2.465"))

    def test_kept_while_the_machine_is_stopped(self, today: PriceBook) -> None:
        ledger = closing(Ledger(), [Seen(HEAD, START)], [Seen(HEAD, START)], START + 2 * HOUR)
        stopped = Seen(HEAD, START, on=False, ended=START + 2 * HOUR)
        found = cost(ledger, there(stopped, fixed=(None,)), REGION, today)
        # 2 x 0.2465, and idle for 10 h at most
        assert found.spent.least.amount == Amount(Decimal("0.493"))
        assert found.spent.most.amount == Amount(Decimal("0.543"))
        assert found.per_hour.amount == Amount(Decimal("0.005"))
        assert found.notes == (
            "a range, because it is not known since when the fixed addresses are kept",
        )


def test_nothing_costs_nothing(today: PriceBook) -> None:
    found = cost(Ledger(), there(), REGION, today)
    assert (str(found.spent), found.per_hour.amount) == ("$0.00", Amount(Decimal(0)))
    assert per_hour(there(), REGION, today).lines == ()


@pytest.mark.parametrize(
    ("seconds", "found"), [(7200, "2"), (100, "0.0278"), (5400, "1.5"), (0, "0")]
)
def test_hours(seconds: int, found: str) -> None:
    assert str(hours(seconds)) == found


def so_far(least: str, most: str) -> Spent:
    return Spent(*(Section((), Amount(Decimal(usd))) for usd in (least, most)))


@pytest.mark.parametrize(
    ("least", "most", "percents", "state"),
    [
        ("39.99", "39.99", (79, 79), "within"),
        ("40", "40", (80, 80), "warning"),
        ("10", "49.99", (20, 99), "warning"),
        ("10", "50", (20, 100), "used up"),
        ("75", "75", (150, 150), "used up"),
    ],
)
def test_how_much_of_50_dollars_is_used(
    least: str, most: str, percents: tuple[int, int], state: str
) -> None:
    found = budget_use(Amount(Decimal(50)), so_far(least, most))
    assert found is not None
    assert ((found.least_percent, found.most_percent), found.state) == (percents, state)


class TestRateOfAMachine:
    def test_running_and_stopped(self, today: PriceBook) -> None:
        bill = Bill(
            (Instances("m7i.xlarge", REGION), Volumes(73, REGION, "gp3"), Addresses(REGION))
        )
        assert rate_per_hour(bill, today) == (Decimal("0.25602"), Decimal("0.00952"))

    def test_a_fixed_address_costs_on(self, today: PriceBook) -> None:
        bill = Bill((Instances("m7i.xlarge", REGION), Addresses(REGION, elastic=True)))
        assert rate_per_hour(bill, today) == (Decimal("0.2465"), Decimal("0.005"))

    def test_unknown_is_none(self, today: PriceBook) -> None:
        bill = Bill((Instances("x99.large", REGION), Volumes(73, REGION, "gp3")))
        assert rate_per_hour(bill, today) == (None, Decimal("0.00952"))


def test_reconciled_twice_is_reconciled_once() -> None:
    seen = [Seen(HEAD, START), Seen(SPOT, START, on=False)]
    once = reconciled(Ledger(), seen, START + HOUR)
    assert reconciled(once, seen, START + HOUR) == once
