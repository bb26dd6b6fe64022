"""The law of deletion, as it is typed: what goes, what stays, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calling import Roost
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Answer, Hostile, Request, error, login, xml

FILES = {f"f{i}.fits": b"12345" for i in range(5)}
PLACE = "s3://bucket/p"
NOBODY = 65534


def in_s3(s3: Hostile, files: dict[str, bytes]) -> None:
    s3.put({f"p/{name}": body for name, body in files.items()})


# --- too much ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--include", "*.fits"), ("--exclude", "*.log")])
def test_an_empty_source_deletes_nothing_without_a_word_of_its_own(
    tmp_path: Path, s3: Hostile, roost: Roost, words: tuple[str, ...]
) -> None:
    in_s3(s3, FILES)
    empty = grow(tmp_path / "empty", {"sub/": b"", "only.log": b"1"} if words else {"sub/": b""})
    sync = ("sync", empty, PLACE, "--delete", "--yes", *words)
    told = roost(*sync)
    assert told.code == 4, told.err
    assert "has no file" in told.err
    assert "--delete-all" in told.err
    assert FILES.items() <= s3.bodies("p/").items()
    told = roost(*sync, "--delete-all")
    assert told.code == 0, told.err
    assert not FILES.keys() & s3.bodies("p/").keys()


@pytest.mark.parametrize("words", [("--yes",), ("--dry-run",), ("--no-input",)])
def test_a_mistyped_prefix_deletes_nothing(
    tmp_path: Path, s3: Hostile, roost: Roost, words: tuple[str, ...]
) -> None:
    in_s3(s3, FILES)
    here = grow(tmp_path / "here", FILES)
    told = roost("sync", "s3://bucket/typo", here, "--delete", *words)
    assert told.code == 4, told.err
    assert "s3://bucket/typo/ has no file" in told.err
    assert tree(here) == FILES


def test_an_object_is_no_prefix(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    in_s3(s3, FILES)
    here = grow(tmp_path / "here", FILES)
    told = roost("sync", f"{PLACE}/f1.fits", here, "--delete", "--yes")
    assert told.code == 2, told.err
    assert "is an object" in told.err
    assert tree(here) == FILES


@pytest.mark.parametrize(
    ("most", "code"), [("1", 4), ("2", 0), ("39%", 4), ("40%", 0), ("0", 4), ("100%", 0)]
)
@pytest.mark.parametrize("way", ["up", "down"])
def test_more_than_max_delete_is_refused_before_anything_is_done(
    tmp_path: Path, s3: Hostile, roost: Roost, most: str, code: int, way: str
) -> None:
    fewer = {name: FILES[name] for name in list(FILES)[:3]} | {"new": b"1"}
    here = grow(tmp_path / "here", fewer if way == "up" else FILES)
    in_s3(s3, FILES if way == "up" else fewer)
    sides = (here, PLACE) if way == "up" else (PLACE, here)
    told = roost("sync", *sides, "--delete", "--yes", "--max-delete", most)
    assert told.code == code, told.err
    assert ("--max-delete" in told.err) == bool(code)
    after = s3.bodies("p/") if way == "up" else tree(here)
    assert after == (FILES if code else fewer)


@pytest.mark.parametrize(
    "words",
    [
        ("--max-delete", "some", "--delete"),
        ("--max-delete", "200%", "--delete"),
        ("--max-delete", "1"),
        ("--delete-all",),
        ("--min-age", "1"),
        ("--assume-closed",),
    ],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, s3: Hostile, roost: Roost, words: tuple[str, ...]
) -> None:
    told = roost("sync", grow(tmp_path / "here", FILES), PLACE, *words)
    assert told.code == 2, told.err
    assert s3.bodies() == {}


# --- what was not read ---------------------------------------------------------------------------


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a folder unreadable, also for root."""
    paths: set[str] = set()
    real = os.scandir

    def scandir(path: str) -> object:
        if os.fspath(path) in paths:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    return lambda path: paths.add(str(path))


@pytest.mark.parametrize("words", [(), ("--include", "*.fits"), ("--exclude", "*.log")])
def test_what_could_not_be_read_is_not_taken_for_absent(
    tmp_path: Path,
    s3: Hostile,
    roost: Roost,
    locked: Callable[[Path], None],
    words: tuple[str, ...],
) -> None:
    files = {"a/x.fits": b"1", "b/y.fits": b"2", "b/deep/z.fits": b"3", "z.fits": b"4"}
    here = grow(tmp_path / "here", files)
    in_s3(s3, files | {"gone.fits": b"5"})
    locked(here / "b")
    told = roost("sync", here, PLACE, "--delete", "--yes", "--json", *words)
    assert told.code == 3, told.err
    assert s3.bodies("p/") == files
    assert [one["name"] for one in told.json["failed"]] == ["b/"]
    assert (
        "Permission denied; nothing below it is deleted in S3 (2 would be)"
        in told.json["failed"][0]["why"]
    )


def test_an_unreadable_folder_that_is_excluded_is_nobody_s_concern(
    tmp_path: Path, s3: Hostile, roost: Roost, locked: Callable[[Path], None]
) -> None:
    here = grow(tmp_path / "here", {"b/y": b"2", "z": b"4"})
    in_s3(s3, {"b/y": b"2", "gone": b"5"})
    locked(here / "b")
    told = roost("sync", here, PLACE, "--delete", "--yes", "--exclude", "b")
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"b/y": b"2", "z": b"4"}


def test_an_unreadable_folder_is_said_without_delete_too(
    tmp_path: Path, s3: Hostile, roost: Roost, locked: Callable[[Path], None]
) -> None:
    here = grow(tmp_path / "here", {"b/y": b"2", "z": b"4"})
    locked(here / "b")
    told = roost("sync", here, PLACE)
    assert told.code == 3, told.err
    assert "b/: Permission denied" in told.err
    assert s3.bodies("p/") == {"z": b"4"}
    locked(here)
    told = roost("sync", here, PLACE, "--delete", "--delete-all", "--yes")
    assert told.code == 3, told.err
    assert s3.bodies("p/") == {"z": b"4"}


@pytest.mark.parametrize("words", [(), ("--include", "*.fits")])
def test_what_a_link_leads_to_is_not_taken_for_absent(
    tmp_path: Path, s3: Hostile, roost: Roost, words: tuple[str, ...]
) -> None:
    here = grow(tmp_path / "here", {"z.fits": b"2"})
    (here / "link").symlink_to(grow(tmp_path / "elsewhere", {"m.fits": b"1"}))
    assert roost("sync", here, PLACE, "--follow-symlinks").code == 0
    told = roost("sync", here, PLACE, "--delete", "--yes", "--json", *words)
    assert told.code == 3, told.err
    assert [one["name"] for one in told.json["failed"]] == ["link"]
    assert s3.bodies("p/") == {"link/m.fits": b"1", "z.fits": b"2"}


# --- at the last moment --------------------------------------------------------------------------


def when(s3: Hostile, name: str, times: int, work: Callable[[], object]) -> None:
    """Do something when S3 gets this request for the n-th time, before it answers."""
    seen = 0

    def before(request: Request) -> None:
        nonlocal seen
        if request.name == name:
            seen += 1
            if seen == times:
                work()

    s3.before = before


RELISTED = 3
"""The listing right before a deletion: the bucket, the plan, and then this one."""


def test_what_comes_back_while_it_copies_is_not_deleted(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", FILES)
    in_s3(s3, FILES | {"again": b"1", "changed": b"2", "gone": b"3"})

    def meanwhile() -> None:
        grow(here, {"again": b"by a program here"})
        in_s3(s3, {"changed": b"by somebody else"})

    when(s3, "ListObjects", RELISTED, meanwhile)
    told = roost("sync", here, PLACE, "--delete", "--yes", "--json")
    assert told.code == 3, told.err
    assert told.json["deleted"] == ["gone"]
    assert sorted(one["name"] for one in told.json["failed"]) == ["again", "changed"]
    assert s3.bodies("p/") == FILES | {"again": b"1", "changed": b"by somebody else"}


def test_a_folder_in_the_place_of_a_file_and_back(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", {"was-file/x": b"1", "was-folder": b"2"})
    in_s3(s3, {"was-file": b"old", "was-folder/y": b"old", "was-folder/": b""})
    told = roost("sync", here, PLACE, "--delete", "--yes")
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"was-file/x": b"1", "was-folder": b"2"}


def test_a_file_that_changes_while_it_copies_is_not_deleted(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    in_s3(s3, FILES)
    here = grow(tmp_path / "here", FILES | {"again": b"1", "changed": b"2", "gone": b"3"})

    def meanwhile() -> None:
        grow(here, {"changed": b"by a program here"})
        in_s3(s3, {"again": b"by somebody else"})

    when(s3, "ListObjects", RELISTED, meanwhile)
    told = roost("sync", PLACE, here, "--delete", "--yes", "--json")
    assert told.code == 3, told.err
    assert told.json["deleted"] == ["gone"]
    assert tree(here) == FILES | {"again": b"1", "changed": b"by a program here"}


def test_another_disk_in_the_place_of_the_folder_deletes_nothing(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", FILES)
    in_s3(s3, FILES | {"gone": b"3"})

    def unplugged() -> None:
        here.rename(tmp_path / "unplugged")
        here.mkdir()

    when(s3, "ListObjects", RELISTED, unplugged)
    told = roost("sync", here, PLACE, "--delete", "--yes")
    assert told.code == 3, told.err
    assert "another folder is in the source's place" in told.err
    assert s3.bodies("p/") == FILES | {"gone": b"3"}


@pytest.mark.parametrize("size", [5, 5 * 2**20])
def test_a_file_that_changes_while_it_is_fetched_is_not_overwritten(
    tmp_path: Path, s3: Hostile, roost: Roost, size: int
) -> None:
    in_s3(s3, {"new": b"n" * size, "old": b"o" * size})
    here = grow(tmp_path / "here", {"old": b"before"})

    def meanwhile(request: Request) -> None:
        if request.name == "GetObject":
            grow(here, {"new": b"by a program here", "old": b"by a program, too"})

    s3.before = meanwhile
    told = roost("sync", PLACE, here, "--json")
    assert told.code == 3, told.err
    assert sorted(one["name"] for one in told.json["failed"]) == ["new", "old"]
    assert "it changed here since it was looked at" in told.err
    assert tree(here) == {"new": b"by a program here", "old": b"by a program, too"}
    s3.calm()
    assert roost("sync", PLACE, here).code == 0
    assert tree(here) == {"new": b"n" * size, "old": b"o" * size}


# --- the answers to a deletion -------------------------------------------------------------------


def deaf(request: Request) -> Answer | None:
    """Answer a deletion, and do nothing."""
    return xml("DeleteResult", "") if request.name == "DeleteObjects" else None


def half(request: Request, answer: Answer) -> Answer:
    """Answer for the first key only."""
    if request.name != "DeleteObjects":
        return answer
    begin, end, _ = answer.body.partition(b"</Deleted>")
    return Answer(200, begin + end + b"</DeleteResult>")


def test_what_s3_does_not_answer_for_is_looked_at(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", FILES)
    in_s3(s3, FILES | {"gone": b"1", "gone too": b"2"})
    s3.before = deaf
    told = roost("sync", here, PLACE, "--delete", "--yes", "--json")
    assert told.code == 3, told.err
    assert told.json["deleted"] == []
    assert {one["name"] for one in told.json["failed"]} == {"gone", "gone too"}
    s3.calm()
    s3.after = half
    told = roost("sync", here, PLACE, "--delete", "--yes", "--json")
    assert told.code == 0, told.err
    assert sorted(told.json["deleted"]) == ["gone", "gone too"]
    assert s3.bodies("p/") == FILES


@pytest.mark.parametrize("answer", [login, lambda *_: error(200, "AccessDenied")])
def test_a_foreign_answer_to_a_deletion_is_none(
    tmp_path: Path, s3: Hostile, roost: Roost, answer: Callable[[Request, Answer], Answer]
) -> None:
    here = grow(tmp_path / "here", FILES)
    in_s3(s3, FILES | {"gone": b"1"})

    def before(request: Request) -> Answer | None:
        return answer(request, Answer()) if request.name == "DeleteObjects" else None

    s3.before = before
    told = roost("sync", here, PLACE, "--delete", "--yes")
    assert told.code in {1, 3}, told.err
    assert "deleted" not in told.err
    assert "gone" in s3.bodies("p/")


# --- files that are being received ---------------------------------------------------------------


def test_a_file_of_the_user_may_end_as_it_likes(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    names = {"mine.roost-part": b"1", f".{'0' * 24}.roost-part": b"2", "sub/.x.roost-part": b"3"}
    here = grow(tmp_path / "here", names)
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == names
    told = roost("sync", PLACE, here)
    assert told.code == 0, told.err
    assert tree(here) == names
    assert roost("sync", PLACE, tmp_path / "back").code == 0
    assert tree(tmp_path / "back") == names


def test_two_syncs_into_folders_of_one_another(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    from roost.transfer.deletion import open_part
    from roost.transfer.key_rules import part_name

    here = grow(tmp_path / "data", {"raw/": b""})
    in_s3(s3, {"raw/big": bytes(5 * 2**20), "raw/x": b"1"})
    for seed in ("x\0", f"big\0{s3.objects['p/raw/big'].tag}", "of another object\0"):
        name = str(here / "raw" / part_name(seed))
        file = open_part(name)  # as the other sync has it open
        assert file is not None
        os.write(file, b"half of it")
    (here / "raw" / part_name("left over\0")).write_bytes(b"of a sync that was killed")
    told = roost("sync", PLACE, here)
    assert told.code == 0, told.err
    kept = {one: body for one, body in tree(here).items() if one.endswith(".roost-part")}
    assert set(kept.values()) == {b"half of it"}
    assert len(kept) == 3
    assert (here / "raw/big").read_bytes() == bytes(5 * 2**20)
    assert (here / "raw/x").read_bytes() == b"1"


def test_a_part_file_with_other_bytes_where_zeros_belong(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    from roost.transfer.key_rules import part_name

    body = b"1" * (4 * 2**20) + bytes(8 * 2**20) + b"2" * 1000
    in_s3(s3, {"big": body})
    here = grow(tmp_path / "here", {})
    here.mkdir()
    part = here / part_name(f"big\0{s3.objects['p/big'].tag}")
    part.write_bytes(body[: 4 * 2**20] + b"X" * (7 * 2**20))
    told = roost("sync", PLACE, here)
    assert told.code == 0, told.err
    assert (here / "big").read_bytes() == body


def test_two_syncs_at_once_into_one_folder(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    here = grow(tmp_path / "data", {"raw/": b""})
    body = os.urandom(5 * 2**20)
    in_s3(s3, {"raw/big": body, "raw/x": b"1", "y": b"2"})
    asked, go_on = threading.Event(), threading.Event()

    def slow_for_the_first(request: Request) -> None:
        if request.name == "GetObject" and not asked.is_set():
            asked.set()
            go_on.wait(30)

    s3.before = slow_for_the_first
    line = [sys.executable, "-m", "roost", "sync", f"{PLACE}/raw", str(here / "raw")]
    first = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert asked.wait(30)
        told = roost("sync", PLACE, here)
        assert told.code == 0, told.err
        go_on.set()
        out, _ = first.communicate(timeout=60)
        assert first.returncode == 0, out.decode()
    finally:
        go_on.set()
        first.kill()
        first.communicate()
    assert tree(here) == {"raw/big": body, "raw/x": b"1", "y": b"2"}


def test_what_is_being_received_is_not_sent(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    from roost.transfer.key_rules import part_name

    here = grow(tmp_path / "here", {"a": b"1", f"sub/{part_name('x')}": b"half"})
    in_s3(s3, {"a": b"1", f"sub/{part_name('x')}": b"a name that no file can have"})
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert (here / "sub" / part_name("x")).read_bytes() == b"half"
    told = roost("sync", PLACE, tmp_path / "back")
    assert told.code == 0, told.err
    assert "left out" in told.err
    assert tree(tmp_path / "back") == {"a": b"1"}


def test_a_folder_here_that_cannot_be_read_is_not_overwritten(
    tmp_path: Path, s3: Hostile, roost: Roost, locked: Callable[[Path], None]
) -> None:
    here = grow(tmp_path / "here", {"b/y": b"only here", "z": b"4", "gone": b"5"})
    in_s3(s3, {"b/y": b"in S3", "z": b"4"})
    locked(here / "b")
    told = roost("sync", PLACE, here, "--delete", "--yes", "--json")
    assert told.code == 3, told.err
    assert {one["name"] for one in told.json["failed"]} == {"b/", "b/y"}
    assert (here / "b/y").read_bytes() == b"only here"


def test_a_name_that_is_another_s_on_this_disk_is_not_deleted(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.transfer.deletion.folds_case", lambda root: True)
    here = grow(tmp_path / "here", {"frame.fits": b"1", "gone": b"2"})
    in_s3(s3, {"Frame.fits": b"the one that comes"})
    told = roost("sync", PLACE, here, "--delete", "--yes", "--json")
    assert told.json["deleted"] == ["gone"], told.err
    assert (here / "frame.fits").exists()
