"""Nothing is made, moved or changed outside the destination, whatever appears in it meanwhile."""

from __future__ import annotations

import ctypes
import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from roost.transfer.below import Below
from roost.transfer.engine import Done, Planned, Sync
from roost.transfer.job import Job
from roost.transfer.manifest import TreeError, read
from roost.transfer.options import Options, opened
from roost.transfer.runner import run_here
from tests.cli.calling import Roost
from tests.transfer.conftest import Store, grow, ran, tree
from tests.transfer.hostile_s3 import Hostile, Request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="renameat2 and O_PATH are Linux's")


def exchange(one: Path, other: Path) -> None:
    """Each gets the other's name, at once."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) == 0


@contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[None]:
    """A folder is a link to elsewhere, and then itself again, all the time."""
    link = folder.with_name("link")
    link.symlink_to(outside)
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            exchange(folder, link)

    thread = threading.Thread(target=swap, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_links_that_appear_during_the_sync_lead_nowhere(
    tmp_path: Path, s3: Hostile, roost: Roost, size: int
) -> None:
    count = 600 if size < 100 else 6
    s3.put({f"p/x/f{number:03d}": os.urandom(size) for number in range(count)})
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "back/x").mkdir(parents=True)
    with swapping(tmp_path / "back/x", outside):
        told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert list(outside.iterdir()) == []
    assert told.code in {0, 3}, told.err
    assert len(told.json["failed"]) + told.json["copied"] == count


def test_a_folder_that_is_replaced_is_not_taken_for_the_one_that_was_there(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    """What went into a folder that has another name by now is not said to be in place."""
    s3.put({f"p/x/f{number:03d}": b"1" for number in range(40)})
    back, outside = tmp_path / "back", tmp_path / "outside"
    outside.mkdir()
    (back / "x").mkdir(parents=True)
    (back / "link").symlink_to(outside)

    def before(request: Request) -> None:
        if request.key == "p/x/f039":
            exchange(back / "x", back / "link")

    s3.before = before
    told = roost("sync", "s3://bucket/p", back, "--json")
    assert told.code == 3
    assert told.json["copied"] == 0
    assert list(outside.iterdir()) == []


def test_no_more_folders_are_open_than_allowed(tmp_path: Path) -> None:
    below = Below(tmp_path, most=4)
    for number in range(20):
        with below.folder(f"a/b{number}", make=True) as file:
            assert stat.S_ISDIR(os.fstat(file).st_mode)
    here = len(os.listdir("/proc/self/fd"))
    with below.folder("a/b0") as file, below.folder("a/b1"):
        for number in range(2, 20):
            with below.folder(f"a/b{number}"):
                pass
        assert os.path.samestat(os.fstat(file), (tmp_path / "a/b0").stat())  # still open
    assert len(os.listdir("/proc/self/fd")) <= here + 1
    below.close()
    assert len(os.listdir("/proc/self/fd")) < here


def test_a_name_that_is_gone_is_deleted_below_its_own_folder_only(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({"p/a": b"1"})
    outside = grow(tmp_path / "outside", {"old": b"precious"})
    back = grow(tmp_path / "back", {"a": b"1", "x/old": b"2"})

    def before(request: Request) -> None:
        if request.key == "p/a" and not (back / "x").is_symlink():
            (back / "x/old").unlink()
            (back / "x").rmdir()
            (back / "x").symlink_to(outside)

    s3.before = before
    roost("sync", "s3://bucket/p", back, "--delete", "--yes")
    assert tree(outside) == {"old": b"precious"}


# --- trees ---------------------------------------------------------------------------------------


def leaf(path: str, kind: str, **more: Any) -> dict[str, Any]:
    usual = {"mode": 0o755, "uid": os.getuid(), "gid": os.getgid(), "mtime_ns": 10**18}
    return {"path": path, "kind": kind, **usual, **more}


def lines(*leaves: dict[str, Any]) -> bytes:
    whole = [{"roost": "tree", "version": 1}, leaf("", "folder"), *leaves]
    return b"".join(
        json.dumps(one).encode() + b"\n" for one in (*whole, {"entries": len(leaves) + 1})
    )


@pytest.mark.parametrize(
    ("leaves", "word"),
    [
        ((leaf("x", "link", to="/tmp"), leaf("x/evil", "char", device=257)), "no folder"),
        ((leaf("x/deep/er", "fifo"),), "no folder"),
        ((leaf("x", "link", to="/tmp"), leaf("x", "folder")), "twice"),
        ((leaf("x", "file"), leaf("x", "file")), "twice"),
        ((leaf("x", "weird"),), "no sense"),
        ((leaf("x", "fifo", mode="777"),), "no sense"),
        ((leaf("x", "fifo", mode=0o170000),), "no sense"),
        ((leaf("x", "fifo", uid=-1),), "no sense"),
        ((leaf("x", "fifo", xattrs={"user.x": 1}),), "no sense"),
        ((leaf("x", "fifo", extra=1),), "no tree"),
    ],
)
def test_a_tree_that_no_folder_can_have_had_is_refused(
    leaves: tuple[dict[str, Any], ...], word: str
) -> None:
    with pytest.raises(TreeError, match=word):
        read(lines(*leaves).splitlines())


def restored(
    store: Store,
    back: Path,
    leaves: tuple[dict[str, Any], ...],
    files: dict[str, bytes],
) -> dict[str, str]:
    """Put a tree and its files, restore it; what failed, and why."""
    store.put({**files, ".roost/tree-2026.jsonl": lines(*leaves)})
    job = Job(source=str(store.place), target=str(back), where=store.where, tree=True)
    return dict(run_here(job, lambda progress: None).failed)


def content(body: bytes) -> dict[str, Any]:
    import hashlib

    return {"size": len(body), "sums": ["etag", hashlib.md5(body).hexdigest()]}


def test_a_file_that_has_other_names_elsewhere_is_made_anew(tmp_path: Path, store: Store) -> None:
    outside = grow(tmp_path / "outside", {"victim": b"v"})
    (outside / "victim").chmod(0o600)
    back = tmp_path / "back"
    back.mkdir()
    os.link(outside / "victim", back / "x")
    wrong = restored(store, back, (leaf("x", "file", mode=0o4755, **content(b"v")),), {"x": b"v"})
    assert wrong == {}
    assert stat.S_IMODE((outside / "victim").stat().st_mode) == 0o600
    assert stat.S_IMODE((back / "x").stat().st_mode) == 0o4755
    assert (back / "x").read_bytes() == b"v"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_link_that_appears_during_a_restore_leads_nowhere(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    outside = grow(tmp_path / "outside", {"f": b"precious"})
    (outside / "f").chmod(0o600)
    back = tmp_path / "back"

    def swap() -> None:
        (back / "x").rename(back / "y")
        (back / "x").symlink_to(outside)

    def wrapped(real: Callable[[Sync, Planned], Done]) -> Callable[[Sync, Planned], Done]:
        def do(self: Sync, planned: Planned) -> Done:
            if when == "before":
                swap()
            done = real(self, planned)
            if when == "after":
                swap()
            return done

        return do

    monkeypatch.setattr(Sync, "do", wrapped(Sync.do))
    leaves = (
        leaf("x", "folder", mode=0o777),
        leaf("x/f", "file", mode=0o4777, **content(b"new")),
        leaf("x/pipe", "fifo", mode=0o666),
        leaf("x/link", "link", to="/"),
    )
    wrong = restored(store, back, leaves, {"x/f": b"new"})
    assert wrong
    assert tree(outside) == {"f": b"precious"}
    assert stat.S_IMODE((outside / "f").stat().st_mode) == 0o600
    assert stat.S_IMODE(outside.stat().st_mode) != 0o777


def test_what_is_swapped_for_another_kind_keeps_its_own_mode(tmp_path: Path) -> None:
    from roost.transfer.attributes import give
    from roost.transfer.manifest import leaf_of

    victim = grow(tmp_path, {"victim": b"v"}) / "victim"
    victim.chmod(0o600)
    (tmp_path / "x").symlink_to(victim)
    with Below(tmp_path).folder("") as at, pytest.raises(OSError, match="by now"):
        give(leaf_of(leaf("x", "file", mode=0o4777)), at, "x")
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    with Below(tmp_path).folder("") as at:
        give(leaf_of(leaf("x", "link", mtime_ns=5 * 10**9)), at, "x")
    assert (tmp_path / "x").lstat().st_mtime_ns == 5 * 10**9
    assert victim.stat().st_mtime_ns != 5 * 10**9


def test_a_destination_that_is_a_link_itself_is_where_it_leads(
    tmp_path: Path, store: Store
) -> None:
    store.put({"a/b": b"1"})
    (tmp_path / "real").mkdir()
    (tmp_path / "back").symlink_to(tmp_path / "real")
    with opened(store.place, tmp_path / "back", Options(), store.where) as sync:
        _, done = ran(sync)
    assert done.failed == []
    assert tree(tmp_path / "real") == {"a/b": b"1"}
