"""The proof names what is wrong, and is whole only when everything is right."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from roost.transfer.filters import name_filter
from roost.transfer.options import Options, opened
from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.client import PART
from roost.transfer.verify import Proof, verify
from tests.transfer.conftest import Ran, Store, grow

BIG = random.Random(5).randbytes(PART + 1000)
FILES = {"a": b"1", "b/c": b"22", "big": BIG, "empty/": b"", "zero": b""}


def prove(folder: Path, store: Store) -> Proof:
    with opened(folder, store.place, Options(), store.where) as sync:
        return verify(sync.run, name_filter(), manifest=False)


def test_all_is_proven(tmp_path: Path, store: Store, up: Callable[..., Ran]) -> None:
    source = grow(tmp_path / "source", FILES)
    up(source)
    proof = prove(source, store)
    kind = "etag" if store.weed.kind == "moto" else "crc64nvme"  # moto keeps no checksums
    assert (proof.whole, proof.wrong) == (True, ())
    assert {one.name: one.kind for one in proof.proven} == {
        **dict.fromkeys(("a", "b/c", "zero"), kind),
        "big": "crc64nvme",
        "empty/": "folder",
    }
    assert proof.bytes == sum(map(len, FILES.values()))


@pytest.mark.parametrize("no_sums", ["no crc", "no etag either"])
def test_without_checksums_the_etag_or_the_bytes_are_compared(
    tmp_path: Path,
    store: Store,
    up: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    no_sums: str,
) -> None:
    source = grow(tmp_path / "source", FILES)
    up(source)
    real = Bucket.head

    def head(self: Bucket, key: str) -> object:
        return replace(real(self, key), crc64=None)

    monkeypatch.setattr(Bucket, "head", head)
    if no_sums != "no crc":
        monkeypatch.setattr("roost.transfer.checksums.is_md5", lambda tag: False)
    assert prove(source, store).whole
    (source / "a").write_bytes(b"X")
    with (source / "big").open("r+b") as file:
        file.seek(PART + 5)
        file.write(b"damage")
    proof = prove(source, store)
    assert [name for name, _ in proof.wrong] == ["a", "big"]


def test_what_is_missing_or_wrong_is_named(
    tmp_path: Path, store: Store, up: Callable[..., Ran]
) -> None:
    source = grow(tmp_path / "source", FILES)
    up(source)
    store.bucket.delete([store.base + "a"])
    store.put({"b/c": b"2X", "zero": b"not empty"})
    (source / "link").symlink_to("a")
    proof = prove(source, store)
    assert dict(proof.wrong) == {
        "a": "it is not in S3",
        "b/c": "its content in S3 differs",
        "zero": "it has 9 bytes in S3, not 0",
    }
    assert [name for name, _ in proof.skipped] == ["link"]
    assert not proof.whole


def test_a_file_that_changes_during_the_proof_is_not_proven(
    tmp_path: Path, store: Store, up: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    up(source)
    real = Bucket.head

    def head(self: Bucket, key: str) -> object:
        os.utime(source / "a", ns=(7, 7))
        return real(self, key)

    monkeypatch.setattr(Bucket, "head", head)
    assert dict(prove(source, store).wrong) == {"a": "it changed while it was compared"}
