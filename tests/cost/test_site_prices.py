"""The prices of a site: read once, in its own unit, and what is not in them is unknown."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from roost.cost import site_prices
from roost.cost.bill import Addresses, Bill, Instances, Snapshots, Use, Volumes
from roost.cost.book import PriceBook
from roost.cost.estimate import estimate
from roost.cost.ledger import Ledger, Machine, Seen
from roost.cost.rates import Amount, Rate, Unknown
from roost.cost.site_prices import SitePrices, WrongPricesError, no_catalogue, parse
from roost.cost.spent import There, budget_use, cost

LIST = """
unit = "EUR"
source = "our list"
date = 2026-01-31
hours_per_month = 720
[flavors]
small = 0.10
large = { running = 1, stopped = 0.9 }
[states]
stopped = 0.5
shelved = 0
[volumes]
any = 0.072
fast = 0.144
[addresses]
floating = 0.01
"""


@pytest.fixture
def prices(tmp_path: Path) -> SitePrices:
    (tmp_path / "site.toml").write_text(LIST)
    return site_prices.named("site.toml", tmp_path)


def book(prices: SitePrices) -> PriceBook:
    return PriceBook(no_catalogue(), date(2026, 11, 1), None, prices)


def test_a_state_without_a_price_is_unknown_and_never_free(prices: SitePrices) -> None:
    def usd(flavor: str, state: site_prices.State) -> Decimal | None:
        price = prices.flavor(flavor, state)
        return price.usd if isinstance(price, Rate) else None

    assert usd("small", "running") == Decimal("0.10")
    assert usd("small", "stopped") == Decimal("0.05")
    assert usd("large", "stopped") == Decimal("0.9")
    assert usd("large", "shelved") == 0
    assert usd("huge", "running") is usd("huge", "shelved") is None
    none = SitePrices().flavor("small")
    assert isinstance(none, Unknown)
    assert "[openstack] prices" in none.reason


def test_a_use_is_priced_in_the_unit_of_the_site(prices: SitePrices) -> None:
    whole = Bill((Instances("small", "s", 2), Volumes(100, "s", "fast"), Addresses("s")))
    found = estimate(whole, Use(10, 720), book(prices))
    # 2 x 10 h x 0.10, 100 GB-months x 0.144, an address that is kept while it is shelved
    assert str(found.use.amount) == "23.60 EUR"
    assert str(found.running.amount) == "0.23 EUR"
    assert [str(way.mode) for way in found.parked] == ["keep", "snapshot", "discard"]
    assert str(found.parked[1].per_month.amount) == "at least 7.20 EUR", "snapshots: no price"
    unknown = estimate(Bill((Instances("huge", "s"), Snapshots(5, "s"))), Use(1, 1), book(prices))
    assert str(unknown.use.amount) == "unknown"


def test_what_was_spent_counts_each_state_by_itself(prices: SitePrices) -> None:
    seen = tuple(Seen(Machine(kind), 0) for kind in ("small", "small:stopped", "small:shelved"))
    there = There(seen, began=0, now=36_000, public=False)
    found = cost(Ledger(), there, "s", book(prices))
    assert str(found.spent) == "1.50 EUR"
    used = budget_use(Amount(Decimal(3), currency="EUR"), found.spent)
    assert used is not None
    assert used.most_percent == 50
    assert budget_use(Amount(Decimal(3)), found.spent) is None
    with pytest.raises(ValueError, match="are no sum"):
        _ = Amount(Decimal(1)) + Amount(Decimal(1), currency="EUR")


def test_a_record_keeps_the_list_as_it_was(prices: SitePrices) -> None:
    assert parse(json.loads(json.dumps(prices.to_facts()))) == prices


def test_the_lists_that_come_with_roost_are_sound() -> None:
    assert set(site_prices.shipped()) == {"jetstream2", "denbi", "pouta"}
    for name in site_prices.shipped():
        assert site_prices.named(name, Path()).flavors
    with pytest.raises(WrongPricesError, match="there are denbi, jetstream2, pouta"):
        site_prices.named("jetstream", Path())


def test_a_wrong_list_is_refused_with_its_place(tmp_path: Path) -> None:
    head = 'unit = "SU"\nsource = "x"\n'
    for text, said in {
        "": "unit:",
        'unit = "SU"': "source:",
        'unit = "$ per hour"\nsource = "x"': "unit:",
        head + "[flavor]\na = 1": "flavor: no such key",
        head + "[flavors]\na = -1": "flavors.a: a number of 0 or more",
        head + "[flavors]\na = nan": "flavors.a",
        head + '[flavors]\na = "free"': "flavors.a",
        head + "[flavors]\na = true": "flavors.a",
        head + "[flavors]\na = { idle = 1 }": "one for each of running",
        head + "[states]\nrunning = 1": "states.running: no such key",
        head + "hours_per_month = 24": "hours_per_month",
        head + 'date = "soon"': "date: a day",
        head + "[volumes]\nany = 1e12": "volumes.any",
        head + "[": "not TOML",
    }.items():
        (tmp_path / "site.toml").write_text(text)
        with pytest.raises(WrongPricesError) as raised:
            site_prices.named("site.toml", tmp_path)
        assert said in str(raised.value), text
