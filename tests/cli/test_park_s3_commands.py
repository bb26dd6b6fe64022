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
        told = done(roost("resume", "there", "--yes"))
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
    told = roost("resume", "there", "--yes")
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

    cloud = type("Cloud", (), {"name": "aws", "region": "us-east-1"})()
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


def killed_after_the_seal(cloud: Full, roost: Roost) -> None:
    """Killed when the copy was recorded, before the image was made."""
    from roost.model.steps import CreateImage, Step
    from roost.providers.fake.cloud import Killed

    apply = cloud.apply

    def killing(name: str, step: Step) -> None:
        if isinstance(step, CreateImage):
            raise Killed
        apply(name, step)

    cloud.apply = killing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        roost("park", "there", "--yes")
    cloud.apply = apply  # type: ignore[method-assign]
    cloud._holders.clear()
    assert there_sealed(cloud)


def there_sealed(cloud: Full) -> bool:
    return [copy.sealed for copy in cloud.observe("there").s3_copies] == [True]


def test_a_bucket_that_was_emptied_proves_nothing(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    """Killed after the seal; a lifecycle rule empties the bucket; the same command a week later."""
    killed_after_the_seal(cloud, roost)
    sent = len(bucket.sent)
    cloud.disks.bucket.clear()
    cloud.now += 7 * 86400
    told = done(roost("park", "there", "--yes"))
    assert "volume data: its copy in S3 does not count: 1 of 1 objects are not there" in told
    assert len(bucket.sent) > sent  # all of it was sent again, and proven
    assert (there().volumes, cloud.lost) == ((), [])
    assert cloud.disks.bucket
    done(roost("resume", "there", "--yes"))
    assert cloud.lost == []


def test_it_is_listed_right_before_the_machine_and_the_volume_go(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    """The bucket is emptied in the very run, while the image is made."""
    from roost.model.steps import CreateImage, Step

    apply = cloud.apply
    times = [0]

    def emptying(name: str, step: Step) -> None:
        apply(name, step)
        if isinstance(step, CreateImage) and not times[0]:
            times[0] += 1
            cloud.disks.bucket.clear()

    cloud.apply = emptying  # type: ignore[method-assign]
    done(roost("park", "there", "--yes"))
    assert (there().volumes, cloud.lost, times) == ((), [], [1])
    assert cloud.disks.bucket


def test_a_volume_without_a_machine_is_kept_where_its_copy_is_gone(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    del bucket
    killed_after_the_seal(cloud, roost)
    done(roost("down", "there", "--yes"))
    cloud.disks.bucket.clear()
    told = roost("park", "there", "--yes")
    assert told.code == 1
    assert "only its machine can copy it to S3, and there is none" in told.err
    assert ([v.name for v in there().volumes], cloud.lost) == (["data"], [])


def test_where_nobody_may_list_its_machine_compares_again(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    """In the run that compared it, that counts; later nothing is known, and it is done again."""
    bucket.refused = True
    done(roost("park", "there", "--yes"))
    assert (there().volumes, cloud.lost) == ((), [])
    told = done(roost("resume", "there", "--yes"))
    assert "S3 refuses ListObjectsV2; its machine will see whether it is all there" in told
    killed_after_the_seal(cloud, roost)
    sent = len(bucket.sent)
    told = done(roost("park", "there", "--yes"))
    assert "so nobody knows whether it is still there" in told
    assert len(bucket.sent) > sent
    assert (there().volumes, cloud.lost) == ((), [])


def test_an_older_snapshot_stays_where_the_copy_in_s3_is_gone(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    from roost.model.steps import Delete, Step
    from roost.providers.fake.cloud import Killed

    del bucket
    done(roost("park", "there", "--mode", "snapshot", "--yes"))
    done(roost("resume", "there", "--yes"))
    apply = cloud.apply

    def killing(name: str, step: Step) -> None:
        if isinstance(step, Delete) and step.kind == "snapshot":
            raise Killed
        apply(name, step)

    cloud.apply = killing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        roost("park", "there", "--yes")
    cloud.apply = apply  # type: ignore[method-assign]
    cloud._holders.clear()
    assert (there().volumes, len(there().snapshots)) == ((), 1)
    cloud.disks.bucket.clear()
    told = roost("park", "there", "--yes")
    assert told.code == 3
    assert "the copy in S3 cannot be relied on, so nothing older was deleted" in told.err
    assert len(there().snapshots) == 1


def test_what_a_bucket_would_do_is_said_before_it_begins(
    cloud: Full, bucket: Asked, there: Callable[[], State], roost: Roost
) -> None:
    from roost.parking.volume_agent import BucketRules

    before = there()
    rule = "the rule tidy deletes objects 30 days after they were stored"
    bucket.rules = BucketRules(place="", versioned=False, deletes=(rule,), moves=("the rule cold",))
    told = roost("park", "there", "--no-input")
    assert told.code == 4
    assert "the bucket would delete the parked data\n  s3://work/there/data/vol-data-" in told.err
    assert rule in told.err
    assert "note: s3://work keeps no versions" in told.err
    assert "note: s3://work: the rule cold; such objects must be restored first" in told.err
    assert (there(), bucket.sent) == (before, [])
    done(roost("park", "there", "--yes"))
    bucket.rules = BucketRules(place="", unknown="GetBucketVersioning: Access Denied")
    done(roost("resume", "there", "--yes"))
    told = done(roost("park", "there", "--yes"))
    assert "by itself is unknown (GetBucketVersioning: Access Denied)" in told


def test_it_comes_back_smaller_where_the_file_asks_and_it_fits(
    cloud: Full,
    bucket: Asked,
    there: Callable[[], State],
    roost: Roost,
    write: Callable[..., Path],
) -> None:
    bucket.used_gib = 20.0
    done(roost("park", "there", "--yes"))
    file = write(IN_S3.replace('"100GB"', '"20GB"'))
    told = roost("up", file, "--yes")
    assert (told.code, told.out) == (1, "")
    assert "20 GiB come back from s3://work/there/data/vol-" in told.err
    assert "which need 21GB with the file system, and the file asks for 20GB" in told.err
    assert (
        'next: size = "21GB" or more for volume data in the file, then: roost up FILE' in told.err
    )
    assert there().volumes == ()
    file = write(IN_S3.replace('"100GB"', '"25GB"'))
    done(roost("up", file, "--yes"))
    assert [(v.name, v.size_gib) for v in there().volumes] == [("data", 25)]
    assert cloud.lost == []
    done(roost("park", "there", "--yes"))
    done(roost("resume", "there", "--yes"))
    assert [v.size_gib for v in there().volumes] == [25]


def test_more_files_than_a_smaller_volume_can_hold(
    cloud: Full,
    bucket: Asked,
    there: Callable[[], State],
    roost: Roost,
    write: Callable[..., Path],
) -> None:
    done(roost("park", "there", "--yes"))
    bucket.entries = 2_000_000
    file = write(IN_S3.replace('"100GB"', '"25GB"'))
    told = roost("up", file, "--yes")
    assert (told.code, told.out) == (1, "")
    assert "2,000,000 files and folders come back, and 25GB hold 1,638,336" in told.err
    assert 'next: size = "31GB" or more' in told.err
    assert there().volumes == ()
    file = write(IN_S3.replace('"100GB"', '"31GB"'))
    done(roost("up", file, "--yes"))
    assert cloud.lost == []
