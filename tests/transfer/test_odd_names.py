"""Whatever a file or an object is called: it goes there and back, or is left out with a word."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.transfer.key_rules import file_trouble, key_trouble, part_name, show
from roost.transfer.listing import Entry
from roost.transfer.options import Options, opened
from tests.transfer.conftest import Ran, Store, grow, new_store, ran, tree

# SeaweedFS takes \ for / and cannot keep a few names; Amazon's S3 can. They are in the tests of
# names below.
LETTERS = st.one_of(
    st.sampled_from(" +%&<>'\"?#*[]{}|~^`$!;:=,@.-_\n\t\r\u00e9e\u0301\u202e\U0001f52d"),
    st.characters(min_codepoint=1, exclude_categories=["Cs"], exclude_characters="/\\\0"),
)
PART = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda part: part not in {".", ".."} and not part.endswith(".roost-part")
)
NAMES = st.lists(PART, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=8)


def without_clashes(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without names that are a file and a folder at once."""
    folders = {name[:at] for name in files for at, one in enumerate(name) if one == "/"}
    return {
        name: body
        for name, body in files.items()
        if name not in folders and all(len(part.encode()) < 200 for part in name.split("/"))
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TREES)
def test_odd_names_go_there_and_back(store: Store, files: dict[str, bytes]) -> None:
    if store.weed.kind == "moto":
        pytest.skip("it cannot keep a name with a line break")
    wanted = without_clashes(files)
    here = new_store(store.weed)
    with tempfile.TemporaryDirectory() as folder:
        source, back = Path(folder) / "source", Path(folder) / "back"
        source.mkdir()
        grow(source, wanted)
        with opened(source, here.place, Options(), here.where) as sync:
            planned, done = ran(sync)
            assert (planned.skipped, done.failed) == ([], [])
            assert sync.plan().empty
        with opened(here.place, back, Options(), here.where) as sync:
            planned, done = ran(sync)
            assert (planned.skipped, done.failed) == ([], [])
        assert tree(back) == wanted
        with opened(back, here.place, Options(delete=True), here.where) as sync:
            assert sync.plan().empty
        for path in back.rglob("*"):
            if path.is_file():
                path.unlink()
        with opened(back, here.place, Options(delete=True), here.where) as sync:
            _, done = ran(sync)
            assert done.failed == []
        assert [name for name in here.all() if not name.endswith("/")] == []


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("/x", "empty part"),
        ("a//b", "empty part"),
        ("../x", '".."'),
        ("a/./b", '"."'),
        ("a\0b", "NUL"),
        ("a/" + "x" * 256, "255"),
        (part_name("x"), "received"),
    ],
)
def test_what_no_file_can_be_called_is_said(name: str, word: str) -> None:
    assert word in (file_trouble(name) or "")


@pytest.mark.parametrize("name", ["a", "a b/c", "...", "..a/b..", "-", "dir/", "\u00e9\n", "a\\b"])
def test_what_a_file_can_be_called_is_taken(name: str) -> None:
    assert file_trouble(name) is None
    assert key_trouble(name) is None


def test_a_file_name_that_is_not_utf_8_is_left_out_with_a_word(
    tmp_path: Path, store: Store, up: Callable[..., Ran]
) -> None:
    source = grow(tmp_path / "source", {"fine": b"1"})
    (source / os.fsdecode(b"caf\xe9")).write_bytes(b"latin-1")
    planned, _ = up(source)
    assert [(show(name), why) for name, why in planned.skipped] == [
        ("caf\\udce9", "its name is not UTF-8")
    ]
    assert store.all() == {"fine": b"1"}


def test_a_name_too_long_for_s3_is_left_out_with_a_word(
    tmp_path: Path, store: Store, up: Callable[..., Ran]
) -> None:
    deep = "/".join(["x" * 200] * 6)
    planned, _ = up(grow(tmp_path / "source", {"fine": b"1", deep: b"2"}))
    assert [name for name, _ in planned.skipped] == [deep]
    assert store.all() == {"fine": b"1"}


def test_names_that_differ_in_case_on_a_disk_that_does_not_tell_them_apart(
    tmp_path: Path, store: Store, down: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put({"README": b"1", "readme": b"2", "other": b"3"})
    monkeypatch.setattr("roost.transfer.deletion.folds_case", lambda root: True)
    planned, _ = down(tmp_path / "back")
    assert [name for name, _ in planned.skipped] == ["readme"]
    assert tree(tmp_path / "back") == {"README": b"1", "other": b"3"}


def test_an_object_with_bytes_whose_name_ends_with_a_slash_is_reported(
    tmp_path: Path, store: Store, down: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put({"folder/": b"", "fine": b"1"})
    listing = [*store.bucket.objects(store.base), Entry("strange/", 3, 0, "tag", empty=True)]
    monkeypatch.setattr(
        "roost.transfer.s3.bucket.Bucket.objects", lambda self, prefix, begins="": iter(listing)
    )
    _, done = down(tmp_path / "back")
    assert done.failed == [("strange/", "its name ends with a slash, as if it were a folder")]
    assert tree(tmp_path / "back") == {"fine": b"1", "folder/": b""}
