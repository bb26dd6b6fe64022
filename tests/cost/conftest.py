"""What the tests of prices share: the shipped catalogue, and price books on it."""

from datetime import date
from pathlib import Path

import pytest

from roost.catalogue import Catalogue, load
from roost.cost.book import PriceBook
from roost.cost.quotation import Quotation, read_quotation

MANUAL = Path(__file__).parents[2] / "examples" / "prices" / "training-2022.toml"


@pytest.fixture(scope="session")
def aws() -> Catalogue:
    return load("aws")


@pytest.fixture(scope="session")
def today(aws: Catalogue) -> PriceBook:
    return PriceBook(aws, date(2026, 10, 15))


@pytest.fixture(scope="session")
def manual() -> Quotation:
    return read_quotation(MANUAL)


@pytest.fixture(scope="session")
def quoted(aws: Catalogue, manual: Quotation) -> PriceBook:
    return PriceBook(aws, date(2026, 10, 15), manual)
