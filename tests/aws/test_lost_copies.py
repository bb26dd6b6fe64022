"""What park made is a fact: a copy that somebody deletes is missed, and nothing replaces it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from roost.errors import CloudError
from tests.aws.conftest import Account
from tests.aws.strict import Killed, Weather
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.volume_agent import DiskVolumeAgent
from tests.cli.calling import Ran, Roost

STARS = """
name = "stars"
kind = "desktop"
cloud = "aws"
protocol = "novnc"
[aws]
region = "eu-central-1"
[machine]
type = "m5.large"
[[volumes]]
name = "data"
size = "500GB"
[[volumes]]
name = "scratch"
size = "50GB"
"""
roost = on_aws


@pytest.fixture
def agent(account: Account, monkeypatch: pytest.MonkeyPatch) -> DiskVolumeAgent:
    """S3 and the machines, in memory, for every command."""
    found = DiskVolumeAgent(account.ec2)

    @contextmanager
    def connect(*_: object) -> Iterator[DiskVolumeAgent]:
        yield found

    monkeypatch.setattr("roost.parking.ssh_volume_agent.connect", connect)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stars.toml"
    path.write_text(STARS)
    return path


@pytest.fixture
def parked(roost: Roost, agent: DiskVolumeAgent, file: Path, account: Account) -> Account:
    """A desktop with two volumes, parked as snapshots."""
    ok(roost("up", file, "--yes"))
    ok(roost("park", "stars", "--yes"))
    account.settle()
    return account


def snapshot_of(account: Account, volume: str) -> str:
    mine = [
        {"Name": "tag:roost:node", "Values": [volume]},
        {"Name": "tag-key", "Values": ["roost:sealed"]},
    ]
    (found,) = account.client.describe_snapshots(OwnerIds=["self"], Filters=mine)["Snapshots"]
    return str(found["SnapshotId"])


def image(account: Account) -> str:
    mine = [{"Name": "tag:roost", "Values": ["stars"]}]
    (found,) = account.client.describe_images(Owners=["self"], Filters=mine)["Images"]
    return str(found["ImageId"])


def running(account: Account) -> list[str]:
    return account.left().get("instances", []) + account.left().get("volumes", [])


def refused(told: Ran, *texts: str) -> None:
    assert (told.code, told.out) == (1, ""), told.err
    for text in texts:
        assert text in told.err, told.err


def test_a_deleted_snapshot_is_missed(roost: Roost, parked: Account, file: Path) -> None:
    calls = parked.ec2.calls
    recorded = max(n for n, call in enumerate(calls) if call == "CreateLaunchTemplateVersion")
    ended = [n for n, call in enumerate(calls) if call in ("TerminateInstances", "DeleteVolume")]
    assert recorded < min(ended)
    gone = snapshot_of(parked, "data")
    kept = snapshot_of(parked, "scratch")
    parked.client.delete_snapshot(SnapshotId=gone)
    parked.ec2.lost.clear()
    for words in (
        ("resume", "stars"),
        ("start", "stars"),
        ("up", file, "--yes"),
        ("up", "stars", "--yes"),
    ):
        told = roost(*words)
        refused(
            told,
            "stars cannot come back as it was parked\n",
            f"volume data: its copy, snapshot {gone}, 500 GiB, made 2027-01-",
            "was deleted (if the Recycle Bin has it: `aws ec2 restore-snapshot-from-recycle-bin"
            f" --snapshot-id {gone}`)",
            "nothing was made in its place",
            f"snapshot {kept} of volume scratch",
            "roost resume stars --fresh data",
        )
        assert running(parked) == [], words


def test_show_names_what_is_lost(roost: Roost, parked: Account) -> None:
    gone = snapshot_of(parked, "data")
    parked.client.delete_snapshot(SnapshotId=gone)
    parked.ec2.lost.clear()
    told = roost("show", "stars")
    assert told.code == 0
    (line,) = [line for line in told.out.splitlines() if gone in line]
    assert line.split() == ["data", "snapshot", "500", "GiB", "lost", gone]
    assert f"volume data: its copy, snapshot {gone}, 500 GiB" in told.err
    told = roost("plan", "stars", "--diff")
    assert (told.code, "stars cannot come back as it was parked" in told.out + told.err) == (
        0,
        True,
    )
    # And `scale`, `restart` and the like make nothing either.
    assert roost("restart", "stars").code == 1
    assert running(parked) == []


@pytest.mark.slow
def test_fresh_makes_it_empty_with_a_yes(roost: Roost, parked: Account) -> None:
    gone = snapshot_of(parked, "data")
    parked.client.delete_snapshot(SnapshotId=gone)
    parked.ec2.lost.clear()
    told = roost("resume", "stars", "--fresh", "data", "--no-input")
    assert told.code == 4
    assert "making data empty needs a yes" in told.err
    assert "next: roost resume stars --fresh data --yes" in told.err
    assert running(parked) == []
    # Another name than the lost one does not help, and a copy that is there is not passed over.
    told = roost("resume", "stars", "--yes", "--fresh", "dta", "--yes")
    assert (told.code, "--fresh dta: stars has no such volume or machine" in told.err) == (2, True)
    told = roost("resume", "stars", "--yes", "--fresh", "data", "--fresh", "scratch", "--yes")
    assert (told.code, "--fresh scratch: its copy is there" in told.err) == (2, True)
    parked.ec2.discarded = {"data"}
    parked.ec2.buried.pop("data")
    told = roost("resume", "stars", "--yes", "--fresh", "data", "--yes")
    assert told.code == 0, told.err
    assert f"data comes back empty: snapshot {gone}, 500 GiB, made" in told.err
    # Typed again, nothing is left to do; and it can be parked and come back as ever.
    ok(roost("resume", "stars", "--yes", "--fresh", "data", "--yes"))
    ok(roost("park", "stars", "--yes"))
    ok(roost("resume", "stars", "--yes"))
    assert parked.ec2.lost == []


def test_a_deregistered_image_is_missed(roost: Roost, parked: Account) -> None:
    gone = image(parked)
    parked.client.deregister_image(ImageId=gone)
    told = roost("resume", "stars", "--yes")
    refused(told, f"the disk of desktop: its copy, image {gone}, made 2027", "was deregistered")
    assert running(parked) == []
    ok(roost("resume", "stars", "--yes", "--fresh", "desktop", "--yes"))
    assert parked.ec2.lost == []


def test_a_copy_that_cannot_be_used_is_missed_until_it_can(roost: Roost, parked: Account) -> None:
    """Its tags were removed; or it was disabled."""
    bare, disabled = snapshot_of(parked, "data"), image(parked)
    tags = parked.client.describe_tags(Filters=[{"Name": "resource-id", "Values": [bare]}])["Tags"]
    named = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in tags]
    parked.client.delete_tags(Resources=[bare], Tags=named)
    refused(roost("resume", "stars", "--yes"), bare, "somebody has removed its tags")
    parked.client.create_tags(Resources=[bare], Tags=named)
    parked.client.disable_image(ImageId=disabled)
    told = roost("resume", "stars", "--yes")
    refused(told, f"`aws ec2 enable-image --image-id {disabled}` enables it")
    assert running(parked) == []
    parked.client.enable_image(ImageId=disabled)
    ok(roost("resume", "stars", "--yes"))
    launches = [asked for name, asked in parked.ec2.asked if name == "RunInstances"]
    assert launches[-1]["ImageId"] == disabled
    assert parked.ec2.lost == []


def test_what_down_does_with_a_lost_copy(roost: Roost, parked: Account) -> None:
    gone = snapshot_of(parked, "data")
    parked.client.delete_snapshot(SnapshotId=gone)
    parked.ec2.lost.clear()
    told = roost("down", "stars", "--yes")
    assert told.code == 0, told.err
    assert f"note: volume data: its copy, snapshot {gone}" in told.err
    assert "roost down stars --delete-data data" in told.err
    refused(roost("resume", "stars", "--yes"), gone)
    parked.ec2.discarded = {"data", "scratch"}
    told = roost("down", "stars", "--yes", "--delete-data", "data")
    assert told.code == 0, told.err
    ok(roost("resume", "stars", "--yes"))  # and now it is not missed any more
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert parked.left() == {}


def test_only_a_lost_copy_is_left(roost: Roost, parked: Account) -> None:
    """The record outlives `down` for the sake of a copy that may be in the Recycle Bin."""
    gone = snapshot_of(parked, "data")
    parked.ec2.discarded = {"data", "scratch"}
    parked.client.delete_snapshot(SnapshotId=gone)
    ok(roost("down", "stars", "--yes", "--delete-data", "scratch", "--delete-data", "desktop"))
    assert parked.left().keys() == {"templates"}
    refused(roost("resume", "stars", "--yes"), gone)
    ok(roost("down", "stars", "--yes", "--delete-data", "data"))
    assert parked.left() == {}


def test_a_volume_that_the_file_renames_or_drops(roost: Roost, parked: Account, file: Path) -> None:
    gone = snapshot_of(parked, "data")
    parked.client.delete_snapshot(SnapshotId=gone)
    parked.ec2.lost.clear()
    file.write_text(STARS.replace('name = "data"', 'name = "frames"'))
    told = roost("up", file, "--yes")
    assert told.code == 0, told.err
    assert "note: volume data is not in the file any more; its copy, snapshot" in told.err
    names = {v.name for v in parked.roost().observe("stars").volumes}
    assert names == {"frames", "scratch"}


def test_an_older_copy_is_not_taken_for_the_last(roost: Roost, parked: Account) -> None:
    """A copy of before is still there: it is named, and not used in silence."""
    old = snapshot_of(parked, "data")
    ok(roost("resume", "stars", "--yes"))
    backend = parked.ec2.backend
    kept = backend.snapshots[old], parked.ec2.held[old]
    ok(roost("park", "stars", "--yes"))
    backend.snapshots[old], parked.ec2.held[old] = kept  # as if it could not be deleted
    new = [
        s.name
        for s in parked.roost().observe("stars").snapshots
        if s.volume == "data" and s.name != old
    ]
    parked.client.delete_snapshot(SnapshotId=new[0])
    parked.ec2.lost.clear()
    refused(
        roost("resume", "stars", "--yes"),
        f"snapshot {new[0]}",
        f"snapshot {old} of volume data (completed)",
    )
    assert running(parked) == []


@pytest.mark.slow
def test_a_lost_object_is_missed(
    roost: Roost,
    agent: DiskVolumeAgent,
    file: Path,
    account: Account,
    tmp_path: Path,
) -> None:
    ok(roost("up", file, "--yes"))
    ok(roost("park", "stars", "--yes", "--mode", "s3", "--to", "s3://my-bucket/parked"))
    place = next(p for p in account.ec2.bucket if "/data/" in p)
    lost = account.ec2.bucket.pop(place)
    told = roost("resume", "stars", "--yes")
    refused(
        told,
        f"volume data: its copy in {place} (1.5 GiB, made 2027-",
        "1 of 1 objects are not there",
        "roost resume stars --fresh data",
    )
    assert running(account) == []
    account.ec2.bucket[place] = lost
    ok(roost("resume", "stars", "--yes"))
    assert account.ec2.lost == []
    ok(roost("park", "stars", "--yes", "--mode", "s3", "--to", "s3://my-bucket/parked"))
    account.ec2.bucket.pop(place)
    account.ec2.discarded = {"data"}
    account.ec2.buried.pop("data")
    ok(roost("resume", "stars", "--yes", "--fresh", "data", "--yes"))
    assert account.ec2.lost == []


@pytest.mark.parametrize("seats", [2, 250])
def test_as_many_copies_as_a_class_has(seats: int, account: Account) -> None:
    """Two copies of each seat, a snapshot and an image, beside a file as long as they get."""
    from roost.model.resources import Backup
    from roost.model.steps import Record, RecordBackups
    from roost.providers.aws.requests import USER_DATA_LIMIT

    number = iter(range(10**9))

    def made(kind: Any, name: str) -> Backup:
        count = next(number)
        id_ = f"{'snap' if kind == 'snapshot' else 'ami'}-{(count * 2654435761**2) % 16**17:017x}"
        return Backup(
            kind=kind, name=name, id=id_, taken=1_800_000_000 + count, size_gib=100 + count
        )

    backups = tuple(
        made(kind, f"seat-{n}{'-data' if kind == 'snapshot' else ''}")
        for n in range(1, seats + 1)
        for kind in ("snapshot", "image")
    )
    long = "".join(f"{n * 7919 % 104729:x}" for n in range(1500))
    text = json.dumps({"name": "class", "kind": "classroom", "commands": long})
    cloud = account.roost()
    cloud.observe("class")
    cloud.apply("class", Record(text))
    cloud.apply("class", RecordBackups(backups))
    state = account.roost().observe("class")
    assert (state.record, state.backups) == (text, backups)
    sizes = [
        len(asked["LaunchTemplateData"]["UserData"])
        for name, asked in account.ec2.asked
        if name.startswith("CreateLaunchTemplate")
    ]
    assert max(sizes) <= USER_DATA_LIMIT
    cloud = account.roost()
    cloud.observe("class")
    cloud.apply("class", Record(text + " "))
    again = account.roost().observe("class")
    assert (again.record, again.backups) == (text + " ", backups)


def written(account: Account, backups: tuple[Any, ...], text: str = "{}") -> None:
    from roost.model.steps import Record, RecordBackups

    cloud = account.roost()
    cloud.observe("class")
    cloud.apply("class", Record(text))
    cloud.apply("class", RecordBackups(backups))


@pytest.mark.parametrize("old", [2, 900])
def test_killed_between_the_versions_that_have_them(old: int, account: Account) -> None:
    """The copies that were recorded before count until all of the new are there."""
    from roost.model.resources import Backup

    def many(number: int, word: str) -> tuple[Backup, ...]:
        numbers = (n * 2654435761**2 % 16**17 for n in range(1, number + 1))
        return tuple(
            Backup(kind="snapshot", name=f"{word}-{n}", id=f"snap-{one:017x}", taken=1.8e9 + n)
            for n, one in enumerate(numbers)
        )

    before, after = many(old, "old"), many(1500, "new")
    written(account, before)
    account.ec2.begin()
    written(account, after)
    calls = [n for n, call in enumerate(account.ec2.calls) if call.endswith("TemplateVersion")]
    assert len(calls) > 3
    written(account, before)
    for call in (calls[1], calls[-2]):
        account.ec2.begin()
        account.ec2.weather = Weather(kill_after=call)
        with pytest.raises(Killed):
            written(account, after)
        account.ec2.weather = Weather()
        state = account.roost().observe("class")
        assert (state.record, state.backups, state.backups_unread) == ("{}", before, False)
    written(account, after)
    assert account.roost().observe("class").backups == after


def test_too_many_for_one_record(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from roost.model.resources import Backup

    monkeypatch.setattr("roost.providers.aws.record.MOST_PARTS", 2)

    written(account, ())
    numbers = (n * 2654435761**3 % 16**17 for n in range(1, 3000))
    many = tuple(
        Backup(kind="snapshot", name=f"v-{one}", id=f"snap-{one:017x}", taken=1.8e9)
        for one in numbers
    )
    with pytest.raises(CloudError, match="there is no room; nothing was deleted"):
        written(account, many)


def test_copies_that_this_version_cannot_read(roost: Roost, parked: Account) -> None:
    """Nothing is made in their place, parked over them, or lost by a change of the settings."""
    from roost.model.steps import Record
    from roost.providers.aws.requests import block_in, record_in, template_version

    versions = {"LaunchTemplateName": "roost-stars", "Versions": ["$Latest"]}

    def latest() -> Any:
        found = parked.client.describe_launch_template_versions(**versions)
        return found["LaunchTemplateVersions"][0]["LaunchTemplateData"]

    record, block = record_in(latest()), block_in(latest())
    assert record is not None
    parked.client.create_launch_template_version(**template_version("stars", record, b"9later"))
    ok(roost("show", "stars"))
    cloud = parked.roost()
    state = cloud.observe("stars")
    assert (state.backups, state.backups_unread) == ((), True)
    cloud.apply("stars", Record(record + " "))
    assert block_in(latest()) == b"9later"
    parked.client.delete_snapshot(SnapshotId=snapshot_of(parked, "data"))
    refused(roost("resume", "stars", "--yes"), "this version of roost cannot read that")
    assert running(parked) == []
    parked.client.create_launch_template_version(**template_version("stars", record, block))
    refused(roost("resume", "stars", "--yes"), "was deleted")
