"""``[access]`` through the command line: who is let in, and who is not any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok, roost
from tests.cli.calling import Roost

__all__ = ["roost"]

FILE = """\
name = "lab"
kind = "desktop"
cloud = "aws"
[aws]
region = "eu-central-1"
[machine]
cpus = 2
[access]
"""
NET, ANY = "192.0.2.0/24", "0.0.0.0/0"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def access(text: str) -> Path:
        file = tmp_path / "lab.toml"
        file.write_text(FILE + text)
        return file

    return access


def rules(account: Account) -> set[tuple[int, str]]:
    """What EC2 lets in from outside, by port and network."""
    (group,) = groups(account)
    return {
        (permission["FromPort"], place["CidrIp"])
        for permission in group["IpPermissions"]
        for place in permission["IpRanges"]
    }


def groups(account: Account) -> list[dict[str, Any]]:
    described = account.client.describe_security_groups()["SecurityGroups"]
    return [group for group in described if group["GroupName"] == "roost-lab"]


def among_themselves(account: Account) -> bool:
    (group,) = groups(account)
    pairs = (pair for one in group["IpPermissions"] for pair in one["UserIdGroupPairs"])
    return [pair["GroupId"] for pair in pairs] == [group["GroupId"]]


def test_what_the_file_names_no_more_is_closed_and_shown_before(
    roost: Roost, account: Account, write: Any
) -> None:
    file = write(f'ssh = ["me", "{NET}"]\nhttps = ["anywhere"]\n')
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, "203.0.113.7/32"), (22, NET), (443, ANY)}
    by_hand = {"CidrIp": "198.51.100.0/24", "Description": "for the workshop"}
    port = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    (group,) = groups(account)
    account.client.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpPermissions=[{**port, "IpRanges": [by_hand]}]
    )

    write('ssh = ["me"]\n')
    shown = ok(roost("plan", file, "--diff"))
    assert f"close port 22 from {NET}, port 443 from anywhere: not in the file any more" in shown
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, "203.0.113.7/32"), (22, "198.51.100.0/24")}
    assert among_themselves(account)
    before = len(account.ec2.calls)
    ok(roost("up", file, "--yes", "--json"))
    assert not [c for c in account.ec2.calls[before:] if "Ingress" in c], "nothing is left to do"


def test_an_address_that_is_named_twice_is_one_rule(
    roost: Roost, account: Account, write: Any
) -> None:
    """EC2 refuses a whole call with a rule twice, and the machines' own rule with it."""
    file = write(f'ssh = ["me", "203.0.113.7/32", "{NET}"]\n')
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, "203.0.113.7/32"), (22, NET)}
    assert among_themselves(account)
    assert "is up" in roost("up", file, "--yes").err
    write(f'ssh = ["203.0.113.7/32", "{NET}"]\n')
    ok(roost("up", file, "--yes", "--json"))
    write(f'ssh = ["me", "{NET}"]\n')
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, "203.0.113.7/32"), (22, NET)}


def test_who_moves_leaves_no_way_in_behind_and_cuts_off_no_colleague(
    roost: Roost,
    account: Account,
    write: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = write('ssh = ["me"]\n')
    ok(roost("up", file, "--yes", "--json"))

    key = tmp_path / "home" / ".ssh" / "id_ed25519.pub"
    mine = key.read_bytes()
    other = mine.replace(b"AAAAIJ1Vw", b"AAAAIJ2Vw")
    assert other != mine
    key.write_bytes(other)  # a colleague's computer
    monkeypatch.setenv("ROOST_MY_ADDRESS", "203.0.113.88")
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, "203.0.113.7/32"), (22, "203.0.113.88/32")}

    key.write_bytes(mine)
    monkeypatch.setenv("ROOST_MY_ADDRESS", "203.0.113.9")
    told = roost("start", "lab")
    assert told.code == 0, told.err
    assert rules(account) == {(22, "203.0.113.9/32"), (22, "203.0.113.88/32")}

    write(f'ssh = ["{NET}"]\n')
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, NET)}


def test_a_rule_of_an_older_roost_stays_where_nobody_knows_whose_it_is(
    roost: Roost, account: Account, write: Any
) -> None:
    file = write('ssh = ["me"]\n')
    ok(roost("up", file, "--yes", "--json"))
    old = {"CidrIp": "198.51.100.1/32", "Description": "roost: caller"}
    port = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    (group,) = groups(account)
    account.client.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpPermissions=[{**port, "IpRanges": [old]}]
    )
    ok(roost("up", file, "--yes", "--json"))
    assert rules(account) == {(22, "203.0.113.7/32"), (22, "198.51.100.1/32")}


def test_who_stops_needs_no_address_of_their_own(
    roost: Roost, account: Account, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write('ssh = ["me"]\n')
    ok(roost("up", file, "--yes", "--json"))
    monkeypatch.setenv("ROOST_MY_ADDRESS", "nonsense")
    assert json.loads(roost("show", "lab", "--json").out)["name"] == "lab"
    ok(roost("stop", "lab", "--json"))
    refused = roost("start", "lab")
    assert refused.code == 1
    assert 'which address is "me"?' in refused.err
    ok(roost("down", "lab", "--yes", "--json"))
    assert account.left() == {}


def test_an_address_that_cannot_be_let_in_is_said_before_anything_is_made(
    roost: Roost, account: Account, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write('ssh = ["me"]\n')
    for own, said in (("nonsense", "which is no address"), ("2001:db8::1", "128 is IPv6")):
        monkeypatch.setenv("ROOST_MY_ADDRESS", own)
        assert 'which address is "me"? ' in (examined := roost("doctor", file)).out
        assert said in examined.out
        told = roost("up", file, "--yes")
        assert (told.code, said in told.err) == (1, True), told.err
    assert account.left() == {}


def test_rules_that_somebody_else_made_a_moment_ago_are_looked_at_again(
    roost: Roost, account: Account, write: Any
) -> None:
    """EC2 lets in nobody by a call with a rule that is there: it is not done yet."""
    file = write(f'ssh = ["me", "{NET}"]\n')
    again = ("InvalidPermission.Duplicate", 8.0)
    account.ec2.weather = Weather(late={"AuthorizeSecurityGroupIngress": again})
    ok(roost("up", file, "--yes", "--json"))
    assert account.ec2.counted["AuthorizeSecurityGroupIngress"] > 1
    assert rules(account) == {(22, "203.0.113.7/32"), (22, NET)}
    assert among_themselves(account)


def test_the_address_is_asked_for_only_where_the_file_says_me(
    roost: Roost, account: Account, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write('ssh = ["me"]\n')
    ok(roost("up", file, "--yes", "--json"))
    write(f'ssh = ["{NET}"]\n')
    asked: list[str] = []

    def ask() -> str:
        asked.append("me")
        return "203.0.113.7/32"

    def commands() -> None:
        ok(roost("up", file, "--yes", "--json"))
        for words in (("show",), ("stop",), ("start",)):
            ok(roost(words[0], "lab", *words[1:]))

    ok(roost("up", file, "--yes", "--json"))  # the record of before says "me"
    assert rules(account) == {(22, NET)}  # their own old rule is known by their key
    monkeypatch.setattr("roost.providers.aws.session.my_address", ask)
    commands()
    assert asked == []
    write('ssh = ["me"]\n')
    ok(roost("up", file, "--yes", "--json"))
    assert asked
