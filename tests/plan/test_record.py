"""The record is parsed once, and believed in nothing."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.model.record import (
    LONGEST,
    UNKNOWN,
    Recorded,
    read_backups,
    read_record,
    write_backups,
)
from roost.model.resources import Backup
from roost.spec import load

EXAMPLES = Path(__file__).parents[2] / "examples"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
KEYS = (
    *("name", "kind", "cloud", "scheduler", "protocol", "jupyter", "folder", "environment"),
    *("access", "volumes", "tags", "machine", "head", "workers", "aws"),
)


def recorded(file: str, cloud: str | None = None) -> Recorded:
    return read_record(load(EXAMPLES / file, cloud=cloud).to_json())


def test_what_the_examples_say() -> None:
    desktop = recorded("scipion.toml")
    assert (desktop.kind, desktop.cloud, desktop.protocol) == ("desktop", "aws", "novnc")
    assert (desktop.ssh_from, desktop.tags) == (("me",), {"group": "cryo-em"})
    assert desktop.image("desktop").startswith(("ubuntu", "debian", "ami"))
    assert recorded("starcluster.toml").scheduler == "slurm"
    cluster = recorded("ndvi.toml")
    assert (cluster.name, cluster.project) == ("ndvi", str(EXAMPLES / "ndvi"))
    assert recorded("training.toml").image("seat") == recorded("training.toml").images["machine"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_whatever_it_is_it_has_the_types_that_it_says(raw: dict[str, object]) -> None:
    read = read_record(json.dumps(raw))
    assert read.readable
    for text in ("name", "kind", "cloud", "scheduler", "protocol", "project"):
        assert isinstance(getattr(read, text), str)
    assert all(isinstance(one, str) for one in (*read.ssh_from, *read.tags, *read.tags.values()))
    assert isinstance(read.image("seat"), str)
    assert read.aws is None or isinstance(read.aws, dict)


@pytest.mark.parametrize(
    "text", [None, "", "null", "[]", "7", '"x"', "{", "[" * 100_000, " " * (LONGEST + 1) + "{}"]
)
def test_what_is_none_is_unknown(text: str | None) -> None:
    read = read_record(text)
    assert read == Recorded()
    assert (read.readable, read.kind) == (False, UNKNOWN)
    assert len(fields(read)) > 10


BACKUPS = (
    Backup(kind="image", name="desktop", id="ami-1", taken=1_800_000_000),
    Backup(kind="snapshot", name="data", id="snap-1", taken=1.8e9, size_gib=500, used_gib=12.25),
)


def test_recorded_copies_are_read_as_they_were_written() -> None:
    text = write_backups(BACKUPS)
    assert text.splitlines()[1] == '["snapshot","data","snap-1",1800000000,500,12.25]'
    assert read_backups(text) == BACKUPS
    assert read_backups("") == ()
    later = text.replace("12.25]", '12.25,"of a later version"]')
    assert read_backups(later) == BACKUPS


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "{}",
        "[]",
        '["snapshot","data"]',
        '["tape","data","snap-1",1,1,1]',
        '["snapshot","","snap-1",1,1,1]',
        '["snapshot","data",1,1,1,1]',
        '["snapshot","data","snap-1",true,1,1]',
        '["snapshot","data","snap-1",-1,1,1]',
        '["snapshot","data","snap-1",1e300,1,1]',
        '["snapshot","data","snap-1",NaN,1,1]',
        '["snapshot","data","snap-2",1,1,1]',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_of_them_is_not_taken_for_nothing(line: str) -> None:
    assert read_backups(f"{write_backups(BACKUPS)}\n{line}") is None


@given(st.text() | JSON.map(json.dumps))
def test_reading_them_never_raises(text: str) -> None:
    read_backups(text)


def test_the_range_of_workers() -> None:
    def follows(found: object) -> tuple[int, int] | None:
        return read_record(json.dumps({"workers": {"follow": found}})).follows

    assert follows({"minimum": 0, "maximum": 8, "by": "me"}) == (0, 8)
    for wrong in (7, [0, 8], {"minimum": 3, "maximum": 2}, {"minimum": 0, "maximum": 10**9}):
        assert follows(wrong) is None
    assert follows({"minimum": False, "maximum": 8}) is None


def test_the_names_of_volumes_and_machines() -> None:
    room = recorded("training.toml")
    assert room.machines[:2] == ("seat-1", "seat-2")
    assert recorded("pixinsight.toml").volumes == ("data",)
    assert recorded("pixinsight.toml").machines == ("desktop",)
    assert recorded("starcluster.toml").machines == ("head",)
