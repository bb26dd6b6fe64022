"""The whole life of the examples on AWS, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from roost.errors import AccessError
from roost.providers.aws import session
from roost.providers.aws.cloud import AwsCloud
from roost.providers.aws.machine_role import TRUST
from roost.providers.aws.requests import template_data
from tests.aws.conftest import KEY, Account
from tests.aws.strict import Weather
from tests.aws.volume_agent import DiskVolumeAgent
from tests.cli.calling import REPO, Ran, Roost, all_ready, caller

EXAMPLES = {
    "pixinsight": ("eu-central-1", {"data"}),
    "scipion": ("eu-west-1", {"data", "scratch"}),
    "starcluster": ("us-east-1", {"shared"}),
    "ndvi": ("eu-central-1", set()),
}
"""Of each example the region and the volumes."""


@pytest.fixture
def roost(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Roost:
    """``roost("up", "x.toml")`` against the account; each call is a process that knows nothing."""
    connect = session.connect

    def connected(*words: Any) -> AwsCloud:
        cloud = connect(*words)
        return replace(
            cloud,
            sleep=account.sleep,
            clock=lambda: account.now,
            wall=account.ec2.wall,
            _memories={},
            _networks={},
            _images={},
            _public_keys={},
        )

    make = session.Clients.__call__

    def client(self: session.Clients, service: str) -> Any:
        new = service not in self._made
        found = make(self, service)
        if new and service == "ec2":
            return account.ec2.install(found)
        if new:
            through = found._make_api_call

            def noted(name: str, asked: Any) -> Any:
                account.elsewhere.append(name)
                if name == "GetCallerIdentity":
                    return {"Arn": account.ec2.who, "Account": "123456789012", "UserId": "AIDA"}
                return through(name, asked)

            found._make_api_call = noted
        return found

    monkeypatch.setattr(session, "connect", connected)
    monkeypatch.setattr(session.Clients, "__call__", client)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    own_key = tmp_path / "home" / ".ssh" / "id_ed25519.pub"  # without it ssh-keygen makes one
    own_key.parent.mkdir(parents=True)
    own_key.write_bytes(KEY)
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "roost-home"))
    monkeypatch.setenv("ROOST_MY_ADDRESS", "203.0.113.7")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(REPO)

    all_ready(monkeypatch)
    return caller(monkeypatch, capsys)


def ok(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out) if ran.out.startswith(("{", "[")) else ran.out


@pytest.fixture
def live(roost: Roost) -> Callable[..., Any]:
    """As a program calls it: JSON, and no questions."""

    def call(verb: str, *words: object) -> Any:
        return ok(roost(verb, *words, "--json"))

    return call


def states(shown: Any) -> dict[str, str]:
    return {i["name"]: i["state"] for i in shown["instances"]}


@pytest.mark.parametrize(
    "example",
    [
        "pixinsight",
        pytest.param("ndvi", marks=pytest.mark.slow),
        pytest.param("scipion", marks=pytest.mark.slow),
        pytest.param("starcluster", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(900)
def test_the_whole_life(
    example: str, roost: Roost, live: Callable[..., Any], account: Account
) -> None:
    region, volumes = EXAMPLES[example]
    here = ("--region", region) if region != "eu-central-1" else ()
    account.move(region)
    main_machine = "desktop" if example in ("pixinsight", "scipion") else "head"

    up = live("up", f"examples/{example}.toml", "--cloud", "aws", "--yes")
    assert set(states(up).values()) == {"running"}
    assert main_machine in states(up)
    assert [row["name"] for row in live("ls")] == [example]
    assert states(live("show", example)) == states(up)

    stopped = live("stop", example)
    assert states(stopped)[main_machine] == "stopped"
    assert states(live("start", example)) == states(up)
    assert states(live("restart", example)) == states(up)

    role = () if main_machine == "desktop" else ("head",)
    larger = "m5.8xlarge"
    resized = live("resize", example, *role, "--type", larger, "--yes")
    types = {i["name"]: i["type"] for i in resized["instances"]}
    assert types[main_machine] == larger
    if main_machine == "head":
        scaled = live("scale", example, 1)
        assert sorted(states(scaled)) == ["head", "worker-1"]

    modes = [f"--mode={v}=snapshot" for v in sorted(volumes)]
    parked = live("park", example, *modes, "--yes")
    assert {s["volume"] for s in parked["snapshots"]} == volumes
    assert [i["instance"] for i in parked["images"]] == [main_machine]
    assert (parked["volumes"], parked["instances"]) == ([], [])

    resumed = live("resume", example, "--yes")
    types = {i["name"]: i["type"] for i in resumed["instances"]}
    assert types[main_machine] == larger

    cost = live("cost", example)
    assert cost["name"] == example
    found = live("audit", *here)
    assert {row["name"] for row in found["found"]} == {example}

    told = roost("down", example, "--yes")
    assert told.code == 0, told.err
    left = account.left()
    # The snapshots of the last park are copies of data too: they stay until their name is typed.
    assert ("volumes" in left, "snapshots" in left) == (bool(volumes), True)
    account.ec2.discarded = volumes
    told = roost("down", example, "--yes", "--delete-data", example)
    assert told.code == 0, told.err
    assert f"nothing of {example} is left" in told.err
    assert account.left() == {}
    assert account.ec2.lost == []


@pytest.mark.parametrize("workers", [1, 100])
def test_the_requests_of_up_do_not_grow(
    roost: Roost, account: Account, tmp_path: Path, workers: int
) -> None:
    """Of the whole command, with its checks of network and quotas; some of it on spot."""
    file = tmp_path / "many.toml"
    file.write_text(
        f'''name = "many"\nkind = "cluster"\ncloud = "aws"\n[aws]\nregion = "eu-central-1"
[environment]\nproject = "{REPO}/examples/ndvi"\n[jupyter]\nenabled = false
[workers]\ncount = {workers}\nspot = true\n'''
    )
    account.ec2.weather = Weather(delay=0)
    ok(roost("up", file, "--yes"))
    assert len(account.ec2.calls) + len(account.elsewhere) == 12, account.ec2.calls


@pytest.mark.parametrize("access", ['address = "fixed"', 'keys = ["aws:lab"]'])
def test_the_requests_of_up_with_a_fixed_address_or_a_key_of_ones_own(
    access: str, roost: Roost, account: Account, tmp_path: Path
) -> None:
    made = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Vwm8bGdQ2lZzWDXGcnm0dAbk3MkRYdXYd9mFqXcfe"
    account.client.import_key_pair(KeyName="lab", PublicKeyMaterial=made)
    file = tmp_path / "stars.toml"
    file.write_text(ROLE.format("").replace("[machine]", f"[access]\n{access}\n[machine]"))
    account.ec2.weather = Weather(delay=0)
    account.ec2.begin()
    ok(roost("up", file, "--yes"))
    assert len(account.ec2.calls) + len(account.elsewhere) <= 14, account.ec2.calls


def test_a_first_machine_that_no_quota_allows_leaves_nothing_that_costs(
    roost: Roost, account: Account
) -> None:
    """Its own launch says so: no request is made for it before (tests/aws/test_quotas.py)."""
    account.ec2.weather = Weather(refuse={"RunInstances": "VcpuLimitExceeded"})
    told = roost("up", "examples/ndvi.toml", "--cloud", "aws", "--yes")
    assert told.code == 5, told.err
    assert "servicequotas" in told.err
    assert account.left().keys() == {"groups", "keys", "templates"}


def test_nothing_is_rented_without_a_yes(roost: Roost, account: Account) -> None:
    told = roost("up", "examples/ndvi.toml", "--cloud", "aws", "--no-input")
    assert told.code == 4
    assert "at most $0.5442 an hour" in told.err
    assert account.left() == {}


ROLE = """name = "stars"
kind = "desktop"
protocol = "dcv"
[aws]
region = "eu-central-1"
{}
[machine]
type = "m5.large"
"""


def test_up_looks_for_the_instance_profile_before_it_makes_anything(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(ROLE.format('instance_profile = "lab"'))
    told = roost("up", file, "--yes")
    assert (told.code, "the account has no instance profile lab" in told.err) == (5, True)
    assert f"roost iam {file} --machine" in told.err
    assert account.left() == {}

    iam = boto3.client("iam")
    iam.create_instance_profile(InstanceProfileName="lab")
    iam.create_role(RoleName="lab", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.add_role_to_instance_profile(InstanceProfileName="lab", RoleName="lab")
    told = roost("up", file, "--yes")
    assert (told.code, "instance profile" in told.err) == (0, False)
    # Once there is nothing to launch, nobody asks again.
    account.elsewhere.clear()
    ok(roost("up", file, "--yes"))
    assert "GetInstanceProfile" not in account.elsewhere


def test_up_warns_of_a_desktop_with_dcv_and_no_instance_profile(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(ROLE.format(""))
    told = roost("up", file, "--yes")
    assert told.code == 0, told.err
    assert 'warning: protocol = "dcv" and no instance_profile in [aws]' in told.err
    assert f"-> roost iam {file} --machine" in told.err
    # It is there as it is now; later the file names one.
    file.write_text(ROLE.format('instance_profile = "lab"'))
    told = roost("up", file, "--yes")
    assert told.code == 0, told.err
    assert "note: without the instance profile lab: desktop" in told.err
    assert "warning" not in told.err


def test_a_name_is_found_from_any_folder(
    roost: Roost, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ok(roost("up", "examples/ndvi.toml", "--cloud", "aws", "--yes"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "another-computer"))
    shown = ok(roost("show", "ndvi", "--region", "eu-central-1", "--json"))
    assert sorted(states(shown)) == ["head", "worker-1", "worker-2"]
    told = roost("show", "nvdi", "--region", "eu-central-1")
    assert (told.code, "no such name: nvdi" in told.err) == (2, True)


def test_a_type_that_does_not_fit_is_said_before_anything_stops(
    roost: Roost, account: Account
) -> None:
    ok(roost("up", "examples/pixinsight.toml", "--yes"))
    told = roost("resize", "pixinsight", "--type", "m7g.4xlarge", "--yes")
    assert told.code == 2
    assert "m7g.4xlarge is arm64, and the disk is x86_64" in told.err
    assert account.ec2.counted["StopInstances"] == 0


def test_where_the_new_type_cannot_start_the_old_one_comes_back(
    roost: Roost, account: Account
) -> None:
    before = ok(roost("up", "examples/pixinsight.toml", "--yes", "--json"))
    old = before["instances"][0]["type"]
    zones = "abc"
    account.ec2.weather = Weather(full=frozenset(("m5.8xlarge", f"eu-central-1{z}") for z in zones))
    told = roost("resize", "pixinsight", "--type", "m5.8xlarge", "--yes")
    assert told.code == 1
    assert f"pixinsight is {old} again" in told.err
    shown = ok(roost("show", "pixinsight", "--json"))
    assert [(i["type"], i["state"]) for i in shown["instances"]] == [(old, "running")]


def test_parked_in_s3_as_its_file_says(
    roost: Roost, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def connect(*_: object) -> Iterator[DiskVolumeAgent]:
        yield DiskVolumeAgent(account.ec2)

    monkeypatch.setattr("roost.parking.ssh_volume_agent.connect", connect)
    ok(roost("up", "examples/pixinsight.toml", "--yes"))
    parked = ok(roost("park", "pixinsight", "--yes", "--json"))
    (stored,) = parked["stored"]
    assert (stored["volume"], parked["snapshots"], parked["volumes"]) == ("data", [], [])
    told = roost("cost", "pixinsight")
    assert f"{stored['place']}, 1.5 GiB, not counted above: $0.0368 a month" in told.out
    assert stored["place"] in roost("audit", "--region", "eu-central-1").out
    told = roost("resume", "pixinsight", "--yes")
    assert "the data of volume data is all there" in told.err
    account.ec2.discarded = {"data"}
    told = roost("down", "pixinsight", "--yes", "--delete-data", "pixinsight")
    assert f"aws s3 rm --recursive {stored['place']}" in told.err
    assert account.left() == {}
    assert account.ec2.lost == []


def test_advice_with_numbers_by_hand(roost: Roost, account: Account) -> None:
    ok(roost("up", "examples/pixinsight.toml", "--yes"))
    found = ok(roost("park", "pixinsight", "--advise", "--days", "20", "--json"))
    (data,) = found["volumes"]
    ways = {way["way"]: way for way in data["ways"]}
    # gp3 in eu-central-1: 500 x 0.0952 + 3,000 IOPS above 3,000 x 0.006 + 375 MiB/s x 0.0476
    assert ways["keep"]["per_month"]["usd"] == pytest.approx(47.6 + 18.0 + 17.85)
    # A snapshot: at most 500 x 0.054; twenty days are 480 of 730 hours.
    assert ways["snapshot"]["per_month"]["usd"] == pytest.approx(27.0)
    assert ways["snapshot"]["total"]["usd"] == pytest.approx(27.0 * 480 / 730)
    # The archive: 500 x 0.0135 for 90 days at least.
    assert ways["archive"]["per_month"]["usd"] == pytest.approx(6.75)
    assert ways["archive"]["days_charged"] == 90


def test_what_has_a_record_of_another_roost_can_be_taken_down(
    roost: Roost, account: Account
) -> None:
    ok(roost("up", "examples/ndvi.toml", "--cloud", "aws", "--yes"))
    # Of a roost that knows more kinds than this one.
    later = template_data('{"name": "ndvi", "kind": "submarine", "tags": {}}')
    account.client.create_launch_template_version(
        LaunchTemplateName="roost-ndvi", LaunchTemplateData=later
    )
    told = roost("down", "ndvi", "--yes")
    assert told.code == 0, told.err
    assert "it has cost" in told.err
    assert account.left() == {}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_down_of_what_is_gone_forgets_the_way_to_it(
    roost: Roost, account: Account, tmp_path: Path, elsewhere: bool
) -> None:
    """A `down` that was killed at its end left the way; another region's `down` knows nothing."""
    ok(roost("up", "examples/ndvi.toml", "--cloud", "aws", "--yes"))
    way = tmp_path / "roost-home" / "ssh" / "names" / "ndvi" / "config"
    page = tmp_path / "roost-home" / "pages" / "ndvi.html"
    kept = way.read_text()
    ok(roost("down", "ndvi", "--yes"))
    assert not way.exists()
    for file in (way, page):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(kept)
    told = roost("down", "ndvi", "--yes", *(("--region", "eu-west-1") if elsewhere else ()))
    assert (told.code, "no such name: ndvi" in told.err) == (2, True)
    assert (way.exists(), page.exists()) == (elsewhere, elsewhere)


def test_a_cost_that_cannot_be_known_keeps_nobody_from_ending_it(
    roost: Roost, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(roost("up", "examples/ndvi.toml", "--cloud", "aws", "--yes"))

    def refused(*_: object, **__: object) -> None:
        raise AccessError("you may not look at snapshots")

    monkeypatch.setattr("roost.providers.aws.ledger.history", refused)
    told = roost("down", "ndvi", "--yes")
    assert told.code == 0, told.err
    assert "it has cost unknown (you may not look at snapshots) so far" in told.err
    assert account.left() == {}


def test_an_image_of_ones_own_that_does_not_fit_is_said_before_anything_is_made(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    (image,) = account.ec2.backend.amis.values()
    account.ec2.weather = Weather(image_gib={image.id: 40})
    file = tmp_path / "stars.toml"
    plain = ROLE.replace('protocol = "dcv"\n', "").format("")

    def write(image: str, disk: str) -> None:
        file.write_text(f'{plain}image = "{image}"\ndisk = "{disk}"\n')

    for name, disk, said, mend in (
        (image.id, "30GB", "needs 40 GB, and the file's disk has 30 GB", 'disk = "40GB"'),
        ("ami-0123456789abcdef0", "30GB", "no image ami-0123456789abcdef0", "another image"),
    ):
        write(name, disk)
        told = roost("up", file, "--yes")
        assert told.code == 2, told.err
        assert said in told.err
        assert f"next: {mend}" in told.err
        assert account.left() == {}
    write(image.id, "40GB")
    ok(roost("up", file, "--yes"))
