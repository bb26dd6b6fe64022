"""Files in parts: resumed, holes kept, changes noticed."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.transfer import upload as uploading
from roost.transfer.context import Run
from roost.transfer.key_rules import part_name
from roost.transfer.options import Options, opened
from roost.transfer.ranges import AHEAD, RANGE
from roost.transfer.s3.bucket import Upload
from roost.transfer.s3.client import PART, S3Client
from roost.transfer.s3.wire import Wire
from tests.transfer.conftest import Ran, Store, grow

Move = Callable[..., Ran]
SIZE = 2 * PART + 12345


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def parts_sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers of all parts that are sent from now on."""
    sent: list[str] = []
    real = S3Client.send

    def send(self: S3Client, operation: str, *args: object, **more: object) -> object:
        if operation == "UploadPart":
            sent.append(args[2]["partNumber"])  # type: ignore[index]
        return real(self, operation, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(S3Client, "send", send)
    return sent


def test_there_and_back_in_parts(tmp_path: Path, store: Store, up: Move, down: Move) -> None:
    source = grow(tmp_path / "source", {"big": noise(SIZE), "exact": noise(PART, 2)})
    _, done = up(source)
    assert done.failed == []
    head = store.bucket.head(store.base + "big")
    assert (head.size, head.tag[-2:]) == (SIZE, "-3")
    assert store.unfinished() == []
    _, done = down(tmp_path / "back")
    assert done.failed == []
    for name in ("big", "exact"):
        assert (tmp_path / "back" / name).read_bytes() == (source / name).read_bytes()
    planned, _ = down(tmp_path / "back", checksum=True)
    assert planned.empty


@pytest.mark.parametrize("cache", [True, False])
def test_an_upload_that_was_cut_short_goes_on(
    tmp_path: Path, store: Store, home: Path, up: Move, monkeypatch: pytest.MonkeyPatch, cache: bool
) -> None:
    source = grow(tmp_path / "source", {"big": noise(SIZE)})
    with monkeypatch.context() as patch:
        patch.setattr(uploading._Parts, "_complete", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            up(source)
    assert store.unfinished() == ["big"]
    if not cache:
        for file in (home / "sync").iterdir():
            file.unlink()
    sent = parts_sent(monkeypatch)
    up(source)
    # Without the cache nobody knows that it is not another computer's, which may be at work.
    assert sent == ([] if cache else ["1", "2", "3"])
    assert store.all()["big"] == noise(SIZE)
    assert store.unfinished() == ([] if cache else ["big"])


def test_parts_of_what_the_file_was_before_are_not_taken(
    tmp_path: Path, store: Store, up: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = grow(tmp_path / "source", {"big": noise(SIZE)})
    info = (source / "big").stat()
    left = store.bucket.begin(store.base + "big", {})
    with opened(source, store.place, Options(), store.where) as sync:
        sync.run.cache.began(store.base + "big", left, info.st_size, info.st_mtime_ns)
    for number, body in ((1, noise(SIZE)[:PART]), (2, noise(PART, 7))):
        query = {"partNumber": str(number), "uploadId": left}
        store.bucket.client.call("UploadPart", "PUT", store.base + "big", query, None, body)
    sent = parts_sent(monkeypatch)
    up(source)
    assert sent == ["2", "3"]
    assert store.all()["big"] == noise(SIZE)
    assert store.unfinished() == []


def test_an_upload_of_a_file_that_is_gone_is_ended(tmp_path: Path, store: Store, up: Move) -> None:
    source = grow(tmp_path / "source", {"big": noise(SIZE), "a": b"1"})
    with opened(source, store.place, Options(), store.where) as sync:
        upload = store.bucket.begin(store.base + "big", {})
        sync.run.cache.began(store.base + "big", upload, SIZE, 1)
    (source / "big").unlink()
    other = store.bucket.begin(store.base + "of-somebody-else", {})
    up(source)
    assert store.unfinished() == ["of-somebody-else"]
    store.bucket.abort(Upload(store.base + "of-somebody-else", other))


@pytest.mark.slow
def test_a_download_that_was_cut_short_goes_on(
    tmp_path: Path, store: Store, up: Move, down: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 3 * PART + 12345
    source = grow(tmp_path / "source", {"big": noise(size)})
    up(source)
    tag = store.bucket.head(store.base + "big").tag
    back = tmp_path / "back"
    back.mkdir()

    # The last ranges may have arrived in any order: only what is before them is kept.
    sure, doubtful = 4 * RANGE, AHEAD * RANGE
    part = back / part_name(f"big\0{tag}")
    part.write_bytes(noise(size)[:sure] + noise(doubtful + 5, 9))
    (back / part_name("of another object")).write_bytes(b"of another object")
    asked: list[str] = []
    real = Wire.get

    def get(self: Wire, key: str, headers: dict[str, str]) -> object:
        asked.append(headers.get("range", ""))
        return real(self, key, headers)

    monkeypatch.setattr(Wire, "get", get)
    _, done = down(back)
    assert done.failed == []
    starts = sorted(int(one.removeprefix("bytes=").partition("-")[0]) for one in asked)
    assert starts == list(range(sure, size, RANGE))
    assert [one.name for one in back.iterdir()] == ["big"]
    assert (back / "big").read_bytes() == noise(size)


def test_other_bytes_in_the_place_of_a_hole_do_not_stay(
    tmp_path: Path, store: Store, up: Move, down: Move
) -> None:
    body = noise(PART) + bytes(2 * PART)
    source = grow(tmp_path / "source", {"big": body})
    up(source)
    back = tmp_path / "back"
    back.mkdir()

    part = back / part_name(f"big\0{store.bucket.head(store.base + 'big').tag}")
    part.write_bytes(body[: PART + 5] + noise(2 * PART - 5, 9))
    _, done = down(back)
    assert done.failed == []
    assert (back / "big").read_bytes() == body


def test_a_damaged_beginning_is_found_and_fetched_again(
    tmp_path: Path, store: Store, up: Move, down: Move
) -> None:
    source = grow(tmp_path / "source", {"big": noise(SIZE)})
    up(source)
    back = tmp_path / "back"
    back.mkdir()
    part = back / part_name(f"big\0{store.bucket.head(store.base + 'big').tag}")
    part.write_bytes(noise(PART + 5, 99))
    _, done = down(back)
    assert done.failed == []
    assert (back / "big").read_bytes() == noise(SIZE)


def test_holes_stay_holes(tmp_path: Path, store: Store, up: Move, down: Move) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.seek(40 * 2**20)
        file.write(b"the end of it")
        file.truncate(41 * 2**20)
    up(source)
    down(tmp_path / "back")
    there = tmp_path / "back/sparse"
    assert there.read_bytes() == (source / "sparse").read_bytes()
    assert there.stat().st_blocks * 512 < 4 * 2**20


@pytest.mark.parametrize("size", [1000, pytest.param(SIZE, marks=pytest.mark.slow)])
def test_a_file_that_changes_while_it_is_read_is_sent_again_or_reported(
    tmp_path: Path, store: Store, up: Move, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    source = grow(tmp_path / "source", {"restless": noise(size), "calm": b"1"})
    real = uploading._unchanged
    changes = itertools.chain([True, False], itertools.repeat(True))

    def restless(file: int, before: os.stat_result, read: int) -> None:
        if before.st_size == size and next(changes):
            with (source / "restless").open("r+b") as other:
                other.write(os.urandom(8))
            os.utime(source / "restless", ns=(1, before.st_mtime_ns + 1))
        real(file, before, read)

    monkeypatch.setattr(uploading, "_unchanged", restless)
    monkeypatch.setattr(Run, "patiently", quickly(Run.patiently))
    _, done = up(source)
    assert done.failed == []
    assert store.all()["restless"] == (source / "restless").read_bytes()
    (source / "restless").write_bytes(noise(size, 3))
    _, done = up(source)
    assert done.failed == [("restless", "it changes while it is read")]
    assert store.unfinished() == []


def quickly(patiently: Callable[..., object]) -> Callable[..., object]:
    """Without the waiting."""

    def wrapped(self: Run, work: Callable[[], object]) -> object:
        real, self.stop.wait = self.stop.wait, lambda timeout=None: False  # type: ignore[method-assign]
        try:
            return patiently(self, work)
        finally:
            self.stop.wait = real  # type: ignore[method-assign]

    return wrapped
