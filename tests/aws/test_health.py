"""Machines of which EC2 says that something is wrong: they are named, and workers are replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roost.model.steps import Create, Delete
from roost.plan.up import plan_up
from roost.providers.aws.health import unwell
from roost.providers.aws.listing import summaries
from roost.providers.aws.optional import Unknowns
from tests.aws.conftest import Account
from tests.aws.scenes import cluster, names
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_lost_copies import STARS
from tests.cli.calling import Roost

roost = on_aws
IMPAIRED = {"SystemStatus": {"Status": "impaired"}}
RETIRING = {
    "Events": [{"Code": "instance-retirement", "NotBefore": datetime(2027, 2, 1, tzinfo=UTC)}]
}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (IMPAIRED, "EC2's check of its hardware fails"),
        ({"InstanceStatus": {"Status": "impaired"}}, "EC2's check of its system fails"),
        (RETIRING, "EC2 retires its hardware on 2027-02-01"),
        ({"Events": [{"Code": "instance-retirement", "Description": "[Completed] it"}]}, None),
        ({"Events": [{"Code": "system-reboot", "Description": "soon"}]}, None),
        ({"InstanceStatus": {"Status": "initializing"}}, None),
        ({}, None),
    ],
)
def test_what_a_status_says(status: dict[str, Any], text: str | None) -> None:
    assert unwell([{"InstanceId": "i-1", **status}]).get("i-1") == text


def test_a_worker_is_replaced_and_a_head_is_not(account: Account) -> None:
    account.up(cluster(3))
    have = account.roost().observe("ndvi")
    ids = {i.name: i.id for i in have.instances}
    account.ec2.unwell = {ids["worker-2"]: IMPAIRED, ids["head"]: RETIRING}
    (row,) = summaries(account.client, account.ec2.region, Unknowns())
    assert row.unwell == (
        "head: EC2 retires its hardware on 2027-02-01",
        "worker-2: EC2's check of its hardware fails",
    )
    steps = plan_up(cluster(3), account.roost().observe("ndvi")).steps
    (made,) = (s for s in steps if isinstance(s, Create))
    (gone,) = (s for s in steps if isinstance(s, Delete))
    assert [r.name for r in made.resources] == ["worker-4"]
    assert (gone.names, gone.reason) == (("worker-2",), "EC2's check of its hardware fails")
    calls = len(account.ec2.calls)
    state = account.up(cluster(3))
    assert names(state).keys() == {"head", "worker-1", "worker-3", "worker-4"}
    assert account.ec2.calls[calls:].count("DescribeInstanceStatus") == 1
    account.up(cluster(3))
    assert names(account.roost().observe("ndvi")).keys() == names(state).keys()


def test_show_says_it_and_how_to_move_a_desktop(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(STARS)
    ok(roost("up", file, "--yes"))
    assert "DescribeInstanceStatus" not in account.ec2.calls
    (machine,) = account.roost().observe("stars").instances
    account.ec2.unwell = {machine.id: RETIRING}
    told = roost("show", "stars")
    assert (
        "desktop: EC2 retires its hardware on 2027-02-01; `roost stop stars` and `roost start"
        " stars` move it to other hardware" in told.err
    )
    ok(roost("up", file, "--yes"))
    assert account.roost().observe("stars").instances[0].id == machine.id
    assert ok(roost("show", "stars", "--json"))["instances"][0]["health"] != ""
