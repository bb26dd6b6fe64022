"""What is moved goes only when it is stored and nobody can still write to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roost.transfer.listing import Prefix
from roost.transfer.openness import Rule
from roost.transfer.options import Options, opened
from roost.transfer.s3.config import Keys, Where
from roost.transfer.watch import Keeper
from tests.cli.calling import Roost
from tests.interrupts import heeds_interrupts
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Hostile, Request

PLACE = "s3://bucket/p"
CANNOT_TELL = """
import errno, fcntl
real = fcntl.fcntl
def refuse(file, command, *more):
    if command == fcntl.F_SETLEASE:
        raise OSError(errno.EACCES, "Permission denied")  # as for another user's file
    return real(file, command, *more)
fcntl.fcntl = refuse
"""
NO_LEASES = "import fcntl; del fcntl.F_SETLEASE"
MAIN = "\nimport sys\nfrom roost.cli.main import main\nsys.exit(main())"


def aged(folder: Path, seconds: float = 3600) -> Path:
    """Make all files so old."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))
    return folder


class Watch:
    """A ``roost sync --watch`` at work; ``told`` is what it says in the end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told = ""


@contextmanager
def watching(here: Path, *words: str, before: str = "") -> Iterator[Watch]:
    """Watch a folder as long as the block lasts."""
    line = [sys.executable, "-c", before + MAIN, "sync", str(here), PLACE, "--watch", *words]
    process = subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heeds_interrupts,
    )
    watch = Watch(process)
    try:
        yield watch
        assert process.poll() is None, process.communicate()[0]
        process.send_signal(signal.SIGINT)
        watch.told, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()


def until(so: object, seconds: float = 25) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not so():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def rounds(s3: Hostile, here: Path, count: int = 2) -> None:
    """Wait until the watch has gone around so often more: it stores what is old enough."""
    for number in range(count):
        name = f"round-{time.monotonic_ns()}-{number}"
        path = grow(here, {name: b"r"}) / name
        os.utime(path, (1, 1))
        until(lambda name=name: f"p/{name}" in s3.objects)


def named(folder: Path) -> set[str]:
    return {name for name in tree(folder) if not name.startswith("round-")}


# --- is it open? ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("before", [CANNOT_TELL, NO_LEASES])
def test_a_file_of_which_nobody_can_tell_counts_as_open(
    tmp_path: Path, s3: Hostile, before: str
) -> None:
    here = aged(grow(tmp_path / "here", {"movie": b"half of it"}))
    with watching(here, "--move", "--min-age", "0", before=before) as watch:
        rounds(s3, here)
    assert "movie" in named(here)
    assert watch.told.count("kept movie: the system does not say if a program") == 1
    with watching(here, "--move", "--min-age", "0", "--assume-closed", before=before):
        until(lambda: "movie" not in named(here))
    assert s3.bodies("p/")["movie"] == b"half of it"


@pytest.mark.slow
def test_a_writer_of_another_user_that_pauses_loses_nothing(tmp_path: Path, s3: Hostile) -> None:
    here = grow(tmp_path / "here", {"sub/": b""})
    with (here / "movie").open("wb") as file:
        file.write(b"A" * 1000)
        file.flush()
        os.utime(here / "movie", (1, 1))
        with watching(here, "--move", "--min-age", "1", before=CANNOT_TELL):
            until(lambda: "p/movie" in s3.objects)
            rounds(s3, here)
            file.write(b"B" * 1000)
    assert (here / "movie").read_bytes() == b"A" * 1000 + b"B" * 1000


@pytest.mark.slow
def test_a_file_that_is_open_for_writing_stays_until_it_is_closed(
    tmp_path: Path, s3: Hostile
) -> None:
    here = aged(grow(tmp_path / "here", {"movie": b"half", "done": b"1"}))
    with watching(here, "--move", "--min-age", "0") as watch:
        with (here / "movie").open("r+b"):
            until(lambda: "done" not in named(here))
            rounds(s3, here)
            assert "movie" in named(here)
        until(lambda: "movie" not in named(here))
    assert s3.bodies("p/")["movie"] == b"half"
    assert "kept" not in watch.told


def test_a_file_that_was_closed_a_moment_ago_waits_for_its_turn_without_a_word(
    tmp_path: Path, s3: Hostile
) -> None:
    """A round copies what is closed, and then moves: between the two its writer has ended."""
    here = aged(grow(tmp_path / "here", {"movie": b"1"}))
    said: list[str] = []
    where = Where("us-east-1", s3.endpoint, Keys("key", "secret"))
    with opened(here, Prefix("bucket", "p/"), Options(), where) as sync:
        keeper = Keeper(sync, (), said.append, said.append, Rule(min_age=0), move=True)
        keeper._move(keeper._undecided(time.time()))
        assert (named(here), said) == ({"movie"}, [])
        sync.do(sync.plan())
        keeper._stored(["movie"])
        keeper._move(keeper._undecided(time.time()))
    assert (named(here), said[0]) == (set(), "stored movie")


def test_a_move_waits_for_the_least_age(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    here = grow(tmp_path / "here", {"old": b"1", "young": b"2"})
    os.utime(here / "old", (1, 1))
    told = roost("sync", here, PLACE, "--move", "--json")
    assert told.code == 3, told.err
    assert told.json["removed_from_source"] == ["old"]
    assert "--min-age 60" in told.json["failed"][0]["why"]
    assert tree(here) == {"young": b"2"}
    assert s3.bodies("p/") == {"old": b"1", "young": b"2"}
    told = roost("sync", here, PLACE, "--move", "--min-age", "0")
    assert told.code == 0, told.err
    assert tree(here) == {}


def test_a_file_that_changes_after_it_was_proven_stays(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = aged(grow(tmp_path / "here", {"movie": b"1"}))

    def before(request: Request) -> None:
        if request.name == "HeadObject":  # the proof has begun: somebody appends, with an old time
            with (here / "movie").open("ab") as file:
                file.write(b"more")
            os.utime(here / "movie", (1, 1))

    s3.before = before
    told = roost("sync", here, PLACE, "--move", "--json")
    assert told.code == 3, told.err
    assert told.json["removed_from_source"] == []
    assert (here / "movie").read_bytes().startswith(b"1more")


def test_folders_of_a_running_instrument_stay(tmp_path: Path, s3: Hostile) -> None:
    here = aged(grow(tmp_path / "here", {"session/movie": b"1"}))
    with watching(here, "--move"):
        until(lambda: named(here) == {"session/"})
        rounds(s3, here, 1)
    assert (here / "session").is_dir()


# --- the janitor ---------------------------------------------------------------------------------

RULE = "movies/*.tiff=aligned/*.mrc"


@pytest.mark.slow
def test_an_empty_or_older_result_proves_nothing(tmp_path: Path, s3: Hostile) -> None:
    movies = {f"movies/m{i}.tiff": b"raw" for i in range(4)}
    results = {"aligned/m0.mrc": b"sum", "aligned/m1.mrc": b"", "aligned/m2.mrc": b"sum"}
    here = aged(grow(tmp_path / "here", {**movies, **results}))
    os.utime(here / "aligned/m2.mrc", (1, 1))
    with watching(here, "--janitor", RULE, "--exclude", "movies") as watch:
        until(lambda: "movies/m0.tiff" not in named(here))
        rounds(s3, here)
    assert {name for name in named(here) if name.startswith("movies")} == {
        "movies/m1.tiff",
        "movies/m2.tiff",
        "movies/m3.tiff",
    }
    assert watch.told.count("kept movies/m1.tiff: its result aligned/m1.mrc is empty") == 1
    assert watch.told.count("kept movies/m2.tiff: its result aligned/m2.mrc is older") == 1
    assert "m3" not in watch.told


@pytest.mark.slow
def test_a_result_that_is_still_written_proves_nothing(tmp_path: Path, s3: Hostile) -> None:
    here = aged(grow(tmp_path / "here", {"movies/m.tiff": b"raw", "aligned/m.mrc": b"half"}))
    with watching(here, "--janitor", RULE):
        with (here / "aligned/m.mrc").open("r+b"):
            rounds(s3, here)
            assert "movies/m.tiff" in named(here)
        until(lambda: "movies/m.tiff" not in named(here))


def test_a_movie_of_which_nobody_can_tell_stays(tmp_path: Path, s3: Hostile) -> None:
    here = aged(grow(tmp_path / "here", {"movies/m.tiff": b"raw", "aligned/m.mrc": b"sum"}))
    with watching(here, "--janitor", RULE, before=CANNOT_TELL) as watch:
        rounds(s3, here)
    assert "movies/m.tiff" in named(here)
    assert watch.told.count("kept movies/m.tiff: the system does not say") == 1
