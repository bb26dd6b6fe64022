"""A shared account: what others write in records and tags is not obeyed on this computer."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.model.nodes import MOST_NAMES, launch, launched
from roost.providers.aws import parse, tags
from roost.providers.aws.requests import record_in, template_data
from roost.provision.machines import News
from tests.aws.conftest import Account
from tests.aws.moto_account import IMAGE
from tests.aws.test_cli import ok, roost
from tests.cli.calling import Roost

__all__ = ["roost"]

FILE = """\
name = "stars"
kind = "desktop"
cloud = "aws"
[aws]
region = "eu-central-1"
[machine]
cpus = 2
[pixinsight]
installer = "PI.tar.xz"
license = "licence"
"""
SECRET = b"[other]\naws_secret_access_key = never-to-be-seen"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, roost: Roost) -> Iterator[list[bytes]]:
    """All that is sent to machines, whose disks have nothing yet: ``on_main`` is empty."""
    del roost  # it has machines that are ready at once; these take what they are sent
    content: list[bytes] = []

    def hand_over(machines: Any, instances: Any, part: Any, boots: Any) -> Mapping[str, News]:
        del machines, boots
        for instance in instances:
            sent = io.BytesIO()
            part(instance, "", {}, {}).write(sent, frozenset(), lambda _: None)
            content.append(sent.getvalue())
        return {i.name: News(i.name, "ready", "ready") for i in instances}

    monkeypatch.setattr("roost.provision.deliver.hand_over", hand_over)
    yield content
    assert not any(SECRET in one for one in content)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "PI.tar.xz").write_bytes(b"the archive")
    (tmp_path / "licence").write_bytes(b"the licence")
    credentials = tmp_path / "home" / ".aws" / "credentials"
    credentials.parent.mkdir(parents=True, exist_ok=True)
    credentials.write_bytes(SECRET)
    (tmp_path / "stars.toml").write_text(FILE)
    return tmp_path / "stars.toml"


def forge(account: Account, **changes: Any) -> None:
    """Write another record for the name, as whoever shares the account can."""
    name = "roost-stars"
    versions = account.client.describe_launch_template_versions(
        LaunchTemplateName=name, Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    record = json.loads(record_in(versions[0]["LaunchTemplateData"]) or "")
    for path, value in changes.items():
        *tables, key = path.split("__")
        table = record
        for one in tables:
            table = table[one]
        table[key] = value
    account.client.create_launch_template_version(
        LaunchTemplateName=name, LaunchTemplateData=template_data(json.dumps(record))
    )


@pytest.mark.parametrize("verb", ["start", "up", "restart"])
def test_a_record_of_others_takes_no_file_from_here(
    verb: str, roost: Roost, account: Account, file: Path, sent: list[bytes], tmp_path: Path
) -> None:
    ok(roost("up", file, "--yes", "--json"))
    assert b"the archive" in sent[-1]
    assert b"the licence" in sent[-1]

    stolen = str(tmp_path / "home" / ".aws" / "credentials")
    forge(account, pixinsight__license=stolen)
    told = roost(verb, "stars", *(["--yes"] if verb == "up" else []))
    assert told.code == 0, told.err
    assert SECRET not in sent[-1]

    (tmp_path / "home" / "loot.tar").write_bytes(SECRET)
    forge(account, pixinsight__installer=str(tmp_path / "home" / "loot.tar"))
    told = roost(verb, "stars", *(["--yes"] if verb == "up" else []))
    assert told.code == 1
    assert f"names {tmp_path}/home/loot.tar, which `roost up` was never given for it" in told.err
    assert "roost up FILE" in told.err

    # One's own file is obeyed, and mends the record.
    ok(roost("up", file, "--yes", "--json"))
    assert b"the licence" in sent[-1]
    ok(roost(verb, "stars", *(["--yes"] if verb == "up" else []), "--json"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "the name 'other'"),
        ({"cloud": "local"}, "the cloud 'local'"),
        ({"aws__region": "us-east-1"}, "the region 'us-east-1'"),
    ],
)
def test_a_record_of_another_thing_is_refused_and_what_is_there_can_be_ended(
    changes: dict[str, Any], said: str, roost: Roost, account: Account, file: Path
) -> None:
    ok(roost("up", file, "--yes", "--json"))
    forge(account, **changes)
    for verb, *words in (("start",), ("resize", "--type", "m5.4xlarge", "--yes"), ("up", "--yes")):
        told = roost(verb, "stars", *words)
        assert told.code == 1, told.err
        assert f"the record of stars says {said}: somebody else has written it" in told.err
    ok(roost("stop", "stars", "--json"))
    told = roost("down", "stars", "--yes")
    assert told.code == 0, told.err
    assert account.left() == {}


def test_what_a_record_of_others_rents_or_opens_is_asked_for(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(FILE.partition("[pixinsight]")[0])
    ok(roost("up", file, "--yes"))
    ok(roost("stop", "stars"))
    ok(roost("start", "stars"))  # by the settings that were agreed to here nothing is asked
    forge(account, access__ssh=["me", "anywhere"])

    def opened() -> set[str]:
        (group,) = account.client.describe_security_groups(GroupNames=["roost-stars"])[
            "SecurityGroups"
        ]
        ranges = [r for p in group["IpPermissions"] for r in p["IpRanges"]]
        return {one["CidrIp"] for one in ranges}

    before = opened()
    told = roost("start", "stars")
    assert told.code == 4, told.err
    assert "open port 22 from anywhere" in told.err
    assert "the settings of stars were written elsewhere" in told.err
    assert opened() == before
    # A machine, too, and a yes makes it what was agreed to here.
    for reservation in account.client.describe_instances()["Reservations"]:
        ids = [one["InstanceId"] for one in reservation["Instances"]]
        account.client.terminate_instances(InstanceIds=ids)
    forge(account, access__ssh=["me"], machine__cpus=64)
    told = roost("start", "stars", "--no-input")
    assert told.code == 4, told.err
    assert "create 1 instance: desktop" in told.err
    ok(roost("start", "stars", "--yes"))
    assert opened() == before
    ok(roost("start", "stars"))


# --- tags ----------------------------------------------------------------------------------------


@given(st.text(max_size=300) | st.from_regex(r"a-[0-9]{1,30}\.\.[0-9]{1,30}", fullmatch=True))
def test_no_tag_makes_more_names_than_a_launch_has(text: str) -> None:
    begun = time.process_time()
    assert len(launched(text)) <= MOST_NAMES
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("text", ["a-1..99999999999", "a-1..999999999 b-1..999999999", "a-²..³"])
def test_a_tag_of_too_many_names_is_of_none_of_ours(text: str) -> None:
    assert all(name.isdigit() is False for name in launched(text))
    assert len(launched(text)) <= 2


@given(st.lists(st.integers(1, 10_000), unique=True, max_size=30))
def test_what_roost_writes_is_read_again(numbers: list[int]) -> None:
    names = [f"worker-{number}" for number in sorted(numbers)]
    text = launch(names)
    if len(text) <= tags.LONGEST:
        assert list(launched(text)) == names


def test_instances_with_any_tags_are_read_or_left_out(account: Account) -> None:
    """Others can tag their own machines so; each look must end all the same."""
    ec2 = account.client
    for node in ("a-1..99999999999", "x" * 256, "desktop", "²", " ", "../../x", "-oProxyCommand=x"):
        specification = {"roost": "stars", "roost:node": node, "roost:role": "desktop"}
        ec2.run_instances(
            ImageId=IMAGE,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[tags.specification("instance", specification)],
        )
    reservations = ec2.describe_instances()["Reservations"]
    assert [i.name for i in parse.instances(reservations)] == ["desktop"]
