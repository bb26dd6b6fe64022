"""``roost park --mode s3`` and ``roost resume`` from there: what they say, refuse and leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from roost.model.resources import State
from tests.cli.calling import Roost
from tests.cli.full import Full, done, machines
from tests.cli.made import THERE
from tests.cli.test_json import check
from tests.plan.parking_world import Bucket

IN_S3 = THERE + 'park = "s3"\npark_to = "s3://work"\npark_class = "GLACIER_IR"\n'


class Asked(Bucket):
    """It notes what it was made with."""

    roots: dict[str, str]
    classes: dict[str, str]


@pytest.fixture
def bucket(cloud: Full, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The volume agent of all commands: their machines are in memory, and so is S3."""
    found = Asked(cloud)

    @contextmanager
    def connect(
        _: object, cloud: object, state: State, roots: Any, classes: Any, note: Any
    ) -> Iterator[Asked]:
        del cloud
        assert state.name == "there"
        assert callable(note)
        found.roots, found.classes = dict(roots), dict(classes)
        yield found

    monkeypatch.setattr("roost.parking.ssh_volume_agent.connect", connect)
    return found


@pytest.fixture
def there(
    cloud: Full, bucket: Asked, roost: Roost, write: Callable[..., Path]
) -> Callable[[], State]:
    """A desktop whose volume goes to S3, up; what there is of it."""
    del bucket
    done(roost("up", write(IN_S3), "--yes"))
    return lambda: cloud.observe("there")


def test_parked_in_s3_and_resumed(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    for turn in range(2):
        (volume,) = there().volumes
        told = done(roost("park", "there", "--yes"))
        assert "volume data: s3 below s3://work\n" in told
        assert "running programs end" in told
        (copy,) = there().s3_copies
        assert f"there is parked: data of volume data: {copy.place}, 1 GiB, image of" in told
        assert (there().volumes, there().instances, there().snapshots) == ((), (), ())
        assert (copy.source, copy.sealed) == (volume.id, True)
        assert bucket.classes == {"data": "GLACIER_IR"}
        again = done(roost("park", "there", "--no-input"))  # it asks nothing, and does nothing
        assert "there is parked" in again
        told = done(roost("resume", "there"))
        assert f"the data of volume data comes from {copy.place} (1 GiB)\n" in told
        assert "the data of volume data is all there\n" in told
        assert machines(there())["desktop"][1] == "running"
        assert bucket.sent.count("data") == 2 * (turn + 1)
    assert cloud.lost == []


def test_to_another_place_than_the_files(
    bucket: Asked, desktop: Callable[[], State], roost: Roost
) -> None:
    del bucket
    told = done(roost("park", "there", "--mode", "s3", "--to", "s3://work/", "--yes"))
    assert "volume data: s3 below s3://work/\n" in told
    assert desktop().s3_copies[0].place.startswith("s3://work/there/data/vol-")


def test_it_asks_though_nothing_of_the_cloud_changes_at_first(
    there: Callable[[], State], roost: Roost, types: Callable[[str], None]
) -> None:
    before = there()
    told = roost("park", "there", "--no-input")
    assert (told.code, "parking there needs a yes" in told.err) == (4, True)
    types("n\n")
    assert roost("park", "there").code == 4
    assert there() == before


def test_a_wrong_object_is_named_and_keeps_the_volume(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    bucket.broken.add("data")
    told = roost("park", "there", "--yes")
    assert (told.code, told.out) == (3, "")
    assert "not proven to be in S3, and so kept as it is: volume data\n" in told.err
    assert "data: raw/a.fits: its content in S3 differs" in told.err
    assert "next: roost park there" in told.err
    assert [v.name for v in there().volumes] == ["data"]
    assert machines(there())["desktop"][1] == "running"
    bucket.broken.clear()
    done(roost("park", "there", "--yes"))
    assert (there().volumes, cloud.lost) == ((), [])


def test_what_is_not_all_back_is_nobodys_last_word(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    done(roost("park", "there", "--yes"))
    bucket.broken.add("data")
    told = roost("resume", "there")
    assert (told.code, "raw/a.fits is not in S3" in told.err) == (3, True)
    shown = roost("show", "there")
    assert "volume data: data not all back yet: roost resume there" in shown.err
    assert "attached, data not all back" in shown.out
    assert check("show", roost("show", "there", "--json"))["unfilled"] == ["data"]
    for mode in ("s3", "snapshot", "archive"):
        told = roost("park", "there", "--mode", mode, "--yes")
        assert (told.code, "its data is not all back from S3" in told.err) == (1, True)
        assert "next: roost resume there" in told.err
    done(roost("stop", "there"))
    bucket.broken.clear()
    assert "the data of volume data is all there" in done(roost("start", "there"))
    assert check("show", roost("show", "there", "--json"))["unfilled"] == []
    assert cloud.lost == []


def test_where_it_is_and_what_it_costs(
    bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    del bucket
    parked = check("park", roost("park", "there", "--yes", "--json"))
    (copy,) = there().s3_copies
    assert parked["stored"] == [{"volume": "data", "place": copy.place, "used_gib": 1.0}]
    told = roost("show", "there")
    assert copy.place in told.out
    assert check("show", roost("show", "there", "--json"))["stored"][0]["sealed"] is True
    from roost.app.cost import stored_notes

    cloud = type("Cloud", (), {"region": "us-east-1"})()
    (note,) = stored_notes(cloud, there())
    assert note == f"data of volume data: {copy.place}, 1 GiB, not counted above: $0.004 a month"
    advised = done(roost("park", "there", "--advise"))
    assert f"data of volume data: {copy.place}, 1 GiB: it is parked there" in advised


def test_down_says_what_stays_in_the_bucket(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    del bucket
    done(roost("park", "there", "--yes"))
    (copy,) = there().s3_copies
    told = done(roost("down", "there", "--yes"))
    assert f"note: the copy of volume data in {copy.place} is kept" in told
    assert there().s3_copies == (copy,)
    told = done(roost("down", "there", "--delete-data", "there", "--yes"))
    assert f"still there; to remove it: aws s3 rm --recursive {copy.place}\n" in told
    assert there().empty
    assert cloud.disks.bucket
