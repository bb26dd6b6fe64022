"""The JSON Schema that editors use says what the loader says, as far as a schema can."""

import json
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from roost.spec.kinds import KINDS, model_of
from roost.spec.problems import keys_of
from roost.spec.schema import json_schema
from roost.spec.starters import starter
from tests.laws import examples
from tests.spec.strategies import specs, toml
from tests.walk import each

ROOT = Path(__file__).parents[2]
FILE = ROOT / "schema" / "roost.schema.json"
WRONG = Path(__file__).parent / "wrong"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

REST = """
name-spaces name-too-long name-nothing-left kind-far kind-near kind-missing kind-key-misspelt
kind-not-a-text empty only-comments empty-command empty-texts missing
key-top key-top-nothing-near key-nested key-in-array-of-tables key-of-another-kind
key-table-unknown key-inline-table key-inline-list key-dotted key-quoted key-odd-names
key-after-long-values key-hidden key-hidden-desktop key-required-misspelt
key-required-misspelt-nested types types-of-tables dates-for-numbers not-finite
sizes idle-number idle-words budget-nothing budget-too-large cloud-unknown count-too-large seats
machine-bounds volume-type-and-park data access aws-a-text region-missing zones several
volume-mounts desktop-local environment-words notebook-missing-nothing-near sizes-extreme tags
"""
STRUCTURAL = sorted(REST.split())
"""Files with a mistake of structure: no catalogue, disk or other key is needed to see it."""


def as_json(raw: dict[str, Any]) -> Any:
    """As an editor gives it to a schema: times are texts."""

    def text(value: object) -> str:
        assert isinstance(value, date | time)
        return value.isoformat()

    return json.loads(json.dumps(raw, default=text))


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(as_json(tomllib.loads(text)))]


def test_the_committed_file_is_the_generated_one() -> None:
    """Else: uv run roost schema > schema/roost.schema.json"""
    assert json.loads(FILE.read_text(encoding="utf-8")) == SCHEMA


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "file",
    [*ROOT.glob("examples/*.toml"), ROOT / "examples/prices/course-2022.toml"],
    ids=lambda file: file.stem,
)
def test_an_example_fits(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert errors(text) == []
    named = text.splitlines()[0].removeprefix("#:schema ")
    assert (file.parent / named).resolve() == FILE


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_fits(kind: str) -> None:
    assert errors(starter(kind, "my-own")) == []


@settings(max_examples=examples(100), deadline=None)
@given(specs)
def test_whatever_is_right_fits(data: dict[str, Any]) -> None:
    assert errors(toml(data)) == []


def test_what_is_wrong_in_its_structure_is_refused() -> None:
    def check(name: str) -> None:
        assert errors((WRONG / f"{name}.toml").read_text(encoding="utf-8")) != []

    each(STRUCTURAL, check)


KEYS = [(table, key) for table, facts in SCHEMA["$defs"].items() for key in facts["properties"]]


def test_every_key_says_what_it_is() -> None:
    def check(where: tuple[str, str]) -> None:
        table, key = where
        facts = SCHEMA["$defs"][table]["properties"][key]
        assert facts["description"].strip().endswith((".", "..."))
        assert "title" not in facts
        assert {"type": "null"} not in facts.get("anyOf", [])

    each(KEYS, check)


def test_defaults_and_examples_are_allowed() -> None:
    """As a person would copy them."""

    def check(where: tuple[str, str]) -> None:
        table, key = where
        facts = SCHEMA["$defs"][table]["properties"][key]
        validator = Draft202012Validator({**facts, "$defs": SCHEMA["$defs"]})
        default = [facts["default"]] if "default" in facts else []
        for value in (*facts.get("examples", ()), *default):
            assert list(validator.iter_errors(as_json({"it": value})["it"])) == []

    each(KEYS, check)


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_are_those_of_the_models(kind: str) -> None:
    tables = SCHEMA["$defs"]
    table = tables[kind.capitalize()]
    assert tuple(table["properties"]) == keys_of(model_of(kind))
    assert not {"folder", "digest"} & {key for t in tables.values() for key in t["properties"]}
    assert all(t["additionalProperties"] is False for t in tables.values())
