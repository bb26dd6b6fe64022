"""`roost ls` on AWS: two calls, by a botocore that knows no others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from moto import mock_aws

from roost.app import resolve
from roost.cli.terminal import session as open_session
from roost.cli.text.listing import names_text
from roost.errors import CredentialsError, RoostError
from roost.model.place import Place
from roost.model.summary import Followed
from roost.providers.aws import listing
from roost.providers.aws.listing import MODEL, listings, summaries, summarized
from roost.providers.aws.optional import Unknowns
from tests.aws.conftest import Account
from tests.aws.scenes import cluster

KINDS = {"structure", "list", "string", "integer", "timestamp"}


def tagged(**tags: str) -> list[dict[str, str]]:
    keys = {"name": "roost", "role": "roost:role", "nodes": "roost:node", "kind": "roost:kind"}
    return [{"Key": keys[key], "Value": value} for key, value in tags.items()]


def machine(state: str, index: int = 0, **tags: str) -> dict[str, Any]:
    held = tagged(**{"name": "ndvi", "role": "worker", "nodes": "worker-1..2", **tags})
    return {"State": {"Name": state}, "AmiLaunchIndex": index, "Tags": held}


# --- the model ------------------------------------------------------------------------------------


def same(mine: Any, theirs: Any, where: str, seen: list[str]) -> None:
    """Everything of ``mine`` is in botocore's shape: the same type, under the same name."""
    seen.append(where)
    assert mine.type_name == theirs.type_name in KINDS, where
    if mine.type_name == "list":
        assert _named(mine.member) == _named(theirs.member), where
        same(mine.member, theirs.member, f"{where}[]", seen)
    for name, member in getattr(mine, "members", {}).items():
        assert name in theirs.members, where
        assert _named(member, name) == _named(theirs.members[name], name), f"{where}.{name}"
        same(member, theirs.members[name], f"{where}.{name}", seen)


def _named(shape: Any, name: str = "") -> str:
    return str(shape.serialization.get("name", name))


@pytest.mark.parametrize("operation", list(MODEL["operations"]))
def test_the_model_is_a_part_of_botocores_own(operation: str) -> None:
    theirs = botocore.session.get_session().get_service_model("ec2")
    mine = ServiceModel(MODEL, "ec2")
    seen: list[str] = []
    same(
        mine.operation_model(operation).output_shape,
        theirs.operation_model(operation).output_shape,
        operation,
        seen,
    )
    assert any(one.endswith((".Tags[].Value", ".SystemStatus.Status")) for one in seen)
    assert {key: theirs.metadata[key] for key in mine.metadata} == mine.metadata


@pytest.mark.parametrize("operation", list(MODEL["operations"]))
def test_the_same_is_sent_as_by_botocores_own_model(operation: str) -> None:
    theirs = botocore.session.get_session().get_service_model("ec2")
    asked = {
        "Filters": [{"Name": "tag-key", "Values": ["roost", "other"]}],
        "MaxResults": 200,
        "NextToken": "abc",
    }
    sent, should = (
        create_serializer("ec2").serialize_to_request(asked, model.operation_model(operation))
        for model in (ServiceModel(MODEL, "ec2"), theirs)
    )
    assert sent == should
    assert sent["body"] == {
        "Action": operation,
        "Version": "2016-11-15",
        "Filter.1.Name": "tag-key",
        "Filter.1.Value.1": "roost",
        "Filter.1.Value.2": "other",
        "MaxResults": 200,
        "NextToken": "abc",
    }


def test_pages_are_as_long_as_ec2_lets_them_be() -> None:
    """More is refused: InvalidParameterValue."""
    theirs = botocore.session.get_session().get_service_model("ec2")
    templates = theirs.operation_model("DescribeLaunchTemplates").input_shape
    assert templates is not None
    assert listing.PAGES["describe_launch_templates"] == 200
    assert templates.members["MaxResults"].metadata["max"] == 200


# --- the rows -------------------------------------------------------------------------------------


def test_the_rows() -> None:
    made = datetime(2026, 11, 21, 9, 30)
    reservations = [
        {"Instances": [machine("running", nodes="head", role="head")]},
        {"Instances": [machine("running"), machine("stopped", 1), machine("pending", 2)]},
        {"Instances": [machine("terminated")]},
        {"Instances": [machine("shutting-down", name="lost", nodes="worker-1")]},
        {"Instances": [machine("running", name="somebody", role="owner")]},
    ]
    templates = [
        {"CreateTime": made, "Tags": tagged(name="ndvi", kind="cluster")},
        {"CreateTime": made, "Tags": tagged(name="asleep", kind="desktop")},
    ]
    templates[0]["Tags"] += [{"Key": "roost:follows", "Value": "0..8"}]
    templates[1]["Tags"] += [{"Key": "roost:follows", "Value": "0..8; rm -rf"}]  # not roost's
    rows = summarized(reservations, templates, "eu-west-1", {})
    assert [(r.name, r.kind, r.states, r.created) for r in rows] == [
        ("asleep", "desktop", {}, made),
        ("lost", "unknown", {"deleting": 1}, None),
        ("ndvi", "cluster", {"running": 2, "stopped": 1}, made),
    ]
    assert {(r.cloud, r.region) for r in rows} == {("aws", "eu-west-1")}
    assert [r.follows for r in rows] == [None, None, Followed(2, 0, 8)]
    assert "2 running, 1 stopped; workers: 2 of 0..8" in names_text(rows)


class Pages:
    """An EC2 that gives one thing on a page."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def describe_instances(self, **asked: Any) -> dict[str, Any]:
        return self._page("Reservations", asked, lambda n: {"Instances": [machine("running", n)]})

    def describe_launch_templates(self, **asked: Any) -> dict[str, Any]:
        return self._page(
            "LaunchTemplates", asked, lambda n: {"Tags": tagged(name=f"name-{n}", kind="desktop")}
        )

    def describe_instance_status(self, **asked: Any) -> dict[str, Any]:
        return self._page("InstanceStatuses", asked, lambda n: {"InstanceId": f"i-{n}"})

    def _page(self, field: str, asked: dict[str, Any], one: Callable[[int], Any]) -> Any:
        self.asked.append(asked)
        number = int(asked.get("NextToken", 0))
        more = {"NextToken": str(number + 1)} if number == 0 else {}
        return {field: [one(number)], **more}


def test_all_pages_are_read() -> None:
    ec2 = Pages()
    rows = summaries(ec2, "eu-west-1", Unknowns())
    assert {r.name: r.states for r in rows} == {"name-0": {}, "name-1": {}, "ndvi": {"running": 2}}
    assert sorted((a["MaxResults"], a.get("NextToken")) for a in ec2.asked if "NextToken" in a) == [
        (200, "1"),
        (1000, "1"),
        (1000, "1"),
    ]
    assert len(ec2.asked) == 6
    mine = [a["Filters"] for a in ec2.asked if "Filters" in a]
    assert mine == [[{"Name": "tag-key", "Values": ["roost"]}]] * 4


# --- the client -----------------------------------------------------------------------------------


@pytest.fixture
def two_regions(account: Account) -> Account:
    """A cluster of a head and three, and a machine of somebody else in another region."""
    account.up(cluster(3))
    other = boto3.client("ec2", region_name="eu-west-1")
    other.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    return account


def test_the_short_client_sees_what_the_whole_one_sees(two_regions: Account) -> None:
    short, empty = (
        one.summaries() for one in listings(("eu-central-1", "eu-west-1"), None, Unknowns())
    )
    (row,) = short
    assert (row.name, row.kind) == (cluster(3).name, "cluster")
    assert sum(row.states.values()) == 4
    assert row.created is not None
    whole = summaries(boto3.client("ec2", region_name="eu-central-1"), "eu-central-1", Unknowns())
    assert short == whole
    assert empty == ()


def test_what_aws_refuses_is_said_in_roosts_words(
    credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del credentials
    (one,) = listings(("eu-central-1",), None, Unknowns())
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CredentialsError) as caught:
        one.summaries()
    assert caught.value.next == "aws configure   (or: aws sso login)"
    with pytest.raises(CredentialsError, match="nobody"):
        listings(("eu-central-1",), "nobody", Unknowns())
    with mock_aws(), pytest.raises(RoostError, match="connect to AWS"):
        listings(("not a region",), None, Unknowns())[0].summaries()


# --- where to look --------------------------------------------------------------------------------


def looked_in(**said: str) -> list[tuple[str, str]]:
    return [(one.name, one.region) for one in resolve.listers(open_session(Place(**said)))]


def test_where_ls_looks(credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del credentials
    monkeypatch.setenv("ROOST_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    default, used = ("aws", "eu-central-1"), ("aws", "us-east-1")
    assert looked_in() == [default]
    (tmp_path / "aws" / "regions" / "default").mkdir(parents=True)
    (tmp_path / "aws" / "regions" / "default" / "us-east-1").touch()
    assert looked_in() == [default, used]
    assert looked_in(region="eu-west-1") == [("aws", "eu-west-1")]

    (tmp_path / "local" / "here").mkdir(parents=True)
    assert looked_in() == [("local", ""), default, used]
    assert looked_in(cloud="aws") == [default, used]
    assert looked_in(cloud="local") == [("local", "")]
    assert looked_in(region="eu-west-1") == [("aws", "eu-west-1")]
