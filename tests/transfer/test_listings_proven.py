"""A listing that does not prove to be whole ends the sync, and nothing is deleted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calling import Roost
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Answer, Hostile, Request, error, login

FILES = {f"f{i}.fits": b"12345" for i in range(5)}
PLACE = "s3://bucket/p"


def changed(pattern: bytes, by: bytes) -> Callable[[Request, Answer], Answer]:
    """Change every listing."""

    def after(request: Request, answer: Answer) -> Answer:
        if request.name != "ListObjects" or request.query.get("max-keys") == "1":
            return answer
        return Answer(answer.status, re.sub(pattern, by, answer.body, flags=re.DOTALL))

    return after


LISTINGS = {
    "truncated without a token": changed(rb"<NextCont.*?</NextContinuationToken>", b""),
    "a token that comes again": changed(rb"(<NextCont\w+>).*?<", rb"\1t:p%2Ff1.fits<"),
    "a token that leads nowhere": changed(rb"(<NextCont\w+>).*?<", rb"\1t:<"),
    "no word if it is whole": changed(rb"<IsTruncated>.*?</IsTruncated>", b""),
    "another bucket": changed(rb"<Name>.*?</Name>", b"<Name>other</Name>"),
    "another prefix": changed(rb"<Prefix>.*?</Prefix>", b"<Prefix>q/</Prefix>"),
    "keys of another prefix": changed(rb"<Key>p/", b"<Key>q/"),
    "a login page": changed(rb".*", b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    "a login page that is XML": changed(rb"^.*$", b"<html><body>Sign in</body></html>"),
    "nothing": changed(rb"^.*$", b""),
    "cut off": changed(rb"</ListBucketResult>", b""),
    "an error with status 200": changed(rb"^.*$", b"<Error><Code>Odd</Code></Error>"),
    "another answer": changed(rb"ListBucketResult", b"ListAllMyBucketsResult"),
    "a size that is none": changed(rb"<Size>5</Size>", b"<Size>-5</Size>"),
}


@pytest.mark.parametrize("what", LISTINGS)
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_listing_that_is_not_whole_ends_the_sync(
    tmp_path: Path, s3: Hostile, roost: Roost, what: str, way: str
) -> None:
    here = grow(tmp_path / "here", FILES | {"only-here": b"1"})
    s3.put({f"p/{name}": body for name, body in FILES.items()} | {"p/only-there": b"2"})
    s3.page, s3.after = 2, LISTINGS[what]
    sides = (here, PLACE) if way == "up" else (PLACE, here)
    told = roost("sync", *sides, "--delete", "--yes")
    assert told.code == 1, told.err
    assert "Traceback" not in told.err
    assert tree(here) == FILES | {"only-here": b"1"}
    assert s3.bodies("p/") == FILES | {"only-there": b"2"}


@pytest.mark.parametrize("answer", [login, lambda *_: error(200, "Odd")])
def test_a_login_page_is_no_bucket(
    tmp_path: Path, s3: Hostile, roost: Roost, answer: Callable[[Request, Answer], Answer]
) -> None:
    here = grow(tmp_path / "here", FILES)
    s3.after = answer
    told = roost("sync", PLACE, here, "--delete", "--yes")
    assert told.code == 1, told.err
    assert tree(here) == FILES


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_a_server_that_knows_only_the_first_version_is_listed_whole(
    tmp_path: Path, s3: Hostile, roost: Roost, page: int
) -> None:
    names = ["a b", "a+b", "a%41", "é", "z/y"]
    s3.put({f"p/{name}": name.encode() for name in names})
    s3.page, s3.v1 = page, True
    here = grow(tmp_path / "here", {"extra": b"1"})
    told = roost("sync", PLACE, here, "--delete", "--yes")
    assert told.code == 0, told.err
    assert tree(here) == {name: name.encode() for name in names}


def test_a_server_that_lists_by_markers_in_disorder_is_not_believed(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", FILES)
    s3.put({f"p/{name}": body for name, body in FILES.items()})
    s3.page, s3.v1 = 2, True
    s3.after = changed(rb"(<Contents>.*?</Contents>)(<Contents>.*?</Contents>)", rb"\2\1")
    told = roost("sync", PLACE, here, "--delete", "--yes")
    assert told.code == 1, told.err
    assert "do not come in order" in told.err
    assert tree(here) == FILES


def test_a_server_that_does_not_encode_names_is_read_as_it_writes(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({"p/a+b": b"1", "p/c%41": b"2"})

    def plain(request: Request) -> None:
        request.query.pop("encoding-type", None)

    s3.before = plain
    told = roost("sync", PLACE, tmp_path / "here")
    assert told.code == 0, told.err
    assert tree(tmp_path / "here") == {"a+b": b"1", "c%41": b"2"}
