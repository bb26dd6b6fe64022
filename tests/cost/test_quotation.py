"""Reading a quotation: its values, and every mistake named at once."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from roost.catalogue import Catalogue
from roost.cost.book import PriceBook
from roost.cost.quotation import Quotation, parse_quotation, read_quotation
from roost.cost.rates import Rate
from roost.errors import SpecError, UsageError

HEAD = 'date = 2022-06-01\nsource = "quotation 7"\n'


def test_the_example(manual: Quotation) -> None:
    assert manual == Quotation(
        date=date(2022, 6, 1),
        source="training manual",
        hours_per_month=Decimal(720),
        instances={"p2.xlarge": Decimal("1.09")},
        volumes={"any": Decimal("0.133")},
        addresses={"ipv4": Decimal("0.006")},
    )


def test_a_month_has_730_hours_unless_the_quotation_says_otherwise() -> None:
    assert parse_quotation(HEAD, "q.toml").hours_per_month == 730


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("hours_per_mont = 720", "hours_per_mont", "did you mean hours_per_month?"),
        ("[instance]\na = 1", "instance", "did you mean instances?"),
        ("[volumes]\ngp33 = 0.1", "volumes.gp33", "did you mean gp3?"),
        ("[addresses]\nip = 0.005", "addresses.ip", "did you mean ipv4?"),
        ("[volumes]\ngp3 = 0", "volumes.gp3", None),
        ("[volumes]\ngp3 = -0.1", "volumes.gp3", None),
        ("[volumes]\ngp3 = nan", "volumes.gp3", None),
        ("[volumes]\ngp3 = true", "volumes.gp3", None),
        ('[volumes]\ngp3 = "0.1"', "volumes.gp3", None),
        ("volumes = 3", "volumes", None),
        ("hours_per_month = 0", "hours_per_month", None),
        ("region = 3", "region", None),
    ],
)
def test_mistakes(text: str, where: str, hint: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        parse_quotation(HEAD + text, "q.toml")
    assert [(problem.where, problem.hint) for problem in caught.value.problems] == [(where, hint)]


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(SpecError, match="4 problems") as caught:
        parse_quotation("sauce = 1\n[s3]\nSTANDARD = 0", "q.toml")
    assert {problem.where for problem in caught.value.problems} == {
        "sauce",
        "date",
        "source",
        "s3.STANDARD",
    }


def test_a_file_that_is_no_toml_or_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "q.toml").write_text("date = \n")
    with pytest.raises(SpecError):
        read_quotation(tmp_path / "q.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_quotation(tmp_path / "missing.toml")


def test_quoted_prices_come_first_and_only_in_their_region(aws: Catalogue) -> None:
    text = (
        HEAD
        + 'region = "eu-west-1"\n'
        + "[instances]\n'c5.large' = 1\n[volumes]\ngp2 = 2\nany = 3\n[snapshots]\narchive = 4\n"
        + "archive_retrieval = 5\n[s3]\nSTANDARD = 6\n[transfer]\nout = 7\n[addresses]\nipv4 = 8\n"
    )
    book = PriceBook(aws, date(2026, 10, 15), parse_quotation(text, "q.toml"))
    here = "eu-west-1"
    prices = [
        book.instance(here, "c5.large"),
        book.volume(here, "gp2"),
        book.volume(here, "gp3"),
        book.snapshot(here, "archive"),
        book.archive_retrieval(here),
        book.s3(here, "STANDARD"),
        book.transfer_out(here)[0].rate,
        book.address(here, elastic=True, in_use=False),
    ]
    assert [price.usd for price in prices] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {(price.source, price.date) for price in prices} == {("quotation 7", date(2022, 6, 1))}
    assert book.free_transfer_gb(here) == 0
    assert book.s3(here, "STANDARD", "put") == aws.region(here).s3("STANDARD", "put")
    elsewhere = book.instance("eu-central-1", "c5.large")
    assert isinstance(elsewhere, Rate)
    assert elsewhere.usd == Decimal("0.097")
    assert book.free_transfer_gb("eu-central-1") == 100
