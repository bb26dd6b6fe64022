"""The JSON Schema of the file, generated from the models, so that editors complete and check it."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from roost.spec.kinds import KINDS, model_of
from roost.units import format_size


def json_schema() -> dict[str, Any]:
    """Return the schema of all three kinds, told apart by ``kind``."""
    any_kind: Any = reduce(or_, map(model_of, KINDS))
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[any_kind, Field(discriminator="kind")])
    schema = adapter.json_schema(by_alias=True, mode="validation")
    tables = {name: _table(table) for name, table in schema["$defs"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "roost",
        "description": "A desktop, a cluster or a classroom: what `roost up` makes.",
        "type": "object",
        "required": ["name", "kind"],
        "oneOf": schema["oneOf"],
        "$defs": tables,
    }


def _table(table: dict[str, Any]) -> dict[str, Any]:
    keys = {name: _key(key) for name, key in table["properties"].items()}
    return {**{k: v for k, v in table.items() if k != "title"}, "properties": keys}


def _key(key: dict[str, Any]) -> dict[str, Any]:
    """Convert to the file's form: no null, sizes with their unit, no title like the name."""
    key = {name: fact for name, fact in key.items() if name != "title"}
    choices = [choice for choice in key.pop("anyOf", ()) if choice != {"type": "null"}]
    key = {**(choices[0] if choices else {}), **key}
    default = key.pop("default", None)
    if isinstance(default, float):
        default = format_size(default)
    if default is not None and not isinstance(default, dict):
        key["default"] = default
    return key
