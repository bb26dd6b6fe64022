"""One file or object as a side, filters that cut what is looked at, and how S3 is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.transfer.filters import name_filter
from tests.cli.calling import Roost
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Answer, Hostile, Request, error


@pytest.mark.parametrize("target", ["back", "back/", "back/key.tif"])
@pytest.mark.parametrize("there", [False, True])
def test_one_object_comes_alone(
    tmp_path: Path, s3: Hostile, roost: Roost, target: str, there: bool
) -> None:
    s3.put({"deep/key.tif": b"mine", "deep/key.tif.bak": b"other", "deep/a": b"1", "x": b"2"})
    if there:
        grow(tmp_path / "back", {"key.tif": b"old one", "of mine": b"stays"})
    words = ("sync", "s3://bucket/deep/key.tif", f"{tmp_path}/{target}")
    told = roost(*words, "--json")
    assert told.code == 0, told.err
    assert told.json["copied"] == 1
    kept = {"of mine": b"stays"} if there else {}
    assert tree(tmp_path / "back") == {"key.tif": b"mine", **kept}
    assert roost(*words, "--json").json["copied"] == 0
    assert all(one.query["prefix"].startswith("deep/key.tif") for one in s3.asked("ListObjects"))


def test_one_object_is_not_renamed(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    s3.put({"deep/key.tif": b"mine"})
    grow(tmp_path, {"mine.tif": b"precious"})
    told = roost("sync", "s3://bucket/deep/key.tif", tmp_path / "mine.tif")
    assert told.code == 2
    assert "does not rename" in told.err
    assert (tmp_path / "mine.tif").read_bytes() == b"precious"


def test_a_prefix_wins_over_an_object_of_its_name(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({"p": b"object", "p/a": b"1"})
    assert roost("sync", "s3://bucket/p", tmp_path / "back").code == 0
    assert tree(tmp_path / "back") == {"a": b"1"}


def test_one_file_goes_alone(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    source = grow(tmp_path / "source", {"one*.tif": b"mine", "one-other.tif": b"2"})
    told = roost("sync", source / "one*.tif", "s3://bucket/p/", "--verify", "--json")
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"one*.tif": b"mine"}
    told = roost("sync", source / "one*.tif", "s3://bucket/p", "--delete", "--yes", "--json")
    assert (told.code, told.json["to_delete"], told.json["copied"]) == (0, [], 0)


# --- filters -------------------------------------------------------------------------------------


def test_a_folder_that_is_excluded_is_not_entered(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = grow(tmp_path / "source", {"a": b"1", "raw/deep/x": b"2", "raw2/y": b"3"})
    entered: list[str] = []
    real = os.scandir

    def scandir(path: str) -> object:
        entered.append(os.path.relpath(path, source))
        return real(path)

    monkeypatch.setattr("roost.transfer.local.os.scandir", scandir)
    told = roost("sync", source, "s3://bucket/p", "--exclude", "raw")
    assert told.code == 0, told.err
    assert set(s3.bodies("p/")) == {"a", "raw2/y"}
    assert sorted(entered) == [".", "raw2"]
    entered.clear()
    told = roost("sync", source, "s3://bucket/q", "--include", "raw/deep/*")
    assert told.code == 0, told.err
    assert set(s3.bodies("q/")) == {"raw/deep/x"}
    assert sorted(entered) == [".", "raw", "raw/deep"]


def test_an_include_narrows_the_listing_and_deletes_nothing_else(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({"p/raw/a.fits": b"1", "p/raw/b.txt": b"2", "p/other/c.fits": b"3"})
    words = ("sync", "s3://bucket/p", tmp_path / "back", "--include", "raw/*.fits", "--json")
    grow(tmp_path / "back", {"raw/old.fits": b"x", "raw/old.txt": b"x", "other/old.fits": b"x"})
    told = roost(*words, "--delete", "--yes")
    assert told.code == 0, told.err
    assert told.json["deleted"] == ["raw/old.fits"]
    assert set(tree(tmp_path / "back")) == {"raw/a.fits", "raw/old.txt", "other/old.fits"}
    listings = {one.query["prefix"] for one in s3.asked("ListObjects")}
    assert "p/raw/" in listings


GLOBS = st.lists(
    st.sampled_from(
        ["a", "b/", "/a", "a/b", "a/*", "*/a", "**/b", "a/[ab]/c", "/a/b/", "?/b", "b*"]
    ),
    max_size=3,
).map(tuple)
NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(GLOBS, GLOBS, NAMES)
def test_what_is_not_looked_at_does_not_take_part(
    include: tuple[str, ...], exclude: tuple[str, ...], name: str
) -> None:
    fits = name_filter(include, exclude)
    if fits(name):
        assert name.startswith(fits.begins)
        folders = [name[:at] for at, letter in enumerate(name) if letter == "/"]
        assert all(fits.enters(folder) for folder in folders)


# --- how S3 is asked -----------------------------------------------------------------------------


def test_who_asks_pays_with_every_request(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    s3.put({"p/a": b"1", "p/b": os.urandom(5 * 2**20)})
    payer = "x-amz-request-payer"

    def before(request: Request) -> Answer | None:
        return None if request.headers.get(payer) else error(403, "AccessDenied")

    s3.before = before
    assert roost("sync", "s3://bucket/p", tmp_path / "back").code == 5
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--request-payer")
    assert told.code == 0, told.err
    assert set(tree(tmp_path / "back")) == {"a", "b"}
    told = roost("sync", tmp_path / "back", "s3://bucket/q", "--request-payer")
    assert told.code == 0, told.err


def test_without_a_signature_nothing_is_signed_and_no_credentials_are_needed(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3.put({"p/a": b"1", "p/b": os.urandom(5 * 2**20)})
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--no-sign-request")
    assert told.code == 0, told.err
    assert set(tree(tmp_path / "back")) == {"a", "b"}
    assert not any("authorization" in one.headers for one in s3.log)


def test_the_key_of_kms_is_named_with_every_object(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    source = grow(tmp_path / "source", {"a": b"1", "big": os.urandom(17 * 2**20)})
    told = roost("sync", source, "s3://bucket/p", "--kms-key", "alias/mine")
    assert told.code == 0, told.err
    key = "x-amz-server-side-encryption-aws-kms-key-id"
    sent = s3.asked("PutObject") + s3.asked("CreateMultipartUpload")
    assert [one.headers.get(key) for one in sent] == ["alias/mine"] * 2
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--kms-key", "alias/mine")
    assert told.code == 2
