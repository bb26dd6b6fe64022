"""A whole folder, and not only its files, goes to S3 and comes back the same."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from roost.transfer import checksums
from roost.transfer.job import ANY, Job, Outcome
from roost.transfer.key_rules import part_name
from roost.transfer.manifest import KINDS, TreeError, read
from roost.transfer.options import Options
from roost.transfer.s3.client import PART
from tests.transfer.conftest import Store, grow
from tests.transfer.local_machine import Here

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="volumes are of Linux machines")
ODD = ("a b", "new\nline", "Ünï", "-rf", "'\"$x", "#%+&=@,;", "..x", "x..", "~", "e\u0301")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path / "machine")
    yield made
    made.end()


def volume(folder: Path) -> Path:
    """What people and programs leave on a disk."""
    noise = random.Random(7)
    grow(folder, {"lost+found/": b"", "empty/": b"", "deep/er/still/x": b"x", "zero": b""})
    grow(folder, {f"odd/{name}": name.encode() for name in ODD})
    grow(folder, {"big": noise.randbytes(PART + 5), "run.sh": b"#!/bin/sh\n"})
    (folder / "run.sh").chmod(0o755)
    (folder / "secret").write_text("only mine")
    (folder / "secret").chmod(0o600)
    (folder / "set").write_text("s")
    (folder / "set").chmod(0o6755)
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o1777)
    (folder / "link").symlink_to("deep/er")
    (folder / "broken link").symlink_to("/nowhere/at all")
    os.mkfifo(folder / "pipe", 0o640)
    with suppress(OSError):  # not every file system has them
        os.setxattr(folder / "run.sh", "user.note", b"\x00of mine")
        os.setxattr(folder / "shared", "user.note", b"a folder's")
    sparse = folder / "sparse"
    with sparse.open("wb") as file:
        file.seek(3 * 2**20)
        file.write(b"end")
    if os.getuid() == 0:
        os.chown(folder / "secret", 1234, 5678)
        os.chown(folder / "deep", 1000, 1000)
        os.chown(folder / "link", 1000, 1000, follow_symlinks=False)
        os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (folder / "shut").mkdir(mode=0o000)
    for number, path in enumerate([*sorted(folder.rglob("*"), reverse=True), folder]):
        when = 1_000_000_000_123_456_789 + number * 10**9
        os.utime(path, ns=(when, when), follow_symlinks=False)
    folder.chmod(0o750)
    return folder


def everything(folder: Path) -> dict[str, Any]:
    """All that is to be the same, of the folder and all below it."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        info = path.lstat()
        name = path.relative_to(folder).as_posix()
        if name == "lost+found":
            continue
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        content = path.read_bytes() if kind == "file" else b""
        to = os.readlink(path) if kind == "link" else ""
        owner = (info.st_uid, info.st_gid, info.st_mode, info.st_rdev)
        attributes = {
            one: os.getxattr(path, one, follow_symlinks=False)
            for one in os.listxattr(path, follow_symlinks=False)
        }
        found[name] = (kind, owner, info.st_mtime_ns, content, to, attributes)
    return found


def up(store: Store, folder: Path, **more: Any) -> Job:
    return Job(source=str(folder), target=str(store.place), where=store.where, tree=True, **more)


def down(store: Store, folder: Path, saved: Outcome) -> Job:
    assert saved.proof is not None
    return Job(
        source=str(store.place),
        target=str(folder),
        where=store.where,
        tree=True,
        tree_at=saved.proof.tree,
        tree_sha256=saved.proof.tree_sha256,
    )


def test_all_of_it_is_the_same_afterwards(tmp_path: Path, store: Store, here: Here) -> None:
    source = volume(tmp_path / "source")
    saved = here.run(up(store, source))
    assert saved.proof is not None
    assert (saved.failed, saved.proof.whole) == ((), True)
    back = tmp_path / "back"
    came = here.run(down(store, back, saved))
    assert came.proof is not None
    assert (came.failed, came.proof.whole) == ((), True)
    assert came.proof.files == saved.proof.files
    assert everything(back) == everything(source)
    assert not (back / "lost+found").exists()
    assert (back / "sparse").stat().st_blocks < (back / "sparse").stat().st_size / 512


def test_again_only_changes_go_and_come(tmp_path: Path, store: Store, here: Here) -> None:
    source = volume(tmp_path / "source")
    first = here.run(up(store, source))
    back = tmp_path / "back"
    here.run(down(store, back, first))
    (source / "zero").unlink()
    (source / "run.sh").write_text("#!/bin/bash\n")
    (source / "link").unlink()
    (source / "link").symlink_to("elsewhere")
    (source / "secret").chmod(0o400)
    second = here.run(up(store, source, options=Options(delete=True), agreed=ANY))
    assert second.copied == 1
    assert "zero" in second.deleted
    trees = [name for name in store.all() if name.startswith(".roost/tree-")]
    assert len(trees) == 1
    came = here.run(down(store, back, second))
    assert came.copied == 1
    (back / "zero").unlink()  # what the tree does not name is nobody's
    os.utime(back, ns=(source.stat().st_mtime_ns,) * 2)
    assert everything(back) == everything(source)
    # Nothing to fetch, and everything compared all the same.
    (back / "big").write_bytes(bytes(PART + 5))
    os.utime(back / "big", ns=((source / "big").stat().st_mtime_ns,) * 2)
    assert here.run(down(store, back, second)).copied == 1
    assert everything(back) == everything(source)


@pytest.mark.parametrize("hurt", ["missing", "damaged", "shorter"])
def test_an_object_that_is_not_right_is_named_and_it_is_not_whole(
    tmp_path: Path, store: Store, here: Here, hurt: str
) -> None:
    source = grow(tmp_path / "source", {"a": b"first", "b": b"second"})
    saved = here.run(up(store, source))
    if hurt == "missing":
        store.bucket.delete([f"{store.base}b"])
    else:
        store.put({"b": b"SECOND" if hurt == "damaged" else b"se"})
    came = here.run(down(store, tmp_path / "back", saved))
    assert came.proof is not None
    assert not came.proof.whole
    assert [name for name, _ in came.failed] == ["b"]
    assert (tmp_path / "back" / "a").read_bytes() == b"first"


def test_what_s3_cannot_hold_makes_it_not_whole(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    latin = os.fsdecode(b"caf\xe9")
    (source / latin).write_bytes(b"2")
    long = "/".join(["x" * 250] * 4)
    grow(source, {f"{long}/file": b"3"})
    saved = here.run(up(store, source, options=Options(delete=True), agreed=ANY))
    assert saved.proof is not None
    assert (saved.proof.whole, saved.proof.tree) == (False, "")
    assert {name for name, _ in saved.failed} == {latin, f"{long}/file"}
    assert "UTF-8" in dict(saved.failed)[latin]


def test_folders_and_links_of_any_name_are_held(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    (source / os.fsdecode(b"f\xff")).mkdir()
    (source / os.fsdecode(b"l\xff")).symlink_to(os.fsdecode(b"to\xfe"))
    saved = here.run(up(store, source))
    assert saved.proof is not None
    assert (saved.failed, saved.proof.whole) == ((), True)
    here.run(down(store, tmp_path / "back", saved))
    assert everything(tmp_path / "back") == everything(source)


def test_a_socket_is_left_out_with_a_word(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"a": b"1", part_name("x"): b"half"})
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(source / "s"))
    saved = here.run(up(store, source))
    server.close()
    assert saved.proof is not None
    assert saved.proof.whole
    assert [note.partition(":")[0] for note in saved.notes] == [part_name("x"), "s"]


def test_what_lost_and_found_holds_is_held(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"lost+found/#12": b"found"})
    saved = here.run(up(store, source))
    here.run(down(store, tmp_path / "back", saved))
    assert (tmp_path / "back" / "lost+found" / "#12").read_bytes() == b"found"


def test_what_changes_after_it_was_proven_makes_it_not_whole(
    tmp_path: Path, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del home
    from roost.transfer import runner

    source = grow(tmp_path / "source", {"a": b"1", "b": b"2"})
    proves = runner.verify

    def then_write(*words: Any, **more: Any) -> Any:
        proof = proves(*words, **more)
        (source / "b").write_bytes(b"3")
        (source / "c").write_bytes(b"new")
        return proof

    monkeypatch.setattr(runner, "verify", then_write)
    saved = runner.run(up(store, source), runner.Tracker())
    assert saved.proof is not None
    assert not saved.proof.whole
    assert [name for name, _ in saved.failed] == ["b", "c"]


def test_a_tree_that_was_changed_or_cut_is_refused(
    tmp_path: Path, store: Store, here: Here
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    saved = here.run(up(store, source))
    assert saved.proof is not None
    key = saved.proof.tree.removeprefix(f"s3://{store.bucket.name}/")
    body = store.bucket.get(key).body
    store.bucket.put(key, body.replace(b'"a"', b'"b"'), {})
    job = down(store, tmp_path / "back", saved)
    said = list(here.attend(job))[-1]
    assert "differs from what was saved" in said["error"]["what"]
    store.bucket.put(key, b"".join(body.splitlines(keepends=True)[:-1]), {})
    said = list(here.attend(replace(job, tree_sha256="")))[-1]
    assert "only a part of one" in said["error"]["what"]
    assert list((tmp_path / "back").iterdir()) == []


def same_crc(body: bytes) -> bytes:
    """Return another content of the same size and CRC64: 64 bits of it decide the CRC."""
    start = b"evil" + body[4:-8]

    def crc(last: int) -> int:
        return checksums.crc64(start + last.to_bytes(8, "little"))

    zero, chosen = crc(0), 0
    target = checksums.crc64(body) ^ zero
    rows = [(crc(1 << bit) ^ zero, 1 << bit) for bit in range(64)]
    for bit in reversed(range(64)):
        pivot = next(row for row in rows if row[0] >> bit & 1)
        rows.remove(pivot)
        rows = [(a ^ pivot[0], b ^ pivot[1]) if a >> bit & 1 else (a, b) for a, b in rows]
        if target >> bit & 1:
            target, chosen = target ^ pivot[0], chosen ^ pivot[1]
    return start + chosen.to_bytes(8, "little")


def test_other_bytes_with_the_same_crc_are_found_but_where_no_sha256_was_kept(
    tmp_path: Path, store: Store, here: Here
) -> None:
    body = b"the results of a year"
    saved = here.run(up(store, grow(tmp_path / "source", {"a": body, "zero": b""})))
    assert saved.proof is not None
    evil = same_crc(body)
    assert (len(evil), evil[:4]) == (len(body), b"evil")
    assert checksums.crc64(evil) == checksums.crc64(body)
    key = saved.proof.tree.removeprefix(f"s3://{store.bucket.name}/")
    lines = [json.loads(line) for line in store.bucket.get(key).body.splitlines()]
    assert {line.get("sha256") for line in lines if line.get("kind") == "file"} == {
        hashlib.sha256(one).hexdigest() for one in (body, b"")
    }
    crc = ("crc64nvme", checksums.crc64_text(checksums.crc64(body)))
    mine = [{**line, "sums": crc} if line.get("path") == "a" else line for line in lines]
    old = [{k: v for k, v in line.items() if k != "sha256"} for line in mine]
    store.put({"a": evil})
    for tree_, wrong, notes in ((mine, ["a"], 0), (old, [], 1)):
        store.bucket.put(key, b"".join(json.dumps(one).encode() + b"\n" for one in tree_), {})
        came = here.run(replace(down(store, tmp_path / f"back{notes}", saved), tree_sha256=""))
        assert came.proof is not None
        assert ([name for name, _ in came.failed], came.proof.whole) == (wrong, not wrong)
        assert len(came.notes) == notes
    assert "2 of its files are compared by CRC64 or MD5 only" in came.notes[0]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a//b", "./a", "a/"])
def test_a_tree_stays_below_its_folder(path: str) -> None:
    leaf = {"path": path, "kind": "link", "mode": 0, "uid": 0, "gid": 0, "mtime_ns": 0, "to": "/"}
    lines = [{"roost": "tree", "version": 1}, leaf, {"entries": 1}]
    with pytest.raises(TreeError):
        read(json.dumps(line).encode() for line in lines)


def test_nothing_is_written_through_a_link_that_is_in_the_way(
    tmp_path: Path, store: Store, here: Here
) -> None:
    source = grow(tmp_path / "source", {"in/file": b"1"})
    (source / "in" / "link").symlink_to("x")
    saved = here.run(up(store, source))
    outside = grow(tmp_path / "outside", {"link": b"precious"})
    back = grow(tmp_path / "back", {"other": b""})
    (back / "in").symlink_to(outside)
    came = here.run(down(store, back, saved))
    assert came.proof is not None
    assert not came.proof.whole
    assert (outside / "link").read_bytes() == b"precious"
    assert sorted(path.name for path in outside.iterdir()) == ["link"]


def test_a_file_where_a_link_belongs_is_not_lost(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"file": b"1"})
    (source / "link").symlink_to("file")
    saved = here.run(up(store, source))
    back = grow(tmp_path / "back", {"link": b"written here, and nowhere else"})
    came = here.run(down(store, back, saved))
    assert came.failed == (("link", "a file is in its place"),)
    assert (back / "link").read_bytes() == b"written here, and nowhere else"


def killed(here: Here, job: Job, moment: float) -> bool:
    """Begin it, and kill its unit after so many seconds; whether it was at work then."""
    said = here.attend(job)
    deadline = time.monotonic() + moment
    for _ in said:
        if time.monotonic() > deadline:
            break
    unit = here.units[-1]
    time.sleep(max(0, deadline - time.monotonic()))
    at_work = unit.poll() is None
    unit.send_signal(signal.SIGKILL)
    unit.wait()
    return at_work


def kill_often(
    here: Here, job: Job, times: int, noise: random.Random, more: Callable[[], object]
) -> None:
    """Kill it so many times while it is at work; ``more`` gives it something to do again."""
    longest = 1.5
    for _ in range(10 * times):
        if times and killed(here, job, noise.uniform(0.2, longest)):
            times -= 1
        elif times:  # it was done before that moment
            longest = max(0.3, longest * 0.8)
            more()
    assert not times


@pytest.mark.parametrize("times", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_is_gone_on_with(
    tmp_path: Path, store: Store, here: Here, times: int
) -> None:
    noise = random.Random(times)
    source = volume(tmp_path / "source")
    grow(source, {f"many/{number}": noise.randbytes(3000) for number in range(400)})
    grow(source, {f"large/{number}": noise.randbytes(2 * PART + 9) for number in range(2)})
    back = tmp_path / "back"
    other = (f"large/0{noise.randrange(10**9)}" for _ in count())
    kill_often(
        here,
        up(store, source),
        times,
        noise,
        lambda: grow(source, {next(other): noise.randbytes(PART + 9)}),
    )
    saved = here.run(up(store, source))
    assert saved.proof is not None
    assert (saved.failed, saved.proof.whole) == ((), True)
    job = down(store, back, saved)
    kill_often(here, job, times, noise, lambda: shutil.rmtree(back, ignore_errors=True))
    came = here.run(job)
    assert came.proof is not None
    assert (came.failed, came.proof.whole) == ((), True)
    assert everything(back) == everything(source)
    assert store.unfinished() == []
