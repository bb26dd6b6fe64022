"""Buckets as others have filled them: one object that cannot be had keeps no other from coming."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from zlib import crc32

import pytest

from tests.cli.calling import Roost
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Answer, Hostile, Request, Stored, error

FIFTY = {f"p/f{number:02d}": b"x%d" % number for number in range(50)}
REFUSALS = {
    "the archive": (error(403, "InvalidObjectState", "not valid for the storage class"), "archive"),
    "a key of KMS": (error(403, "AccessDenied", "not authorized: kms:Decrypt"), "kms:Decrypt"),
    "a ghost": (error(404, "NoSuchKey"), "S3 lists it, but does not have it"),
    "SSE-C": (error(400, "InvalidRequest", "stored using Server Side Encryption"), "Encryption"),
    "broken": (error(500, "InternalError", "again"), "internal server error"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSALS)
def test_one_object_that_cannot_be_had_keeps_no_other_from_coming(
    tmp_path: Path, s3: Hostile, roost: Roost, kind: str
) -> None:
    s3.put(FIFTY)
    answer, word = REFUSALS[kind]

    def before(request: Request) -> Answer | None:
        mine = request.key == "p/f10" and request.method in {"GET", "HEAD"}
        return answer if mine else None

    s3.before = before
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--concurrency", "2", "--json")
    assert told.code == 3, told.err
    assert [one["name"] for one in told.json["failed"]] == ["f10"]
    assert word in told.json["failed"][0]["why"]
    assert set(tree(tmp_path / "back")) == {f"f{n:02d}" for n in range(50) if n != 10}
    assert "Traceback" not in told.err


@pytest.mark.parametrize("status", [400, 403, 404])
def test_one_object_that_cannot_be_looked_at_keeps_no_other_from_coming(
    tmp_path: Path, s3: Hostile, roost: Roost, status: int
) -> None:
    s3.put({f"p/f{number}": b"12345" for number in range(5)})
    grow(tmp_path / "back", {"f2": b"54321"})
    s3.before = lambda request: Answer(status) if request.key == "p/f2" else None
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert told.code == 3, told.err
    assert [one["name"] for one in told.json["failed"]] == ["f2"]
    assert told.json["same"] == 0
    assert tree(tmp_path / "back") == {"f2": b"54321"} | {
        f"f{number}": b"12345" for number in (0, 1, 3, 4)
    }


def test_a_ghost_of_a_listing_is_made_by_an_upload(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    names = [f"f{number}" for number in range(5)]
    s3.put({f"p/{name}": b"12345" for name in names})

    def before(request: Request) -> Answer | None:
        if request.key != "p/f2" or "p/f2" not in s3.objects:
            return None
        if request.method == "PUT":  # there is none: only the listing has it
            del s3.objects["p/f2"]
            return None
        return Answer(404)

    s3.before = before
    source = grow(tmp_path / "source", dict.fromkeys(names, b"abcde"))
    told = roost("sync", source, "s3://bucket/p")
    assert told.code == 0, told.err
    assert s3.bodies("p/") == dict.fromkeys(names, b"abcde")


def test_where_everything_is_refused_it_ends_soon(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({f"p/f{number:03d}": b"x" for number in range(400)})
    s3.before = lambda request: error(403, "AccessDenied") if request.key else None
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--concurrency", "2")
    assert told.code == 5
    assert "AccessDenied" in told.err
    assert len(s3.log) < 200


def test_credentials_that_have_expired_end_it_at_once(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({f"p/f{number:03d}": b"x" for number in range(400)})
    s3.before = lambda request: error(400, "ExpiredToken") if request.key else None
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 5
    assert len(s3.log) < 150


# --- the archive ---------------------------------------------------------------------------------


class Archive:
    """Objects of the archive, as S3 has them."""

    def __init__(self, server: Hostile, keys: set[str]) -> None:
        self.keys, self.asked, self.ready = keys, dict[str, bytes](), set[str]()
        server.before, server.after = self.before, self.after

    def before(self, request: Request) -> Answer | None:
        if request.method == "POST" and "restore" in request.query:
            self.asked[request.key] = request.body
            return Answer(202)
        shut = request.key in self.keys - self.ready
        if shut and request.method == "GET":
            return error(403, "InvalidObjectState", "not valid for the storage class")
        return None

    def after(self, request: Request, answer: Answer) -> Answer:
        if request.name == "ListObjects":
            body = answer.body
            for key in self.keys:
                start = body.find(f"<Key>{key}</Key>".encode())
                end = body.find(b"STANDARD", start)
                body = body[:end] + b"GLACIER" + body[end + 8 :] if start >= 0 else body
            return Answer(answer.status, body, answer.headers)
        if request.key not in self.keys or request.method != "HEAD":
            return answer
        more = {"x-amz-storage-class": "GLACIER"}
        if request.key in self.ready:
            more["x-amz-restore"] = 'ongoing-request="false", expiry-date="Fri, 04 Dec 2026"'
        elif request.key in self.asked:
            more["x-amz-restore"] = 'ongoing-request="true"'
        return Answer(answer.status, answer.body, {**answer.headers, **more})


def test_objects_of_the_archive_are_asked_for_after_a_yes_and_fetched_when_they_are_there(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    s3.put({"p/a": b"1", "p/m1": b"22", "p/m2": b"333"})
    archive = Archive(s3, {"p/m1", "p/m2"})
    words = ("sync", "s3://bucket/p", tmp_path / "back")
    told = roost(*words)
    assert told.code == 3
    assert "m1: it is in the archive (GLACIER)" in told.err
    assert "--restore DAYS" in told.err
    told = roost(*words, "--restore", "7", "--no-input")
    assert told.code == 4
    assert "2 of the archive (5 B) to ask for" in told.err
    assert archive.asked == {}
    told = roost(*words, "--restore", "7", "--yes", "--restore-tier", "Bulk", "--json")
    assert told.code == 3, told.err
    assert told.json["to_restore"] == ["m1", "m2"]
    assert all("5 to 12 hours" in one["why"] for one in told.json["failed"]), told.err
    assert set(archive.asked) == {"p/m1", "p/m2"}
    assert b"<Days>7</Days>" in archive.asked["p/m1"]
    assert b"<Tier>Bulk</Tier>" in archive.asked["p/m1"]
    assert tree(tmp_path / "back") == {"a": b"1"}
    archive.asked["p/m1"] = b""
    archive.ready.add("p/m2")
    told = roost(*words, "--restore", "7", "--yes", "--json")
    assert told.code == 3
    assert told.json["to_restore"] == []  # nothing is asked for twice
    assert [one["name"] for one in told.json["failed"]] == ["m1"]
    assert "on its way" in told.json["failed"][0]["why"]
    assert archive.asked["p/m1"] == b""
    archive.ready.add("p/m1")
    assert roost(*words).code == 0
    assert tree(tmp_path / "back") == {"a": b"1", "m1": b"22", "m2": b"333"}


# --- what is proven ------------------------------------------------------------------------------


def test_an_object_that_kms_encrypts_comes_down(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    s3.objects["p/a.fits"] = Stored(
        b"hello" * 100, tag=hashlib.md5(b"x").hexdigest(), checksum=False
    )
    s3.put({"p/b.fits": b"plain"})
    kms = {"x-amz-server-side-encryption": "aws:kms"}
    s3.after = lambda request, answer: (
        Answer(answer.status, answer.body, {**answer.headers, **kms})
        if request.key == "p/a.fits"
        else answer
    )
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert told.code == 0, told.err
    assert tree(tmp_path / "back") == {"a.fits": b"hello" * 100, "b.fits": b"plain"}
    assert told.json["size_only"] == 1
    told = roost("sync", tmp_path / "back", "s3://bucket/p", "--verify")
    assert told.code == 0, told.err
    assert "by reading back: 1" in told.err


class Parts:
    """An object that was sent in parts, whose sizes the service tells."""

    def __init__(self, server: Hostile, key: str, sizes: list[int]) -> None:
        noise = random.Random(3)
        self.key, self.parts = key, [noise.randbytes(size) for size in sizes]
        digests = b"".join(hashlib.md5(one).digest() for one in self.parts)
        self.tag = f"{hashlib.md5(digests).hexdigest()}-{len(sizes)}"
        self.body = b"".join(self.parts)
        self.more: dict[str, str] = {}
        server.objects[key] = Stored(self.body, tag=self.tag, checksum=False)
        server.before, server.after = self.before, self.after

    def before(self, request: Request) -> Answer | None:
        if request.key != self.key or "partNumber" not in request.query:
            return None
        size = len(self.parts[int(request.query["partNumber"]) - 1])
        headers = {"Content-Length": str(size), "ETag": f'"{self.tag}"'}
        return Answer(206, b"", {**headers, "x-amz-mp-parts-count": str(len(self.parts))})

    def after(self, request: Request, answer: Answer) -> Answer:
        if request.key != self.key:
            return answer
        return Answer(answer.status, answer.body, {**answer.headers, **self.more})


MIB = 2**20


@pytest.mark.parametrize("sizes", [[5 * MIB, 7 * MIB, MIB], [5 * MIB, 5 * MIB, 9], [3 * MIB]])
@pytest.mark.parametrize("composite", [False, True])
def test_an_object_that_came_in_parts_comes_down_and_is_proven(
    tmp_path: Path, s3: Hostile, roost: Roost, sizes: list[int], composite: bool
) -> None:
    made = Parts(s3, "p/m.mrc", sizes)
    if composite:  # as boto3 sends it, and KMS: the ETag is no MD5
        from base64 import b64encode

        outer = crc32(b"".join(crc32(one).to_bytes(4, "big") for one in made.parts))
        text = b64encode(outer.to_bytes(4, "big")).decode()
        made.more = {
            "x-amz-checksum-crc32": f"{text}-{len(sizes)}",
            "x-amz-checksum-type": "COMPOSITE",
            "x-amz-server-side-encryption": "aws:kms",
        }
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert told.code == 0, told.err
    assert told.json["size_only"] == 0
    assert (tmp_path / "back/m.mrc").read_bytes() == made.body
    told = roost("sync", tmp_path / "back", "s3://bucket/p", "--verify")
    assert told.code == 0, told.err
    assert "proven by checksum: 1" in told.err


@pytest.mark.parametrize("sizes", [[5 * MIB, 7 * MIB, MIB], [3 * MIB]])
def test_damage_in_an_object_that_came_in_parts_is_found(
    tmp_path: Path, s3: Hostile, roost: Roost, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.transfer.context.TRIES", 2)
    made = Parts(s3, "p/m.mrc", sizes)
    s3.objects["p/m.mrc"].body = made.body[:-7] + bytes(7)
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert told.code == 3
    assert "differs" in told.json["failed"][0]["why"]
    assert tree(tmp_path / "back") == {}


def test_a_checksum_of_checksums_is_not_taken_for_that_of_the_whole(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    def after(request: Request, answer: Answer) -> Answer:
        if request.name == "CompleteMultipartUpload":
            start = answer.body.index(b"<ChecksumCRC64NVME>")
            text = b"<ChecksumCRC64NVME>AAAAAAAAAAA=-2</ChecksumCRC64NVME>"
            body = answer.body[:start] + text + b"</CompleteMultipartUploadResult>"
            return Answer(200, body, answer.headers)
        return answer

    s3.after = after
    source = grow(tmp_path / "source", {"big": random.Random(1).randbytes(17 * MIB)})
    told = roost("sync", source, "s3://bucket/p")
    assert told.code == 0, told.err
    assert len(s3.asked("CompleteMultipartUpload")) == 1
    assert s3.bodies("p/")["big"] == (source / "big").read_bytes()


@pytest.mark.parametrize("status", [403, 501])
def test_uploads_need_no_right_to_list_them(
    tmp_path: Path, s3: Hostile, roost: Roost, status: int
) -> None:
    s3.before = lambda request: (
        error(status, "AccessDenied") if request.name == "ListMultipartUploads" else None
    )
    source = grow(tmp_path / "source", {"big": os.urandom(17 * MIB), "a": b"1"})
    told = roost("sync", source, "s3://bucket/p")
    assert told.code == 0, told.err
    assert s3.bodies("p/") == tree(source)
