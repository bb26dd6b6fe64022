"""Laws that hold for every bill: sums, hours, counts and what is unknown."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from roost.catalogue import load
from roost.cost.bill import (
    Addresses,
    Bill,
    BillItem,
    Instances,
    Objects,
    Snapshots,
    Use,
    Volumes,
)
from roost.cost.book import PriceBook
from roost.cost.estimate import estimate
from roost.cost.rates import Amount

BOOK = PriceBook(load("aws"), date(2026, 10, 15))
ROUNDING = Decimal("1e-15")

regions = st.sampled_from(["eu-west-1", "us-east-1", "ap-northeast-1", "atlantis-1"])
counts = st.integers(0, 50)
sizes = st.integers(0, 20_000)
hours = st.integers(0, 10_000)
items = st.one_of(
    st.builds(
        Instances,
        st.sampled_from(["c5.large", "g4dn.xlarge", "p9.huge"]),
        regions,
        counts,
        st.booleans(),
    ),
    st.builds(Volumes, sizes, regions, st.sampled_from(["gp3", "gp2", "io2", "standard"]), counts),
    st.builds(Snapshots, sizes, regions, counts, st.sampled_from(["standard", "archive"])),
    st.builds(Addresses, regions, counts, st.booleans()),
    st.builds(Objects, sizes, regions, st.just("STANDARD"), sizes, sizes),
)
bills = st.lists(items, max_size=5).map(lambda found: Bill(tuple(found)))


@st.composite
def uses(draw: st.DrawFn) -> Use:
    running, stopped = draw(hours), draw(hours)
    return Use(running, running + stopped)


def cost(bill: Bill, use: Use) -> Amount:
    return estimate(bill, use, BOOK).use.amount


def same(one: Amount, other: Amount) -> bool:
    close = abs(one.usd - other.usd) <= ROUNDING * max(one.usd, 1)
    return close and (one.at_least, one.at_most) == (other.at_least, other.at_most)


@given(bills, bills, uses())
def test_the_cost_of_two_bills_is_the_sum_of_their_costs(one: Bill, other: Bill, use: Use) -> None:
    assert same(cost(one + other, use), cost(one, use) + cost(other, use))


@given(bills, uses(), hours, hours)
def test_more_hours_never_cost_less(bill: Bill, use: Use, running: int, stopped: int) -> None:
    longer = Use(use.hours_running + running, use.hours_existing + running + stopped)
    before, after = cost(bill, use), cost(bill, longer)
    assert after.usd >= before.usd - ROUNDING * max(before.usd, 1)
    assert after.at_least >= before.at_least


@given(items.filter(lambda item: hasattr(item, "count")), uses())
def test_a_thousand_cost_a_thousand_times_as_much(item: BillItem, use: Use) -> None:
    one, thousand = (cost(Bill((replace(item, count=n),)), use) for n in (1, 1000))
    assert same(thousand, Amount(one.usd * 1000, one.at_least, one.at_most))


@given(bills, uses())
def test_something_unknown_is_never_counted_as_nothing(bill: Bill, use: Use) -> None:
    known = cost(bill, use)
    unknown = Bill((Volumes(1, "atlantis-1", "gp3"),))
    joined = cost(bill + unknown, Use(use.hours_running, use.hours_existing + 1))
    assert joined.at_least
    assert joined.usd >= known.usd - ROUNDING * max(known.usd, 1)
    assert "at least" in str(joined) or "unknown" in str(joined)


@given(bills, uses())
def test_the_whole_use_is_the_running_and_the_stopped_hours(bill: Bill, use: Use) -> None:
    bill = Bill(tuple(item for item in bill.items if not isinstance(item, Objects)))
    result = estimate(bill, use, BOOK)
    hourly = (
        result.running.amount.usd * use.hours_running
        + result.stopped.amount.usd * use.hours_stopped
    )
    assert abs(hourly - result.use.amount.usd) <= ROUNDING * max(hourly, 1)


@given(bills, uses())
def test_the_lines_add_up_and_no_known_price_is_negative(bill: Bill, use: Use) -> None:
    result = estimate(bill, use, BOOK)
    sections = [result.running, result.stopped, result.use]
    sections += [way.per_month for way in result.parked]
    for found in sections:
        assert found.amount.usd == sum((line.amount.usd for line in found.lines), Decimal(0))
        assert all(line.amount.usd >= 0 and line.quantity > 0 for line in found.lines)


@given(bills)
def test_discarding_costs_nothing_and_that_is_known(bill: Bill) -> None:
    discard = estimate(bill, Use(1, 1), BOOK).parked[-1]
    assert (discard.mode, discard.per_month.amount) == ("discard", Amount(Decimal(0)))
