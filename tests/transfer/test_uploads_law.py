"""What S3 is said to have is looked at; what another computer sends or stored is not touched."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.calling import Roost
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import LOGIN, Answer, Begun, Hostile, Request, Stored, error, xml

PLACE = "s3://bucket/p"
BIG = random.Random(1).randbytes(17 * 2**20)
OLD = b"what was there before"
RESULT = "CompleteMultipartUploadResult"


def bent(name: str, answer: Answer) -> Callable[[Request], Answer | None]:
    """Answer requests of that name so, and do nothing."""
    return lambda request: answer if request.name == name else None


COMPLETIONS = {
    "a login page": Answer(200, LOGIN),
    "nothing": Answer(200),
    "an error": error(200, "Odd"),
    "another answer": xml("ListPartsResult", ""),
    "a login page that is XML": Answer(200, b"<html><body>Sign in</body></html>"),
    "no ETag": xml(RESULT, "<Bucket>bucket</Bucket>"),
    "a good one": xml(RESULT, f"<ETag>&quot;{'0' * 32}-2&quot;</ETag>"),
    "one that is cut off": Answer(200, b"<CompleteMultipartUploadResult><ETag>"),
}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try twice, not four times."""
    monkeypatch.setattr("roost.transfer.context.TRIES", 2)


@pytest.mark.parametrize("what", COMPLETIONS)
def test_what_was_made_of_parts_is_looked_at(
    tmp_path: Path, s3: Hostile, roost: Roost, what: str
) -> None:
    here = grow(tmp_path / "here", {"big": BIG, "small": b"1"})
    s3.put({"p/big": OLD})
    s3.before = bent("CompleteMultipartUpload", COMPLETIONS[what])
    told = roost("sync", here, PLACE, "--json")
    assert told.code == 3, told.err
    assert "Traceback" not in told.err
    assert [one["name"] for one in told.json["failed"]] == ["big"]
    assert s3.bodies("p/") == {"big": OLD, "small": b"1"}
    s3.calm()
    parts = len(s3.asked("UploadPart"))
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"big": BIG, "small": b"1"}
    assert len(s3.asked("UploadPart")) == parts  # they had arrived
    assert s3.uploads == {}


@pytest.mark.parametrize("what", ["a login page", "nothing", "no ETag"])
def test_what_was_made_counts_whatever_the_answer_was(
    tmp_path: Path, s3: Hostile, roost: Roost, what: str
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})

    def after(request: Request, answer: Answer) -> Answer:
        made = request.name == "CompleteMultipartUpload" and answer.status == 200
        return COMPLETIONS[what] if made else answer

    s3.after = after
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"big": BIG}


def test_an_object_that_was_made_of_other_bytes_goes(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})

    def before(request: Request) -> None:
        if request.name == "CompleteMultipartUpload":
            parts = s3.uploads[request.query["uploadId"]].parts
            parts[2] = parts[2][:-1] + b"?"

    s3.before = before
    told = roost("sync", here, PLACE)
    assert told.code == 3, told.err
    assert "other content than was sent" in told.err
    assert s3.bodies("p/") == {}  # else the next run would take its time for the file's


@pytest.mark.parametrize("name", ["PutObject", "UploadPart", "CreateMultipartUpload"])
def test_a_login_page_is_no_receipt(tmp_path: Path, s3: Hostile, roost: Roost, name: str) -> None:
    here = grow(tmp_path / "here", {"file": b"1" if name == "PutObject" else BIG})
    s3.before = bent(name, Answer(200, LOGIN))
    told = roost("sync", here, PLACE)
    assert told.code == 3, told.err
    assert "not from S3" in told.err
    assert s3.bodies("p/") == {}


@pytest.mark.parametrize("size", [5, 100_000, 5 * 2**20])
def test_a_login_page_is_no_object(tmp_path: Path, s3: Hostile, roost: Roost, size: int) -> None:
    s3.put({"p/file": bytes(size)})
    s3.before = bent("GetObject", Answer(200, LOGIN, {"ETag": '"page"'}))
    told = roost("sync", PLACE, tmp_path / "here")
    assert told.code == 3, told.err
    assert [name for name in tree(tmp_path / "here") if not name.startswith(".")] == []


# --- other computers -----------------------------------------------------------------------------


def other(s3: Hostile, name: str, age: timedelta, *parts: bytes) -> str:
    """An upload that another computer has begun."""
    at = datetime.now(UTC) - age
    s3.uploads[name] = Begun("p/big", {}, at, dict(enumerate(parts, 1)))
    return name


def test_an_upload_of_another_computer_is_not_touched(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})
    day, part = timedelta(days=1), BIG[: 16 * 2**20]
    live = {
        other(s3, "has just begun", timedelta(0)),
        other(s3, "has our own first part", timedelta(hours=1), part),
        other(s3, "slept for a weekend", 3 * day, part),
    }
    for name, age, parts in (("empty", 2 * day, ()), ("left", 8 * day, (part,))):
        other(s3, name, age, *parts)
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"big": BIG}
    assert set(s3.uploads) == live
    assert s3.uploads["has our own first part"].parts == {1: part}


def test_an_upload_whose_answer_was_lost_is_ended(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})

    def lost(request: Request, answer: Answer) -> Answer:
        return error(403, "AccessDenied") if request.name == "CreateMultipartUpload" else answer

    s3.after = lost
    assert roost("sync", here, PLACE).code != 0
    s3.calm()
    other(s3, "of another computer", timedelta(hours=2))
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert list(s3.uploads) == ["of another computer"]


def test_an_upload_whose_answer_was_lost_is_looked_for_until_all_of_them_were_seen(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})
    denied = error(403, "AccessDenied")
    s3.before = bent("ListMultipartUploads", denied)
    s3.after = lambda request, answer: denied if request.name == "CreateMultipartUpload" else answer
    assert roost("sync", here, PLACE).code != 0
    s3.calm()
    (late,) = s3.uploads.items()
    s3.uploads.clear()  # the service is slow: it begins that upload after the next sync
    assert roost("sync", here, PLACE).code == 0
    s3.uploads.update([late])
    s3.before = bent("ListParts", denied)
    with monkeypatch.context() as later:
        later.setattr("roost.transfer.own_uploads.LOST", 0.0)  # as if enough time had passed
        assert roost("sync", here, PLACE).code == 0
    assert dict([late]) == s3.uploads
    s3.calm()
    assert roost("sync", here, PLACE).code == 0
    assert s3.uploads == {}


@pytest.mark.parametrize("answered", [True, False])
def test_an_upload_that_an_earlier_one_has_overtaken_is_aborted(
    tmp_path: Path, s3: Hostile, roost: Roost, answered: bool
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})
    s3.before = bent("CompleteMultipartUpload", error(403, "AccessDenied"))
    assert roost("sync", here, PLACE).code != 0
    (earlier,) = s3.uploads  # it was killed then: the service makes an object of it in its own time

    def overtaken(request: Request) -> Answer | None:
        if request.name == "ListParts":
            return error(404, "NoSuchUpload")
        if request.name == "CompleteMultipartUpload" and earlier in s3.uploads:
            s3.complete(earlier)
            return None if answered else Answer(200, LOGIN)
        return None

    s3.before = overtaken
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"big": BIG}
    assert s3.uploads == {}


@pytest.mark.parametrize("name", ["ListMultipartUploads", "ListParts"])
@pytest.mark.parametrize("answer", [error(501, "NotImplemented"), Answer(200, LOGIN)])
def test_a_service_that_lists_no_uploads_only_does_not_continue_them(
    tmp_path: Path, s3: Hostile, roost: Roost, name: str, answer: Answer
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})
    s3.before = bent("CompleteMultipartUpload", error(403, "AccessDenied"))
    assert roost("sync", here, PLACE).code != 0
    s3.before = bent(name, answer)
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"big": BIG}
    assert s3.uploads == {}


# --- objects that change meanwhile ---------------------------------------------------------------


@pytest.mark.parametrize("body", [b"mine", BIG])
@pytest.mark.parametrize("there", [{}, {"p/file": OLD}])
def test_an_object_that_changes_while_it_copies_is_not_overwritten(
    tmp_path: Path, s3: Hostile, roost: Roost, body: bytes, there: dict[str, bytes]
) -> None:
    here = grow(tmp_path / "here", {"file": body})
    s3.put(there)

    def meanwhile(request: Request) -> None:
        if request.name in {"PutObject", "CompleteMultipartUpload"}:
            s3.put({"p/file": b"by somebody else"})

    s3.before = meanwhile
    told = roost("sync", here, PLACE)
    assert told.code == 3, told.err
    assert "it changed in S3 since it was looked at" in told.err
    assert s3.bodies("p/") == {"file": b"by somebody else"}
    s3.calm()
    assert roost("sync", here, PLACE).code == 0
    assert s3.bodies("p/") == {"file": body}


def test_an_object_that_is_deleted_while_it_copies_is_made(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", {"file": b"mine", "big": BIG})
    s3.put({"p/file": OLD, "p/big": OLD})

    def meanwhile(request: Request) -> None:
        if request.headers.get("if-match") and request.name != "GetObject":
            s3.objects.pop(request.key, None)

    s3.before = meanwhile
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"file": b"mine", "big": BIG}


@pytest.mark.parametrize("name", ["PutObject", "CompleteMultipartUpload"])
@pytest.mark.parametrize("refusal", [(501, "NotImplemented"), (403, "AccessDenied")])
def test_a_service_without_conditions_is_written_to_without(
    tmp_path: Path, s3: Hostile, roost: Roost, name: str, refusal: tuple[int, str]
) -> None:
    here = grow(tmp_path / "here", {"file": b"mine", "big": BIG})
    s3.put({"p/file": OLD})

    def before(request: Request) -> Answer | None:
        asks = {"if-match", "if-none-match"} & request.headers.keys()
        return error(*refusal) if asks and request.name == name else None

    s3.before = before
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"file": b"mine", "big": BIG}


@pytest.mark.parametrize("body", [b"mine", BIG])
def test_an_answer_that_is_lost_is_no_change_of_somebody_else(
    tmp_path: Path, s3: Hostile, roost: Roost, body: bytes
) -> None:
    here = grow(tmp_path / "here", {"file": body})
    lost = iter([True])

    def after(request: Request, answer: Answer) -> Answer:
        stored = request.name in {"PutObject", "CompleteMultipartUpload"}
        return error(500, "InternalError") if stored and next(lost, False) else answer

    s3.after = after
    told = roost("sync", here, PLACE)
    assert told.code == 0, told.err
    assert s3.bodies("p/") == {"file": body}


def test_a_damaged_object_of_somebody_else_is_not_ours_to_delete(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    here = grow(tmp_path / "here", {"big": BIG})
    s3.conditional = False

    def after(request: Request, answer: Answer) -> Answer:
        if request.name == "CompleteMultipartUpload" and answer.status == 200:
            s3.objects["p/big"] = Stored(b"by somebody else, a moment later")
        return answer

    s3.after = after
    told = roost("sync", here, PLACE)
    assert told.code == 3, told.err
    assert s3.bodies("p/") == {"big": b"by somebody else, a moment later"}
