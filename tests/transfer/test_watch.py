"""Files are moved when they are finished, and deleted when they are proven."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from roost.errors import UsageError
from roost.transfer.engine import Sync
from roost.transfer.listing import Entry
from roost.transfer.openness import Rule
from roost.transfer.options import Options, opened
from roost.transfer.watch import Janitor, finished, janitor, move_away, rounds, sweep
from tests.transfer.conftest import Store, grow, tree

QUIET = 0.4


def entry(path: Path) -> Entry:
    info = path.stat()
    return Entry(path.name, info.st_size, info.st_mtime_ns)


def test_a_file_is_finished_when_it_is_quiet_and_nobody_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "movie"
    with path.open("wb") as file:
        file.write(b"1")
        file.flush()
        later = time.time() + 60
        assert not finished(path, entry(path), later, QUIET)
    assert finished(path, entry(path), later, QUIET)
    assert not finished(path, entry(path), time.time(), 60)
    assert not finished(tmp_path / "gone", Entry("gone", 1, 0), later, QUIET)


def watch(sync: Sync, stop: threading.Event, stored: list[str]) -> None:
    for done in rounds(sync, stop, quiet=QUIET, pause=0.1):
        stored += [known.name for known in done.copied]


def test_what_is_finished_is_stored_once(tmp_path: Path, store: Store) -> None:
    source = grow(tmp_path / "source", {"early": b"1"})
    stop, stored = threading.Event(), list[str]()
    with opened(source, store.place, Options(), store.where) as sync:
        thread = threading.Thread(target=watch, args=(sync, stop, stored))
        thread.start()
        try:
            with (source / "movie").open("wb") as file:
                for _ in range(8):
                    file.write(b"frame")
                    file.flush()
                    time.sleep(0.15)
                    assert "movie" not in stored
            until(lambda: "movie" in stored)
            (source / "movie").write_bytes(b"taken again")
            until(lambda: stored.count("movie") == 2)
            time.sleep(0.5)
        finally:
            stop.set()
            thread.join(10)
    assert sorted(stored) == ["early", "movie", "movie"]
    assert store.all() == {"early": b"1", "movie": b"taken again"}


def until(so: object, seconds: float = 20) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not so():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_move_keeps_what_changed_after_it_was_stored(tmp_path: Path, store: Store) -> None:
    source = grow(tmp_path / "source", {"a": b"1", "b": b"2", "sub/c": b"3"})
    with opened(source, store.place, Options(), store.where) as sync:
        sync.do(sync.plan())
        (source / "b").write_bytes(b"X")
        gone, wrong = move_away(sync, Rule(min_age=0))
    assert sorted(gone) == ["a", "sub/c"]
    assert wrong == [("b", "its content in S3 differs")]
    assert tree(source) == {"b": b"X", "sub/": b""}


def test_the_janitor_deletes_a_movie_when_its_micrograph_is_proven(
    tmp_path: Path, store: Store
) -> None:
    rule = janitor("movies/*.tiff=aligned/*.mrc")
    movies = {f"movies/m{i}.tiff": b"raw" for i in range(4)}
    aligned = {f"aligned/m{i}.mrc": b"sum%d" % i for i in (0, 1, 3)}
    source = grow(tmp_path / "source", {**movies, **aligned, "movies/notes.txt": b"n"})
    with opened(source, store.place, Options(exclude=("movies",)), store.where) as sync:
        sync.do(sync.plan())
        store.put({"aligned/m1.mrc": b"sumX"})
        store.bucket.delete([store.base + "aligned/m3.mrc"])
        gone, kept = sweep(sync, (rule,), Rule(min_age=0))
        assert gone == ["movies/m0.tiff"]
        assert kept == [
            ("movies/m1.tiff", "its result aligned/m1.mrc: its content in S3 differs"),
            ("movies/m3.tiff", "its result aligned/m3.mrc: it is not in S3"),
        ]
        assert sweep(sync, (rule,), Rule(min_age=0)) == ([], kept)
    left = {name for name in tree(source) if name.startswith("movies")}
    assert left == {"movies/m1.tiff", "movies/m2.tiff", "movies/m3.tiff", "movies/notes.txt"}


@pytest.mark.parametrize("rule", ["a", "a=b", "*.a=b", "*=*", "**=*.b"])
def test_a_rule_that_makes_no_sense_is_refused(rule: str) -> None:
    with pytest.raises(UsageError):
        janitor(rule)


def test_what_a_rule_wants() -> None:
    rule = Janitor("movies/*.tiff", "aligned/*_sum.mrc")
    assert rule.wants("movies/x/y.tiff") == "aligned/x/y_sum.mrc"
    assert rule.wants("other/x.tiff") is None
