"""Laws of the plan: the target becomes the source, and then there is nothing left to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.transfer.filters import name_filter
from roost.transfer.listing import Entry
from roost.transfer.plan import Copy, Delete, DisorderError, changes

NAMES = st.text(st.sampled_from("ab./-\u00e9\U0001f52d"), min_size=1, max_size=6).filter(
    lambda name: not name.endswith("/")
)
SIDES = st.dictionaries(NAMES, st.integers(0, 3), max_size=12)


def listing(side: dict[str, int]) -> list[Entry]:
    return [Entry(name, size, 0) for name, size in sorted(side.items())]


def judge(source: Entry, target: Entry) -> str | None:
    return None if source.size == target.size else "size"


@given(SIDES, SIDES, st.booleans(), st.sampled_from(["a", "*b", "a/**", "nothing-fits"]))
def test_it_becomes_the_source_and_stays_so(
    source: dict[str, int], target: dict[str, int], delete: bool, exclude: str
) -> None:
    takes_part = name_filter(exclude=(exclude,))
    after = dict(target)
    for action in changes(listing(source), listing(target), judge, takes_part, delete=delete):
        assert takes_part(action.entry.name)
        if isinstance(action, Copy):
            assert target.get(action.entry.name) != source[action.entry.name]
            after[action.entry.name] = action.entry.size
        else:
            assert isinstance(action, Delete)
            assert delete
            del after[action.entry.name]
    for name in source.keys() | target.keys():
        if not takes_part(name):
            assert after.get(name) == target.get(name)
        elif name in source or delete:
            assert after.get(name) == source.get(name)
        else:
            assert after[name] == target[name]
    again = changes(listing(source), listing(after), judge, takes_part, delete=delete)
    assert list(again) == []


def test_a_listing_in_disorder_is_noticed() -> None:
    wrong = [Entry("b", 1, 0), Entry("a", 1, 0)]
    for source, target in ((wrong, []), ([], wrong)):
        with pytest.raises(DisorderError):
            list(changes(source, target, judge, name_filter(), delete=True))


def test_the_order_is_that_of_utf_8() -> None:
    names = ["a", "a-b", "a.b", "a/b", "\u00e9", "\uffee", "\U0001f52d"]
    assert sorted(names) == sorted(names, key=str.encode) == names


@pytest.mark.parametrize(
    ("glob", "fits", "not_fits"),
    [
        ("*.tif", ["a.tif", "d/e.tif"], ["a.tiff", "tif"]),
        ("/a", ["a", "a/b"], ["d/a"]),
        ("d/*.x", ["d/a.x"], ["e/d/a.x", "d/e/a.x"]),
        ("d/**", ["d/a", "d/e/f"], ["e"]),
        ("**/t.x", ["t.x", "a/t.x", "a/b/t.x"], ["at.x"]),
        ("[a-c]?", ["ax", "d/bx"], ["dx", "a"]),
        ("[!a]", ["b", "x/a"], ["a"]),
        ("log/", ["log/x", "d/log/x"], ["logx"]),
        ("a+(b", ["a+(b"], ["aab"]),
        ("*", ["a\nb"], []),
    ],
)
def test_globs(glob: str, fits: list[str], not_fits: list[str]) -> None:
    takes_part = name_filter(include=(glob,))
    assert [name for name in fits if not takes_part(name)] == []
    assert [name for name in not_fits if takes_part(name)] == []
