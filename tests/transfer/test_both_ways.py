"""A folder to S3 and back, against a real server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.errors import BusyError, CredentialsError, NotFoundError
from roost.transfer.key_rules import part_name
from roost.transfer.listing import Prefix
from roost.transfer.options import Options, opened
from roost.transfer.s3.config import Keys, Where
from tests.transfer.conftest import Ran, Store, grow, tree

FILES = {
    "a.txt": b"one",
    "a/b.txt": b"two",
    "a/deep/er/c.bin": bytes(range(256)) * 40,
    "a.b/x": b"order: a. is before a/",
    "empty": b"",
    "nothing/": b"",
    "with space+plus%20&<>": b"3",
    "line\nbreak": b"4",
    "\u00e9t\u00e9 e\u0301 \U0001f52d": b"5",
}
Move = Callable[..., Ran]


def kept_by(store: Store) -> dict[str, bytes]:
    """The files whose names a server can keep: moto's has no line breaks."""
    moto = store.weed.kind == "moto"
    return {name: body for name, body in FILES.items() if not (moto and "\n" in name)}


def test_there_and_back_again(tmp_path: Path, store: Store, up: Move, down: Move) -> None:
    source = grow(tmp_path / "source", kept_by(store))
    os.utime(source / "a.txt", ns=(0, 1_234_567_890_123_456_789))
    (source / "a/b.txt").chmod(0o755)
    _, done = up(source)
    assert done.failed == []
    assert store.all() == kept_by(store)
    _, done = down(tmp_path / "back")
    assert done.failed == []
    assert tree(tmp_path / "back") == tree(source)
    for name in kept_by(store):
        if not name.endswith("/"):
            there, back = (source / name).stat(), (tmp_path / "back" / name).stat()
            assert back.st_mtime_ns == there.st_mtime_ns
            assert back.st_mode & 0o100 == there.st_mode & 0o100


def test_a_second_run_has_nothing_to_do(tmp_path: Path, store: Store, up: Move, down: Move) -> None:
    source = grow(tmp_path / "source", kept_by(store))
    up(source)
    planned, done = up(source)
    assert (planned.empty, planned.same, done.bytes) == (True, len(kept_by(store)) - 1, 0)
    down(tmp_path / "back")
    planned, _ = down(tmp_path / "back")
    assert planned.empty


def test_without_the_cache_objects_are_asked_once(
    tmp_path: Path, home: Path, store: Store, up: Move, down: Move
) -> None:
    source = grow(tmp_path / "source", kept_by(store))
    up(source)
    for file in (home / "sync").iterdir():
        file.unlink()
    planned, _ = up(source)
    assert planned.empty
    assert planned.same == len(kept_by(store)) - 1


def test_a_changed_file_of_the_same_size_is_noticed_even_if_it_is_older(
    tmp_path: Path, store: Store, up: Move
) -> None:
    source = grow(tmp_path / "source", {"a": b"111", "b": b"222"})
    up(source)
    (source / "a").write_bytes(b"333")
    os.utime(source / "a", (1, 1))
    planned, _ = up(source)
    assert [(copy.entry.name, copy.reason) for copy in planned.copies] == [("a", "time")]
    assert store.all() == {"a": b"333", "b": b"222"}


def test_an_object_that_another_program_replaced_is_noticed(
    tmp_path: Path, store: Store, up: Move, down: Move
) -> None:
    source = grow(tmp_path / "source", {"a": b"111", "b": b"222"})
    up(source)
    down(tmp_path / "back")
    store.put({"a": b"xyz"})
    planned, _ = down(tmp_path / "back")
    assert [copy.entry.name for copy in planned.copies] == ["a"]
    assert tree(tmp_path / "back") == {"a": b"xyz", "b": b"222"}


def test_what_another_program_stored_after_the_file_changed_is_not_sent_again(
    tmp_path: Path, store: Store, up: Move
) -> None:
    source = grow(tmp_path / "source", {"a": b"111"})
    os.utime(source / "a", (1, 1))
    store.put({"a": b"111"})
    planned, _ = up(source)
    assert planned.empty
    os.utime(source / "a", (time.time() + 100, time.time() + 100))
    planned, _ = up(source)
    assert [copy.reason for copy in planned.copies] == ["time"]


def test_checksum_sees_content_and_not_times(tmp_path: Path, store: Store, up: Move) -> None:
    source = grow(tmp_path / "source", {"same": b"111", "other": b"222"})
    up(source)
    for name in ("same", "other"):
        os.utime(source / name, (5, 5))
    stamp = (source / "other").stat().st_mtime_ns
    (source / "other").write_bytes(b"999")
    os.utime(source / "other", ns=(stamp, stamp))
    planned, _ = up(source, checksum=True)
    assert [(copy.entry.name, copy.reason) for copy in planned.copies] == [("other", "content")]
    assert store.all()["other"] == b"999"


def test_delete_both_ways_leaves_what_is_not_picked(
    tmp_path: Path, store: Store, up: Move, down: Move
) -> None:
    source = grow(tmp_path / "source", {"keep": b"1", "old/gone": b"2", "log/x": b"3"})
    up(source)
    down(tmp_path / "back")
    for name in ("old/gone", "log/x"):
        (source / name).unlink()
        (source / name).parent.rmdir()
    planned, done = up(source, exclude=("log",))
    assert planned.empty
    planned, done = up(source, delete=True, exclude=("log",))
    assert done.deleted == ["old/gone"]
    assert set(store.all()) == {"keep", "log/x"}
    _, done = down(tmp_path / "back", delete=True)
    assert tree(tmp_path / "back") == {"keep": b"1", "log/x": b"3"}
    assert not (tmp_path / "back/old").exists()


def test_nothing_is_deleted_when_something_failed_or_could_not_be_read(
    tmp_path: Path, store: Store, up: Move
) -> None:
    source = grow(tmp_path / "source", {"a": b"1", "locked/b": b"2", "c": b"3"})
    up(source)
    (source / "c").unlink()
    (source / "c").symlink_to("a")
    planned, done = up(source, delete=True)
    assert [name for name, _ in planned.skipped] == ["c"]
    assert done.deleted == []
    assert set(store.all()) == {"a", "locked/b", "c"}


def test_symlinks_are_skipped_with_a_word_or_followed(
    tmp_path: Path, store: Store, up: Move
) -> None:
    source = grow(tmp_path / "source", {"real/a": b"1"})
    grow(tmp_path / "other", {"b": b"2"})
    (source / "link").symlink_to(tmp_path / "other")
    (source / "file").symlink_to("real/a")
    (source / "loop").symlink_to(source)
    (source / "broken").symlink_to("nowhere")
    os.mkfifo(source / "pipe")
    planned, _ = up(source)
    assert [name for name, _ in planned.skipped] == ["broken", "file", "link", "loop", "pipe"]
    assert set(store.all()) == {"real/a"}
    planned, _ = up(source, follow=True)
    assert [name for name, _ in planned.skipped] == ["broken", "loop/", "pipe"]
    assert store.all() == {"real/a": b"1", "file": b"1", "link/b": b"2"}


@pytest.mark.parametrize("name", ["../out", "a/../../out", "a/./b", "a//b", part_name("x")])
def test_no_object_leaves_the_destination(
    tmp_path: Path, name: str, store: Store, down: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server would clean such names, so they come from the listing.
    from roost.transfer.listing import Entry

    store.put({"fine": b"1"})
    real = list(store.bucket.objects(store.base))
    listing = sorted([*real, Entry(name, 1, 0, "tag")])
    monkeypatch.setattr(
        "roost.transfer.s3.bucket.Bucket.objects", lambda self, prefix, begins="": iter(listing)
    )
    planned, done = down(tmp_path / "below/back")
    assert [one for one, _ in planned.skipped] == [name]
    assert tree(tmp_path / "below") == {"back/fine": b"1"}
    assert done.failed == []


def test_nothing_is_written_through_a_symlink(tmp_path: Path, store: Store, down: Move) -> None:
    store.put({"link/x": b"1", "fine": b"2"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back/link").symlink_to(tmp_path / "elsewhere")
    _, done = down(tmp_path / "back")
    assert [name for name, _ in done.failed] == ["link/x"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "back/fine").read_bytes() == b"2"


def test_a_name_that_is_a_file_and_a_folder_is_reported(
    tmp_path: Path, store: Store, down: Move
) -> None:
    store.put({"a": b"1", "a/x": b"2"})
    _, done = down(tmp_path / "back")
    assert len(done.failed) == 1
    assert len(tree(tmp_path / "back")) == 1


def test_one_roost_at_a_time(tmp_path: Path, store: Store, up: Move) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    with (
        opened(source, store.place, Options(), store.where),
        pytest.raises(BusyError, match="another roost"),
    ):
        up(source)


def test_what_is_wrong_with_the_place_is_said(tmp_path: Path, store: Store) -> None:
    if store.weed.kind != "seaweedfs":
        pytest.skip("this server lets everybody in")
    source = grow(tmp_path / "source", {"a": b"1"})
    bad = Where("us-east-1", store.weed.endpoint, Keys("testkey", "wrong"))
    with pytest.raises(CredentialsError), opened(source, store.place, Options(), bad):
        pass
    nowhere = Prefix("no-such-bucket-here")
    with (
        pytest.raises(NotFoundError, match="no such bucket"),
        opened(source, nowhere, Options(), store.where),
    ):
        pass
