"""``roost sync`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.calling import OUTPUTS, Roost, caller
from tests.transfer.conftest import Store, grow, tree


@pytest.fixture
def roost(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Roost:
    for key, value in store.weed.env().items():
        monkeypatch.setenv(key, value)
    return caller(monkeypatch, capsys)


FILES = {"a": b"1", "b/c.txt": b"22", "b/d.log": b"333"}


def test_sync_says_what_it_did_as_its_schema_has_it(
    tmp_path: Path, store: Store, roost: Roost
) -> None:
    source = grow(tmp_path / "source", FILES)
    words = ("sync", source, store.place, "--json", "--verify")
    dry = roost(*words, "--dry-run")
    told = roost(*words)
    schema = Draft202012Validator(json.loads((OUTPUTS / "sync.schema.json").read_text()))
    for one in (dry, told):
        assert one.code == 0, one.err
        schema.validate(one.json)
    assert (dry.json["dry_run"], dry.json["to_copy"], dry.json["copied"]) == (True, 3, 0)
    assert "copy a (new)" in dry.err
    assert (told.json["copied"], told.json["bytes"]) == (3, 6)
    assert told.json["verified"]["files"] == 3
    assert told.json["verified"]["whole"] is True
    manifest = told.json["verified"]["manifest"].removeprefix(f"{store.place}.roost/")
    lines = store.bucket.get(f"{store.base}.roost/{manifest}").body.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a", "b/c.txt", "b/d.log"]
    # The manifest is no data: nothing of it comes down, and --delete does not see it.
    assert roost("sync", store.place, tmp_path / "back").code == 0
    assert tree(tmp_path / "back") == FILES
    again = roost("sync", source, store.place, "--delete", "--json")
    assert again.json["to_delete"] == []
    assert "nothing to do: 3 are the same" in again.err


def test_deletions_are_shown_and_want_a_yes(tmp_path: Path, store: Store, roost: Roost) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    store.put({"old": b"1"})
    told = roost("sync", source, store.place, "--delete", "--no-input")
    assert told.code == 4
    assert "delete old" in told.err
    assert set(store.all()) == {"old"}
    told = roost("sync", source, store.place, "--delete", "--yes")
    assert told.code == 0
    assert set(store.all()) == {"a"}


def test_a_yes_deletes_what_was_shown_and_nothing_else(
    tmp_path: Path, store: Store, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    store.put({"old": b"1"})
    monkeypatch.setattr("roost.cli.terminal.interactive", lambda: True)

    def meanwhile(*_: object, **__: object) -> bool:
        store.put({"other": b"1"})
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    told = roost("sync", source, store.place, "--delete")
    assert told.code == 3
    assert "not what was shown any more" in told.err
    assert set(store.all()) == {"old", "other"}
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    told = roost("sync", source, store.place, "--delete", "--json")
    assert told.code == 0, told.err
    assert told.err.count("delete old") == 1
    assert sorted(told.json["deleted"]) == ["old", "other"]
    assert set(store.all()) == {"a"}


def test_what_cannot_be_copied_is_named_and_the_rest_is_copied(
    tmp_path: Path, store: Store, roost: Roost
) -> None:
    store.put({"a": b"1", "b/x": b"2"})
    (tmp_path / "back").mkdir()
    (tmp_path / "back/b").write_bytes(b"a file where a folder should be")
    told = roost("sync", store.place, tmp_path / "back", "--json")
    assert told.code == 3
    assert [one["name"] for one in told.json["failed"]] == ["b/x"]
    assert (tmp_path / "back/a").read_bytes() == b"1"
    assert "b/x" in told.err


def test_move_deletes_only_what_is_proven(
    tmp_path: Path, store: Store, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = grow(tmp_path / "source", {"a": b"1", "deep/b": b"2", "c": b"3"})
    real = type(store.bucket).head

    def head(self: object, key: str) -> object:
        if key.endswith("/c"):
            store.bucket.put(key, b"X", {})  # somebody writes to it before it is proven
        return real(self, key)  # type: ignore[arg-type]

    monkeypatch.setattr("roost.transfer.s3.bucket.Bucket.head", head)
    told = roost("sync", source, store.place, "--move", "--min-age", "0", "--json")
    assert told.code == 3
    assert sorted(told.json["removed_from_source"]) == ["a", "deep/b"]
    assert told.json["failed"] == [{"name": "c", "why": "its content in S3 differs"}]
    assert tree(source) == {"c": b"3"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("here", "there"), "one side must be a folder"),
        (("here", "s3://B/x"), "no bucket can have this name"),
        (("here", "s3://bucket/x", "--move", "--delete"), "--move and --delete"),
        (("s3://bucket/x", "here", "--verify"), "always compared"),
        (("s3://bucket/x", "here", "--class", "GLACIER"), "--class"),
        (("here", "s3://bucket/x", "--janitor", "a=b", "--watch"), "one *"),
        (("nowhere", "s3://bucket/x"), "is no folder"),
    ],
)
def test_what_makes_no_sense_is_said(
    tmp_path: Path, roost: Roost, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    told = roost("sync", *words)
    assert told.code == 2
    assert said in told.err


def test_the_storage_class_is_kept(tmp_path: Path, store: Store, roost: Roost) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    assert roost("sync", source, store.place, "--class", "STANDARD_IA").code == 0
    assert store.bucket.head(store.base + "a").storage == "STANDARD_IA"
