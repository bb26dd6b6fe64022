"""The JSON Schema of the file, generated from the models, so that editors complete and check it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from roost.spec.load import Spec


def json_schema() -> dict[str, Any]:
    """The schema of all three kinds, told apart by ``kind``."""
    adapter: TypeAdapter[Spec] = TypeAdapter(Annotated[Spec, Field(discriminator="kind")])
    schema = adapter.json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "roost",
        "description": "A desktop, a cluster or a classroom: what `roost up` makes.",
        **schema,
    }
