"""``roost cost --billed``: the account's own bill, where it may be read."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from jsonschema import Draft202012Validator

from roost.providers.aws import session
from tests.aws.test_cli import ok, roost
from tests.aws.test_lost_copies import STARS
from tests.cli.calling import OUTPUTS, Roost

__all__ = ["roost"]

Month = tuple[str, str, bool]


@cache
def asked_of_it() -> Any:
    """The shape of what it is asked, from botocore's own model."""
    explorer = botocore.session.get_session().get_service_model("ce")
    return explorer.operation_model("GetCostAndUsage").input_shape


class Explorer:
    """Cost Explorer: pages of months, or an error's code; answers of the service's own shape."""

    def __init__(self) -> None:
        self.pages: list[list[Month]] = [[]]
        self.refuses = ""
        self.asked: list[dict[str, Any]] = []

    def get_cost_and_usage(self, **asked: Any) -> dict[str, Any]:
        validate_parameters(asked, asked_of_it())
        self.asked.append(asked)
        if self.refuses:
            error = {"Error": {"Code": self.refuses, "Message": "no"}}
            raise ClientError(error, "GetCostAndUsage")
        page = int(asked.get("NextPageToken", 0))
        months = [
            {"Total": {"UnblendedCost": {"Amount": usd, "Unit": unit}}, "Estimated": still}
            for usd, unit, still in self.pages[page]
        ]
        more = {"NextPageToken": str(page + 1)} if page + 1 < len(self.pages) else {}
        return {"ResultsByTime": months, **more}


@pytest.fixture
def explorer(roost: Roost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Explorer:
    found, make = Explorer(), session.Clients.__call__
    monkeypatch.setattr(
        session.Clients,
        "__call__",
        lambda self, service: found if service == "ce" else make(self, service),
    )
    file = tmp_path / "stars.toml"
    file.write_text(STARS)
    ok(roost("up", file, "--yes"))
    return found


def test_the_bill_of_a_name_is_summed_from_its_tag(roost: Roost, explorer: Explorer) -> None:
    assert "bill" not in roost("cost", "stars").out
    assert explorer.asked == []
    explorer.pages = [[("10.25", "USD", False)], [("2.5000000001", "USD", True)]]
    told = roost("cost", "stars", "--billed")
    assert "on the account's bill since " in told.out
    assert ": $12.75; it can still change" in told.out
    first, second = explorer.asked
    assert first["Filter"]["Tags"] == {
        "Key": "roost",
        "Values": ["stars"],
        "MatchOptions": ["EQUALS"],
    }
    assert (second["NextPageToken"], first["TimePeriod"]) == ("1", second["TimePeriod"])
    found = roost("cost", "stars", "--billed", "--json").json
    schema = json.loads((OUTPUTS / "cost.schema.json").read_text())
    Draft202012Validator(schema["properties"]["billed"]).validate(found["billed"])
    assert (found["billed"]["currency"], found["billed"]["final"]) == ("USD", False)


def test_a_bill_that_is_not_to_be_had_is_unknown_and_never_nothing(
    roost: Roost, explorer: Explorer
) -> None:
    for pages in ([[]], [[("0", "USD", True)]]):
        explorer.pages = pages
        told = roost("cost", "stars", "--billed").out
        assert "unknown: nothing is on the bill with the tag roost" in told
        assert "TagKey=roost,Status=Active" in told
    explorer.pages = [[("1", "USD", True), ("1", "EUR", True)]]
    assert "unknown: the bill is in EUR and USD" in roost("cost", "stars", "--billed").out
    explorer.refuses = "AccessDeniedException"
    told = roost("cost", "stars", "--billed").out
    assert "unknown: Cost Explorer does not say (AccessDeniedException)" in told
    assert "so far: " in told  # and all else is told
    found = roost("cost", "stars", "--billed", "--json").json["billed"]
    assert (found["amount"], found["final"]) == (None, None)
    explorer.refuses = "ExpiredTokenException"
    assert roost("cost", "stars", "--billed").code == 5
