"""The evidence that a parked copy is in S3, asked of a real server; and its bucket's rules."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from roost.model.resources import S3Copy
from roost.parking.s3_evidence import bucket_rules, list_copies
from roost.transfer.job import ANY, Job
from roost.transfer.options import Options
from roost.transfer.runner import run_here
from roost.transfer.s3.config import Keys, Where
from tests.transfer.conftest import Store, grow

PLACE = "s3://my-bucket/parked/stars/data/vol-1/"


@pytest.fixture
def parked(store: Store, tmp_path: Path) -> S3Copy:
    """A folder whose tree is in S3, proven."""
    files = {"raw/a.fits": b"a" * 3000, "raw/b +%.fits": b"b" * 3000, "zero": b""}
    grow(tmp_path / "volume", files)
    job = Job(
        source=str(tmp_path / "volume"),
        target=str(store.place),
        where=store.where,
        options=Options(delete=True),
        agreed=ANY,
        tree=True,
    )
    outcome = run_here(job, lambda _: None)
    assert outcome.proof is not None
    assert outcome.proof.whole
    return S3Copy(
        name="data",
        source="vol-1",
        place=str(store.place),
        tree=outcome.proof.tree,
        sha256=outcome.proof.tree_sha256,
        size_gib=1,
        used_gib=0.1,
        since=1,
        taken=1,
        sealed=True,
        region="us-east-1",
        endpoint=store.where.endpoint or "",
    )


def test_all_of_it_is_there(parked: S3Copy, store: Store) -> None:
    listed = list_copies((parked,), store.where)
    assert (listed.complete, dict(listed.troubles), dict(listed.refused)) == ({"data"}, {}, {})
    assert listed.entries == {"data": 5}  # three files, and the folders
    # Objects beside it, or below it and not of the tree, are nobody's business.
    store.put({"more": b"m"})
    assert list_copies((parked,), store.where).complete == {"data"}


def remove(store: Store) -> None:
    store.bucket.delete([f"{store.base}raw/b +%.fits"])


def shorten(store: Store) -> None:
    store.put({"raw/a.fits": b"a"})


def replace_same_size(store: Store) -> None:
    time.sleep(1.1)  # S3 tells when an object was stored by the second
    store.put({"raw/a.fits": b"z" * 3000})


def lose_tree(store: Store) -> None:
    trees = [e.name for e in store.bucket.objects(f"{store.base}.roost/")]
    store.bucket.delete([f"{store.base}.roost/{name}" for name in trees])


def spoil_tree(store: Store) -> None:
    (name,) = (e.name for e in store.bucket.objects(f"{store.base}.roost/"))
    store.put({f".roost/{name}": b"{}\n"})


def empty(store: Store) -> None:
    store.bucket.delete([f"{store.base}{name}" for name in store.all()])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (remove, "1 of 3 objects are not as they were proven: raw/b +%.fits: it is not in S3"),
        (shorten, "1 of 3 objects are not as they were proven: raw/a.fits: it has 1 bytes in S3"),
        (replace_same_size, "raw/a.fits: it was stored anew after the copy was proven"),
        (lose_tree, ".jsonl, which lists all of it, is not there"),
        (spoil_tree, ".jsonl is not what was saved"),
        (empty, ".jsonl, which lists all of it, is not there"),
    ],
)
def test_what_somebody_does_to_it_is_seen(
    change: Callable[[Store], None], text: str, parked: S3Copy, store: Store
) -> None:
    change(store)
    listed = list_copies((parked,), store.where)
    assert (listed.complete, dict(listed.refused)) == (frozenset(), {})
    assert text in listed.troubles["data"]
    # Each object is there with its size: coming back compares what is in it.
    assert listed.changed == ({"data"} if change is replace_same_size else frozenset())


def test_whoever_may_not_look_knows_nothing(parked: S3Copy, store: Store) -> None:
    stranger = replace(store.where, keys=Keys("nobody", "x" * 16))
    listed = list_copies((parked,), stranger)
    assert (listed.complete, dict(listed.troubles)) == (frozenset(), {})
    assert "cannot be listed from here" in listed.refused["data"]


def test_a_server_that_does_not_answer_is_a_trouble_and_no_proof(parked: S3Copy) -> None:
    copy = replace(parked, endpoint="http://127.0.0.1:9")
    listed = list_copies((copy,), Where("us-east-1", None, Keys("a", "b")))
    assert listed.complete == frozenset()
    assert "data" in {*listed.troubles, *listed.refused}


# --- rules --------------------------------------------------------------------------------------

RULES = """<?xml version="1.0"?>
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Rule><ID>tidy</ID><Status>Enabled</Status><Filter><Prefix>parked/</Prefix></Filter>
<Expiration><Days>30</Days></Expiration></Rule>
<Rule><ID>all</ID><Status>Enabled</Status><Filter/><Expiration><Date>2027-01-01T00:00:00Z</Date>
</Expiration></Rule>
<Rule><ID>off</ID><Status>Disabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>other</ID><Status>Enabled</Status><Prefix>logs/</Prefix>
<Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>tagged</ID><Status>Enabled</Status><Filter><And><Prefix>parked/</Prefix>
<Tag><Key>x</Key><Value>y</Value></Tag></And></Filter><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>cold</ID><Status>Enabled</Status><Filter><Prefix>parked/stars/data/vol-1/raw/</Prefix>
</Filter><Transition><Days>90</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition></Rule>
<Rule><ID>warm</ID><Status>Enabled</Status><Filter/><Transition><Days>30</Days>
<StorageClass>STANDARD_IA</StorageClass></Transition></Rule>
<Rule><ID>parts</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload>
<DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>
<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>
</LifecycleConfiguration>"""
VERSIONING = """<?xml version="1.0"?><VersioningConfiguration
xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</VersioningConfiguration>"""
EMPTY = """<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>my-bucket</Name><Prefix>parked/stars/data/vol-1/</Prefix><KeyCount>0</KeyCount>
<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"""


def error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>"


@contextmanager
def answering(lifecycle: tuple[int, str], versioning: tuple[int, str]) -> Iterator[Where]:
    """A server that answers these two questions so, and lists nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = 200, EMPTY
            if "?lifecycle" in self.path:
                status, body = lifecycle
            elif "?versioning" in self.path:
                status, body = versioning
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield Where("us-east-1", endpoint, Keys("a", "b"))
    finally:
        server.shutdown()
        server.server_close()


def test_rules_that_are_about_the_place() -> None:
    versioning = VERSIONING.format("<Status>Enabled</Status>")
    with answering((200, RULES), (200, versioning)) as where:
        (rules,) = bucket_rules((PLACE, PLACE), where)
    assert rules.deletes == (
        "the rule tidy deletes objects 30 days after they were stored",
        "the rule all deletes objects on 2027-01-01",
    )
    assert rules.moves == ("the rule cold moves objects to DEEP_ARCHIVE after 90 days",)
    assert (rules.versioned, rules.unknown) == (True, "")


@pytest.mark.parametrize("state", ["", "<Status>Suspended</Status>"])
def test_no_rules_and_no_versions(state: str) -> None:
    none = (404, error("NoSuchLifecycleConfiguration"))
    with answering(none, (200, VERSIONING.format(state))) as where:
        (rules,) = bucket_rules((PLACE,), where)
    assert (rules.deletes, rules.moves, rules.versioned, rules.unknown) == ((), (), False, "")


def test_who_may_not_ask_is_told_so() -> None:
    denied = (403, error("AccessDenied"))
    with answering(denied, denied) as where:
        (rules,) = bucket_rules((PLACE,), where)
    assert (rules.deletes, rules.moves, rules.versioned) == ((), (), None)
    assert "(the permission s3:GetLifecycleConfiguration is missing)" in rules.unknown
    assert "(the permission s3:GetBucketVersioning is missing)" in rules.unknown


def test_an_answer_that_is_no_answer_is_unknown() -> None:
    with answering((501, error("NotImplemented")), (200, "<html>log in</html")) as where:
        (rules,) = bucket_rules((PLACE,), where)
    assert rules.versioned is None
    assert "GetBucketLifecycleConfiguration: NotImplemented it is" in rules.unknown
    assert "GetBucketVersioning: the answer is not S3's" in rules.unknown
    with answering((200, "<html>log in</html>"), (200, "<html>log in</html>")) as where:
        (rules,) = bucket_rules((PLACE,), where)
    assert rules.versioned is None
    assert rules.unknown
