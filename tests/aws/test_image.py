"""Baked images: made, listed, copied, shared, deleted, and started from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from roost.cli.main import cli
from roost.errors import (
    CapacityError,
    CloudError,
    NeedsConfirmationError,
    NotFoundError,
    SetupError,
    UsageError,
)
from roost.model.host import Host
from roost.model.resources import Instance, Wanted
from roost.plan.wanted import wanted_of
from roost.providers.aws.images.store import baked_images, best
from roost.providers.aws.permissions import NEEDS, policy
from roost.providers.aws.statements import ANY
from roost.recipes.digest import recipe_digest
from roost.spec import Spec, load
from tests.aws.conftest import REGION, Account
from tests.aws.policies.gate import Gate
from tests.aws.strict import Killed, Weather
from tests.aws.strict_images import StrictImages

ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / "schema" / "output"
STARS = """
name = "stars"
kind = "desktop"
[aws]
region = "eu-central-1"
[machine]
type = "m7i.large"
disk = "{disk}GB"
image = "{system}"
[[volumes]]
name = "data"
size = "100GB"
[tags]
group = "astro"
"""


@pytest.fixture
def account(account: Account) -> Account:
    """With images as EC2 has them."""
    account.ec2 = StrictImages()
    return account


@dataclass
class Bench:
    """A desktop in an account, and the commands of `roost image`."""

    account: Account
    spec: Spec

    @property
    def ec2(self) -> StrictImages:
        assert isinstance(self.account.ec2, StrictImages)
        return self.account.ec2

    def wanted(self, **other: str) -> Wanted:
        return wanted_of(self.spec, Host(0, 0))

    def up(self) -> Any:
        return self.account.up(self.wanted())

    def run(self, *words: str) -> Result:
        """A process of its own; a kill goes through."""
        result = CliRunner().invoke(cli, ["image", *words])
        if isinstance(result.exception, Killed):
            raise result.exception
        return result

    def done(self, *words: str) -> Result:
        result = self.run(*words)
        if result.exception is not None:
            raise result.exception
        return result

    def json(self, command: str, *words: str) -> Any:
        """The output, which is as its schema says."""
        found = json.loads(self.done(command, *words, "--json").stdout)
        schema = json.loads((OUTPUTS / f"image-{command}.schema.json").read_text())
        checker = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator(schema, format_checker=checker).validate(found)
        return found

    def left(self) -> dict[str, int]:
        return {kind: len(ids) for kind, ids in self.account.left().items()}

    def states(self) -> dict[str, str]:
        return {i.name: i.state for i in self.account.roost().observe("stars").instances}


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., Spec]:
    def read(disk: int = 30, system: str = "ubuntu-24.04") -> Spec:
        file = tmp_path / "stars.toml"
        file.write_text(STARS.format(disk=disk, system=system))
        return load(file)

    return read


@pytest.fixture
def bench(account: Account, spec: Callable[..., Spec], monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("roost.app.resolve.locate", lambda *_: account.roost())
    monkeypatch.setattr("roost.app.resolve.clouds", lambda *_: (account.roost(),))
    return Bench(account, spec())


# --- bake ----------------------------------------------------------------------------------------


def test_a_running_desktop_becomes_an_image_and_runs_again(bench: Bench) -> None:
    before = bench.up()
    made = bench.json("bake", "stars", "--yes")
    assert {key: made[key] for key in made if key not in ("id", "made")} == {
        "name": "stars",
        "region": "eu-central-1",
        "state": "completed",
        "arch": "x86_64",
        "system": "ubuntu-24.04",
        "recipe": recipe_digest(bench.spec, "desktop"),
        "made_from": "stars desktop",
        "size_gib": 30.0,
        # 30 GB of a snapshot at $0.054, the price list's in Frankfurt
        "per_month": {"usd": 1.62, "known": True, "at_most": True},
    }
    after = bench.account.roost().observe("stars")
    assert [(i.id, i.state) for i in after.instances] == [(before.instances[0].id, "running")]
    assert [(v.id, v.state) for v in after.volumes] == [(before.volumes[0].id, "attached")]
    assert (bench.ec2.leaked, bench.ec2.lost) == ([], [])
    # Nothing but the image is more than before: no helper, no copy, no firewall.
    assert bench.left() == {
        "snapshots": 1,
        "images": 1,
        "instances": 1,
        "volumes": 2,
        "groups": 1,
        "keys": 1,
        "templates": 1,
    }
    (mine,) = bench.account.client.describe_instances(InstanceIds=[before.instances[0].id])[
        "Reservations"
    ][0]["Instances"]
    assert "roost:baking" not in {t["Key"] for t in mine["Tags"]}


def test_what_the_helper_is(bench: Bench) -> None:
    bench.up()
    bench.done("bake", "stars", "--yes")
    asked = [a for name, a in bench.ec2.asked if name == "RunInstances"][-1]
    made = [a for name, a in bench.ec2.asked if name == "CreateImage"]
    group = [a for name, a in bench.ec2.asked if name == "CreateSecurityGroup"][-1]
    assert asked["InstanceType"] == "t3.small"
    assert "KeyName" not in asked
    assert asked["InstanceInitiatedShutdownBehavior"] == "stop"
    assert asked["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 1,
    }
    assert "IamInstanceProfile" not in asked  # nothing on it works for the user
    assert asked["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False
    assert asked["BlockDeviceMappings"][0]["Ebs"] == {
        "VolumeSize": 30,
        "VolumeType": "gp3",
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    assert group["GroupName"] == "roost image stars"
    entered = [a for name, a in bench.ec2.asked if name == "AuthorizeSecurityGroupIngress"]
    assert len(entered) == 1  # the desktop's own
    assert asked["NetworkInterfaces"][0]["Groups"] != [entered[0]["GroupId"]]
    # The copy is without the data volume; the machine itself is told nothing.
    assert made[0]["BlockDeviceMappings"] == [{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    assert made[1]["BlockDeviceMappings"] == []
    for kind in asked["TagSpecifications"]:
        held = {t["Key"]: t["Value"] for t in kind["Tags"]}
        assert (held["roost"], held["roost:node"], held["roost:role"], held["group"]) == (
            "~images",
            "stars",
            "helper",
            "astro",
        )


def test_a_stopped_desktop_stays_stopped_and_nobody_is_asked(bench: Bench) -> None:
    bench.up()
    bench.account.stop("stars")
    bench.done("bake", "stars", "--no-input")
    assert bench.states() == {"desktop": "stopped"}
    assert bench.ec2.counted["StartInstances"] == 0


def test_a_running_one_is_not_stopped_without_a_yes(bench: Bench) -> None:
    bench.up()
    with pytest.raises(NeedsConfirmationError, match="desktop is running"):
        bench.done("bake", "stars")
    assert bench.states() == {"desktop": "running"}
    assert bench.ec2.counted["CreateImage"] == 0


def test_the_older_image_of_a_name_goes_when_the_new_one_is_completed(bench: Bench) -> None:
    bench.up()
    first = bench.json("bake", "stars", "--yes")
    second = bench.json("bake", "stars", "--yes")
    assert first["id"] != second["id"]
    assert bench.account.left()["images"] == [second["id"]]
    (gone,) = [
        n
        for n, (name, a) in enumerate(bench.ec2.asked)
        if name == "DeregisterImage" and a["ImageId"] == first["id"]
    ]
    made = max(n for n, (name, _) in enumerate(bench.ec2.asked) if name == "CreateImage")
    assert gone > made


def test_two_names_are_two_images(bench: Bench) -> None:
    bench.up()
    bench.done("bake", "stars", "--yes", "--as", "first")
    bench.done("bake", "stars", "--yes", "--as", "second")
    listed = bench.json("ls")
    assert [(one["name"], one["state"]) for one in listed] == [
        ("first", "completed"),
        ("second", "completed"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("helper", "said"),
    [
        ("fails", "cleaning failed: /home: Input/output error"),
        ("hangs", "the helper did not end in 15 minutes"),
        ("silent", "the helper switched itself off without a word in 25 minutes"),
    ],
)
def test_no_image_is_made_of_a_disk_that_is_not_clean(bench: Bench, helper: Any, said: str) -> None:
    bench.up()
    before = bench.left()
    bench.ec2.helper = helper
    with pytest.raises(SetupError, match=said):
        bench.done("bake", "stars", "--yes")
    assert bench.left() == before
    assert bench.states() == {"desktop": "running"}
    assert bench.ec2.leaked == []
    bench.ec2.helper = "clean"
    assert bench.json("bake", "stars", "--yes")["state"] == "completed"


def test_the_consoles_last_lines_are_in_the_message(bench: Bench) -> None:
    bench.up()
    bench.ec2.helper = "fails"
    with pytest.raises(SetupError, match=r"    \[  9.1\] systemd\[1\]: started"):
        bench.done("bake", "stars", "--yes")


def test_a_helper_that_ends_while_it_starts_is_not_launched_again(bench: Bench) -> None:
    bench.up()
    bench.account.stop("stars")
    launches = bench.ec2.counted["RunInstances"]
    bench.ec2.weather = Weather(deaths=["Client.InternalError: Client error on launch"])
    told = bench.run("bake", "stars", "--yes")
    assert isinstance(told.exception, CloudError)
    assert "the helper of the image: EC2 ended it at once" in told.exception.what
    assert "kms_key" in str(told.exception.next)
    assert bench.ec2.counted["RunInstances"] == launches + 1


def test_a_helper_has_room_elsewhere_or_nothing_is_left(bench: Bench) -> None:
    bench.up()
    before = bench.left()
    kinds, zones = ("t3.small", "t3a.small"), ("a", "b", "c")
    every = [(kind, f"eu-central-1{zone}") for zone in zones for kind in kinds]
    bench.ec2.weather = Weather(full=frozenset(every[:3]))
    bench.done("bake", "stars", "--yes")
    launches = [a["InstanceType"] for n, a in bench.ec2.asked if n == "RunInstances"]
    assert launches[1:] == ["t3.small", "t3a.small", "t3.small", "t3a.small"]
    bench.done("rm", "stars", "--yes")
    bench.ec2.weather = Weather(full=frozenset(every))
    with pytest.raises(CapacityError, match=r"no t3a.small in eu-central-1c"):
        bench.done("bake", "stars", "--yes")
    assert bench.left() == before
    bench.account.settle()
    assert bench.states() == {"desktop": "running"}


def test_where_there_is_no_room_to_start_again_the_image_is_made_all_the_same(
    bench: Bench,
) -> None:
    bench.up()
    bench.ec2.weather = Weather(
        full=frozenset(("m7i.large", f"eu-central-1{zone}") for zone in "abc")
    )
    told = bench.done("bake", "stars", "--yes")
    assert "no room to start stars desktop again now (InsufficientInstanceCapacity)" in told.stderr
    assert "it stays stopped, and `roost start stars` tries later" in told.stderr
    assert bench.states() == {"desktop": "stopped"}
    assert [one["state"] for one in bench.json("ls")] == ["completed"]


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("bake", "stars", "--node", "head"), NotFoundError, "no instance head"),
        (("bake", "stars", "--as", "~images"), UsageError, "no name for an image"),
        (("share", "stars", "1234"), UsageError, "12 digits"),
        (("rm", "other"), NotFoundError, "no baked image other is in eu-central-1"),
        (("copy", "other", "--region", "us-east-1"), NotFoundError, "no baked image"),
    ],
)
def test_what_cannot_be(bench: Bench, words: Any, error: Any, said: str) -> None:
    bench.up()
    with pytest.raises(error, match=said):
        bench.done(*words)


def test_the_policy_of_every_name_allows_all_of_it(bench: Bench) -> None:
    bench.up()
    gate = Gate(policy(ANY, REGION, NEEDS), boto3.client("ec2", region_name=REGION))
    gate.install(bench.account.client)
    bench.done("bake", "stars", "--yes")
    bench.done("copy", "stars", "--as", "other", "--region", REGION, "--key", "alias/ours", "--yes")
    bench.done("share", "other", "111122223333")
    bench.done("rm", "other", "--yes")
    bench.account.down("stars")
    bench.up()
    assert {
        "CreateImage",
        "CopyImage",
        "GetConsoleOutput",
        "ModifyImageAttribute",
        "ModifySnapshotAttribute",
        "DeregisterImage",
    } <= set(gate.judged)


# --- killed ----------------------------------------------------------------------------------


def _prepare(bench: Bench) -> None:
    bench.ec2.weather = Weather()
    bench.up()
    bench.account.settle()
    bench.ec2.begin()


def _clean(bench: Bench) -> None:
    assert (bench.ec2.leaked, bench.ec2.lost) == ([], [])
    bench.done("rm", "stars", "--yes")
    bench.ec2.discarded = {"data"}
    bench.account.down("stars", frozenset({"stars"}))
    assert bench.left() == {}
    bench.ec2.discarded = set()
    bench.ec2.buried.clear()
    bench.account.forget_the_dead()


# --- ls, copy, share, rm -------------------------------------------------------------------------


def test_ls_of_nothing(bench: Bench) -> None:
    assert bench.json("ls") == []
    assert bench.done("ls").stderr == "no baked image is in eu-central-1\n"


def test_ls(bench: Bench) -> None:
    bench.up()
    bench.done("bake", "stars", "--yes")
    header, row = bench.done("ls").stdout.splitlines()
    assert header.split() == [
        *("IMAGE", "REGION", "STATE", "SYSTEM", "ARCH", "SIZE", "MADE", "FROM", "A", "MONTH"),
    ]
    made = str(bench.ec2.wall().date())
    assert row.split() == [
        *("stars", "eu-central-1", "completed", "ubuntu-24.04", "x86_64", "30GB", made),
        *("stars", "desktop", "at", "most", "$1.62"),
    ]


def test_ls_names_what_is_half_made(bench: Bench) -> None:
    _prepare(bench)
    bench.ec2.weather = Weather(kill_after=_calls_until(bench, "CreateImage"))
    with pytest.raises(Killed):
        bench.run("bake", "stars", "--yes")
    bench.ec2.weather = Weather()
    told = bench.done("ls")
    assert told.stdout == ""
    assert "half made in eu-central-1: stars (of stars desktop); `roost image bake`" in told.stderr
    bench.done("bake", "stars", "--yes")
    assert "half made" not in bench.done("ls").stderr


def _calls_until(bench: Bench, call: str) -> int:
    """How many calls come before the first ``call`` of a bake; nothing is left of this one."""
    bench.done("bake", "stars", "--yes")
    number = bench.ec2.calls.index(call)
    _clean(bench)
    _prepare(bench)
    return number


def test_an_image_with_aws_s_own_key_cannot_be_shared_and_a_copy_with_another_can(
    bench: Bench,
) -> None:
    bench.up()
    bench.done("bake", "stars", "--yes")
    with pytest.raises(UsageError, match="the key that AWS manages") as refused:
        bench.done("share", "stars", "111122223333")
    assert refused.value.next is not None
    assert refused.value.next.startswith(
        "roost image copy stars --as stars-shared --region eu-central-1 --key alias/KEY"
    )
    copied = bench.json(
        "copy", "stars", "--as", "stars-shared", "--region", REGION, "--key", "alias/ours", "--yes"
    )
    assert (copied["name"], copied["state"]) == ("stars-shared", "completed")
    assert copied["recipe"] == recipe_digest(bench.spec, "desktop")
    shared = bench.json("share", "stars-shared", "111122223333")
    assert shared == {
        "name": "stars-shared",
        "id": copied["id"],
        "region": REGION,
        "account": "111122223333",
        "shared": True,
    }
    found = bench.account.client.describe_image_attribute(
        ImageId=copied["id"], Attribute="launchPermission"
    )
    assert found["LaunchPermissions"] == [{"UserId": "111122223333"}]
    assert list(bench.ec2.shared.values()) == [{"111122223333"}]
    assert bench.json("share", "stars-shared", "111122223333", "--remove")["shared"] is False
    assert list(bench.ec2.shared.values()) == [set()]


def test_a_copy_in_another_region(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.up()
    made = bench.json("bake", "stars", "--yes")
    here = replace(
        bench.account.roost(),
        clients=lambda service: boto3.client(service, region_name="eu-central-1"),
    )
    bench.account.move("eu-west-1")

    def clouds(session: Any) -> Any:
        there = bench.account.roost()
        return {"eu-west-1": (there,), None: (here, there)}[session.place.region]

    monkeypatch.setattr("roost.app.resolve.clouds", clouds)
    with pytest.raises(
        NeedsConfirmationError, match=r"it costs at most \$0\.75 a month.*between regions"
    ):
        bench.done("copy", "stars", "--region", "eu-west-1", "--no-input")
    copied = bench.json("copy", "stars", "--region", "eu-west-1", "--yes")
    assert (copied["name"], copied["region"], copied["state"]) == (
        "stars",
        "eu-west-1",
        "completed",
    )
    assert copied["id"] != made["id"]
    (asked,) = [a for name, a in bench.ec2.asked if name == "CopyImage"]
    assert (asked["SourceRegion"], asked["SourceImageId"], asked["Encrypted"]) == (
        "eu-central-1",
        made["id"],
        True,
    )
    held = {t["Key"]: t["Value"] for t in asked["TagSpecifications"][1]["Tags"]}
    assert (held["roost"], held["roost:role"], held["group"]) == ("~images", "baked", "astro")
    with pytest.raises(UsageError, match="is in eu-central-1 and in eu-west-1"):
        bench.done("rm", "stars", "--yes")


def test_a_copy_again_is_the_same_copy(bench: Bench) -> None:
    bench.up()
    bench.done("bake", "stars", "--yes")
    words = ("copy", "stars", "--as", "other", "--region", REGION, "--yes")
    assert bench.json(*words)["id"] == bench.json(*words)["id"]
    assert sorted(one["name"] for one in bench.json("ls")) == ["other", "stars"]


def test_rm_wants_a_yes_and_leaves_nothing(bench: Bench) -> None:
    bench.up()
    before = bench.left()
    made = bench.json("bake", "stars", "--yes")
    with pytest.raises(NeedsConfirmationError, match="needs a yes"):
        bench.done("rm", "stars")
    assert bench.json("rm", "stars", "--yes") == {
        "name": "stars",
        "id": made["id"],
        "region": REGION,
        "deleted": True,
    }
    assert bench.left() == before


# --- a launch ------------------------------------------------------------------------------------


def _launched(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = [a for name, a in bench.ec2.asked if name == "RunInstances"][-1]
    return found


def test_up_starts_from_an_image_that_holds_what_it_would_install(bench: Bench) -> None:
    bench.up()
    made = bench.json("bake", "stars", "--yes")
    bench.account.down("stars")
    state = bench.up()
    assert _launched(bench)["ImageId"] == made["id"]
    day = bench.ec2.wall().date()
    assert state.notes == (f"desktop: starts from image stars, made {day}",)
    assert [i.state for i in state.instances] == ["running"]


@pytest.mark.parametrize("other", [{"system": "debian-12"}, {"disk": 20}])
def test_up_does_not_start_from_one_that_holds_other_things_or_is_too_large(
    bench: Bench, spec: Callable[..., Spec], other: Any
) -> None:
    bench.up()
    bench.done("bake", "stars", "--yes")
    bench.account.down("stars")
    bench.spec = spec(**other)
    assert bench.up().notes == ()
    assert _launched(bench)["ImageId"].startswith("resolve:ssm:")


def test_a_parked_machine_comes_back_from_its_own_disk(bench: Bench) -> None:
    bench.up()
    made = bench.json("bake", "stars", "--yes")
    parked = bench.account.park("stars")
    bench.up()
    assert _launched(bench)["ImageId"] == parked.images[0].name != made["id"]


def test_what_looking_for_images_costs(bench: Bench) -> None:
    """Nothing where there are none; one call where there are some."""
    bench.up()
    plain = bench.ec2.counted
    assert plain["DescribeImages"] == 0
    bench.account.down("stars")
    bench.up()
    without = bench.ec2.counted - plain
    bench.done("bake", "stars", "--yes")
    bench.account.down("stars")
    before = bench.ec2.counted
    bench.up()
    with_images = bench.ec2.counted - before
    assert with_images["DescribeImages"] == 1
    assert with_images["DescribeTags"] == 1
    assert with_images.total() <= without.total() + 1 + 2  # a look more or less


def test_the_machines_of_a_name_are_not_taken_for_its_images(bench: Bench) -> None:
    bench.up()
    bench.ec2.weather = Weather()
    bench.done("bake", "stars", "--yes")
    assert bench.account.roost().observe("~images").instances == ()
    assert [s.name for s in bench.account.roost().summaries()] == ["stars"]
    assert bench.account.roost().observe("stars").images == ()


FOUND = {
    "ImageId": "ami-1",
    "State": "available",
    "Architecture": "x86_64",
    "RootDeviceName": "/dev/sda1",
    "CreationDate": "2026-11-20T10:00:00.000Z",
    "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30}}],
}


def _tagged(recipe: str = "r1", role: str = "baked") -> list[dict[str, str]]:
    held = {"roost": "~images", "roost:node": "one", "roost:role": role, "roost:recipe": recipe}
    return [{"Key": key, "Value": value} for key, value in held.items()]


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        ({}, True),
        ({"State": "pending"}, False),
        ({"Architecture": "arm64"}, False),
        ({"Tags": _tagged("r2")}, False),
        ({"Tags": _tagged(role="source image")}, False),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 31}}]}, False),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 8}}, {"NoDevice": ""}]}, True),
    ],
)
def test_which_image_fits(bench: Bench, other: dict[str, Any], fits: bool) -> None:
    shape = replace(bench.wanted().groups[0].shape, disk_gib=30)
    first = Instance(name="desktop", role="desktop", shape=shape)
    found = baked_images([{**FOUND, "Tags": _tagged(), **other}], REGION)
    assert (best(found, first, "r1") is not None) is fits


def test_the_newest_is_taken(bench: Bench) -> None:
    first = Instance(name="desktop", role="desktop", shape=bench.wanted().groups[0].shape)
    newer = {"ImageId": "ami-2", "CreationDate": "2026-11-21T09:00:00.000Z"}
    found = baked_images([{**FOUND, "Tags": _tagged(), **more} for more in ({}, newer)], REGION)
    taken = best(found, first, "r1")
    assert taken is not None
    assert taken.id == "ami-2"
