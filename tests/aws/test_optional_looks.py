"""What an account may not see, or an endpoint does not know, ends no command without need."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from roost.providers.aws.listing import summaries
from roost.providers.aws.optional import OPTIONAL, Unknowns
from roost.providers.aws.permissions import CALLS
from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_lost_copies import STARS
from tests.cli.calling import Roost

roost = on_aws
REFUSALS = ("AccessDenied", "UnauthorizedOperation", "InvalidAction", "UnsupportedOperation")


def operation(call: str) -> str:
    return "".join(word.capitalize() for word in call.split("_"))


def test_an_optional_call_is_unknown_however_it_is_refused_and_said_once() -> None:
    assert {f"ec2:{operation(call)}" for call in OPTIONAL} <= {call.action for call in CALLS}
    for call, what in OPTIONAL.items():
        told: list[str] = []
        unknowns = Unknowns(told.append)
        for code in REFUSALS:

            def refuse(code: str = code, call: str = call) -> None:
                raise ClientError({"Error": {"Code": code}}, operation(call))

            assert unknowns.without(call, refuse) is None
            assert unknowns.without(call, refuse) is None
            assert told[-1] == f"unknown: {what} (ec2:{operation(call)}: {code})"
        assert len(told) == len(REFUSALS)

        def broken(call: str = call) -> None:
            raise ClientError({"Error": {"Code": "InternalError"}}, operation(call))

        with pytest.raises(ClientError):
            unknowns.without(call, broken)


@pytest.mark.parametrize(
    "code",
    [
        "UnauthorizedOperation",
        pytest.param("InvalidAction", marks=pytest.mark.slow),
        pytest.param("UnsupportedOperation", marks=pytest.mark.slow),
    ],
)
def test_all_commands_work_without_any_of_them(
    code: str, roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(STARS)
    refuse = dict.fromkeys([operation(call) for call in OPTIONAL], code)
    templates = refuse.pop("DescribeLaunchTemplates")  # `ls` alone can do without
    account.ec2.weather = Weather(refuse=refuse)
    ok(roost("up", file, "--yes"))
    refuse["DescribeLaunchTemplates"] = templates
    heard: list[str] = []
    (row,) = summaries(account.client, account.ec2.region, Unknowns(heard.append))
    assert (row.name, row.kind, row.states) == ("stars", "unknown", {"running": 1})
    assert sorted(heard) == [
        f"unknown: whether EC2's checks of machines pass (ec2:DescribeInstanceStatus: {code})",
        f"unknown: which names have only a record (ec2:DescribeLaunchTemplates: {code})",
    ]
    del refuse["DescribeLaunchTemplates"]
    for words in (
        ("show", "stars"),
        ("stop", "stars"),
        ("start", "stars"),
        ("resize", "stars", "--type", "m5.xlarge", "--yes"),
        ("park", "stars", "--mode", "data=archive", "--yes"),
        ("cost", "stars"),
    ):
        told = roost(*words)
        assert told.code == 0, (words, told.err)
        assert told.err.count("ec2:DescribeSnapshotTierStatus") <= 1, told.err
    assert "which snapshots move to the archive or back (ec2:DescribeSnapshotTierStatus" in told.err
    account.settle()
    told = roost("resume", "stars", "--yes")
    assert told.code == 3, told.err  # the archive takes its time
    assert "back from the archive" in told.err
    account.settle()
    ok(roost("resume", "stars", "--yes"))
    account.ec2.discarded = {"data", "scratch"}
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert account.ec2.lost == []
    assert account.left() == {}
