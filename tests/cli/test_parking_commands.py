"""``roost park`` and ``roost resume``: what they ask, what they refuse, and what they leave."""

from collections.abc import Callable
from pathlib import Path

import pytest

from roost.model.resources import State
from tests.cli.calling import Roost
from tests.cli.full import OWN_MACHINE, Full, done, ids, machines
from tests.cli.made import THERE


def test_parking_needs_a_yes(desktop: Callable[[], State], roost: Roost) -> None:
    before = desktop()
    told = roost("park", "there", "--no-input")
    assert (told.code, told.out) == (4, "")
    assert "there: volume data: snapshot\n" in told.err
    assert "parking there needs a yes\n  there now: desktop (running)\n" in told.err
    assert "next: roost park there --yes" in told.err
    assert desktop() == before


def test_parking_asks_who_is_there(
    desktop: Callable[[], State], roost: Roost, types: Callable[[str], None]
) -> None:
    types("n\n")
    told = roost("park", "there")
    assert (told.code, "cancelled; nothing was changed" in told.err) == (4, True)
    assert machines(desktop())["desktop"][1] == "running"
    types("y\n")
    assert "there is parked: snapshot of data (standard), image of desktop\n" in done(
        roost("park", "there")
    )
    assert (desktop().instances, desktop().volumes) == ((), ())


def test_discarding_needs_the_name(desktop: Callable[[], State], roost: Roost) -> None:
    """--yes is not enough to lose data."""
    before = desktop()
    told = roost("park", "there", "--mode", "data=discard", "--yes")
    assert told.code == 4
    assert "discarding the data of volume data needs its name" in told.err
    assert "next: roost park there --discard data" in told.err
    assert desktop() == before


SCRATCH = '[[volumes]]\nname = "scratch"\nsize = "10GB"\npark = "discard"\n'


def test_a_discard_in_the_file_counts_as_the_typed_name(
    cloud: Full, roost: Roost, write: Callable[..., Path], alone: Path
) -> None:
    file = write(THERE + SCRATCH)
    done(roost("up", file, "--yes"))
    # Without a yes the name is typed, as ever.
    told = roost("park", "there", "--no-input")
    assert (told.code, "the data of volume scratch needs its name" in told.err) == (4, True)
    done(roost("park", "there", "--yes"))
    there = cloud.observe("there")
    assert ([s.volume for s in there.snapshots], there.volumes) == (["data"], ())
    done(roost("resume", "there", "--yes"))
    done(roost("down", "there", "--keep-data", "--yes"))
    assert {v.name for v in cloud.observe("there").volumes} == {"data", "scratch"}
    done(roost("up", file, "--yes"))
    told = done(roost("down", "there", "--yes"))
    assert 'park = "discard" for scratch' in told
    assert {v.name for v in cloud.observe("there").volumes} == {"data"}
    # The record alone, which others can write, counts for nothing.
    done(roost("up", file, "--yes"))
    for given in (alone / "given").iterdir():
        given.unlink()
    told = roost("park", "there", "--yes")
    assert (told.code, "the data of volume scratch needs its name" in told.err) == (4, True)
    done(roost("down", "there", "--yes"))
    assert {v.name for v in cloud.observe("there").volumes} == {"data", "scratch"}


def test_discarding_with_another_name_typed(
    desktop: Callable[[], State], roost: Roost, types: Callable[[str], None]
) -> None:
    before = desktop()
    types("dta\n")
    told = roost("park", "there", "--mode", "data=discard", "--yes")
    assert (told.code, 'you typed "dta", not data: cancelled; nothing was changed' in told.err) == (
        4,
        True,
    )
    assert "All data on volume data (100 GiB) will be gone." in told.err
    assert desktop() == before


@pytest.mark.parametrize("way", ["typed", "option"])
def test_discarding(
    way: str,
    cloud: Full,
    desktop: Callable[[], State],
    roost: Roost,
    types: Callable[[str], None],
) -> None:
    more = ("--discard", "data") if way == "option" else ()
    if way == "typed":
        types("data\n")
    done(roost("park", "there", "--mode", "data=discard", "--yes", *more))
    assert (desktop().volumes, desktop().snapshots) == ((), ())
    assert cloud.lost == ["data"]  # and the cloud knows that it was the last of it


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--mode data=cupboard", '"cupboard" is none of keep, snapshot, archive, s3, discard'),
        ("--mode cupboard", '"cupboard" is none of keep, snapshot, archive, s3, discard'),
        ("--mode dta=keep", "there has no volume dta. There are: data"),
        ("--discard dta", "there has no volume dta"),
        ("--mode s3", "next: roost park there --mode data=s3 --to s3://BUCKET/PREFIX"),
        ("--mode data=s3", "volume data: where in S3? The file has no park_to for it"),
        ("--mode s3 --to my-bucket", '--to: "my-bucket" is not a place in S3'),
    ],
)
def test_what_cannot_be_parked_so(
    words: str, text: str, desktop: Callable[[], State], roost: Roost
) -> None:
    before = desktop()
    told = roost("park", "there", *words.split(), "--yes")
    assert (told.code, told.out) == (2, "")
    assert text in told.err
    assert desktop() == before


def test_a_name_on_your_own_machine_is_not_parked(cloud: Full, roost: Roost) -> None:
    cloud.name = "local"
    cloud.capabilities = OWN_MACHINE
    told = roost("park", "there", "--yes")
    assert (told.code, "costs nothing: roost stop there" in told.err) == (2, True)


def test_parked_and_resumed_and_parked(
    cloud: Full, desktop: Callable[[], State], roost: Roost
) -> None:
    was = ids(desktop())
    for _ in range(3):
        written = cloud.disks.contents[desktop().volumes[0].id]
        done(roost("park", "there", "--yes"))
        (snapshot,) = desktop().snapshots
        assert (snapshot.volume, snapshot.state, snapshot.tier) == ("data", "completed", "standard")
        assert "there is parked" in done(roost("park", "there", "--no-input"))  # and asks nothing
        assert "there is up: 1 desktop\n" in done(roost("resume", "there", "--yes"))
        assert desktop().volumes[0].state == "attached"
        assert desktop().volumes[0].snapshot == snapshot.name
        assert cloud.disks.contents[desktop().volumes[0].id] != written
    assert ids(desktop()) != was
    assert cloud.lost == []


def test_what_was_archived_is_not_waited_for(
    cloud: Full, desktop: Callable[[], State], roost: Roost
) -> None:
    done(roost("park", "there", "--mode", "archive", "--yes"))
    assert desktop().snapshots[0].tier in ("archiving", "archived")
    cloud.wait("there", 0)
    cloud.wait("there", 0)
    told = roost("resume", "there", "--yes")
    assert (told.code, told.out) == (3, "")
    assert "the data of data is on its way back from the archive" in told.err
    assert "next: roost resume there" in told.err
    assert desktop().instances == ()
    cloud.wait("there", 0)
    cloud.wait("there", 0)
    done(roost("resume", "there", "--yes"))
    assert machines(desktop())["desktop"][1] == "running"
    assert cloud.lost == []
