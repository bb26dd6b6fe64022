"""What is loaded is what is kept; and nothing that TOML can say makes it stumble."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import RoostError, SpecError
from roost.spec import from_json, load
from roost.spec.kinds import Spec
from tests.laws import examples
from tests.spec.strategies import altered, anything, keys, specs, toml

FOLDER = TemporaryDirectory()
relaxed = settings(deadline=None, max_examples=examples(100))
FILE = Path(FOLDER.name) / "roost.toml"


def loaded(data: dict[str, Any]) -> Spec:
    FILE.write_text(toml(data), encoding="utf-8")
    return load(FILE)


@relaxed
@given(specs)
def test_load_keep_and_read_again(data: dict[str, Any]) -> None:
    spec = loaded(data)
    again = from_json(spec.to_json())
    assert again == spec
    assert again.to_json() == spec.to_json()


@relaxed
@given(specs)
def test_what_stands_in_the_file_is_what_is_kept(data: dict[str, Any]) -> None:
    kept = json.loads(loaded(data).to_json())
    assert kept["name"] == data["name"]
    assert kept["kind"] == data["kind"]
    assert kept["tags"] == data.get("tags", {})
    assert [v["name"] for v in kept["volumes"]] == [v["name"] for v in data.get("volumes", [])]
    for table in ("machine", "head", "workers"):
        for key in ("type", "cpus", "gpus", "gpu", "arch", "image", "count", "min", "max", "spot"):
            if key in data.get(table, {}):
                assert kept[table][key] == data[table][key]


def spec_or_problems(data: dict[str, Any]) -> None:
    """A spec that comes back from its record, or problems that a person can find in the file."""
    text = toml(data)
    FILE.write_text(text, encoding="utf-8")
    try:
        spec = load(FILE)
    except SpecError as error:
        check_problems(error, text)
    else:
        assert from_json(spec.to_json()) == spec


def check_problems(error: SpecError, text: str) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.where
        assert problem.message
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + 1
        assert not any("\n" in line for line in problem.lines())


@settings(relaxed, max_examples=examples(300))
@given(altered())
def test_a_spec_that_was_altered(data: dict[str, Any]) -> None:
    spec_or_problems(data)


@settings(relaxed, max_examples=examples(200))
@given(st.dictionaries(keys, anything, max_size=6), st.sampled_from(["desktop", "cluster", ""]))
def test_anything_at_all(data: dict[str, Any], kind: str) -> None:
    spec_or_problems({**data, "kind": kind} if kind else data)


@settings(relaxed, max_examples=examples(200))
@given(altered(), st.data())
def test_a_record_that_was_altered(data: dict[str, Any], draw: st.DataObject) -> None:
    """From the cloud comes a spec, or an error that roost shows."""
    text = json.dumps(data, default=str)
    cut = draw.draw(st.integers(0, len(text)))
    for record in (text, text[:cut]):
        try:
            spec = from_json(record)
        except RoostError as error:
            what = error.what
            assert what.startswith("the spec kept with the cloud ")
        else:
            assert spec.kind == data["kind"]
