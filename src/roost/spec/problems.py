"""From pydantic's errors to what a person can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from roost.errors import Problem
from roost.spec.lines import Path, line_of
from roost.spec.table import did_you_mean

LONGEST_FOUND = 60
EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "path_type": "a path, as a text",
    "datetime_type": "a time: 2026-12-01T18:00:00+01:00",
    "datetime_parsing": "a time: 2026-12-01T18:00:00+01:00",
    "datetime_from_date_parsing": "a time: 2026-12-01T18:00:00+01:00",
}
"""What is allowed, for pydantic's errors of type; the other errors say it themselves."""


def problems_of(
    error: ValidationError, model: type[BaseModel], lines: Mapping[Path, int]
) -> tuple[Problem, ...]:
    """All problems, in the order in which they stand in the file."""
    found = [_problem(detail, model, lines) for detail in error.errors(include_url=False)]
    return tuple(sorted(found, key=lambda p: (p.line is None, p.line or 0)))


def _problem(detail: ErrorDetails, model: type[BaseModel], lines: Mapping[Path, int]) -> Problem:
    path: Path = tuple(detail["loc"])
    message, allowed, hint = _said(detail, model, path)
    missing = detail["type"] == "missing" or message == "missing"
    return Problem(
        where=written(path),
        message=message,
        line=line_of(path[:-1] if missing else path, lines),
        found=None if missing else _shown(detail["input"]),
        allowed=allowed or None,
        hint=hint or None,
    )


def _said(detail: ErrorDetails, model: type[BaseModel], path: Path) -> tuple[str, str, str]:
    """Message, what is allowed, and a suggestion."""
    kind, facts = detail["type"], detail.get("ctx", {})
    table = _model_at(model, path[:-1])
    if kind == "roost":
        return facts["message"], facts["allowed"], facts["hint"]
    if kind == "extra_forbidden":
        return "unknown key", ", ".join(keys_of(table)), did_you_mean(str(path[-1]), keys_of(table))
    if kind == "literal_error":
        known = _choices(model, path)
        hint = did_you_mean(str(detail["input"]), known)
        return "not one of the choices", ", ".join(f'"{name}"' for name in known), hint
    about = _description(table, str(path[-1])) if path else ""
    plain = {"missing": "missing", "string_pattern_mismatch": "not written as it must be"}
    if kind in plain:
        return plain[kind], about, ""
    if kind in EXPECTED:
        return "the wrong kind of value", EXPECTED[kind], ""
    return _lower(detail["msg"].removeprefix("Input ")), "", ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def written(path: Path) -> str:
    """``("volumes", 0, "size")`` as ``volumes[1].size``: people count from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _shown(found: Any) -> str:
    """The value as TOML has it, cut to fit a line."""
    if isinstance(found, Mapping | list | tuple):
        return "a table" if isinstance(found, Mapping) else "a list"
    text = json.dumps(found, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_FOUND else text[: LONGEST_FOUND - 3] + "..."


def keys_of(model: type[BaseModel] | None) -> tuple[str, ...]:
    """The keys that a file may have in this table."""
    if model is None:
        return ()
    return tuple(
        field.alias or name for name, field in model.model_fields.items() if name not in HIDDEN
    )


HIDDEN = frozenset({"folder", "digest"})
"""What only a record has."""


def _field(model: type[BaseModel], key: str) -> Any:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field
    return None


def _model_at(model: type[BaseModel] | None, path: Path) -> type[BaseModel] | None:
    """The model of the table at ``path``."""
    for part in path:
        if model is None:
            return None
        if isinstance(part, int):
            continue
        field = _field(model, part)
        model = _model_in(field.annotation) if field is not None else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside ``X | None`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model_in(a)) is not None), None)


def _description(model: type[BaseModel] | None, key: str) -> str:
    field = _field(model, key) if model is not None else None
    return str(field.description or "") if field is not None else ""


def _choices(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The texts of a Literal, also inside ``X | None`` or ``tuple[X, ...]``."""
    names = [part for part in path if isinstance(part, str)]
    table = _model_at(model, tuple(names[:-1]))
    field = _field(table, names[-1]) if table is not None else None
    return _literals(field.annotation) if field is not None else ()


def _literals(annotation: Any) -> tuple[str, ...]:
    found: list[str] = []
    for argument in get_args(annotation):
        found += [argument] if isinstance(argument, str) else _literals(argument)
    return tuple(found)
