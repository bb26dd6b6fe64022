"""From pydantic's errors to what a person can act on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from roost.errors import Problem
from roost.spec.kinds import KINDS, model_of
from roost.spec.lines import Path, line_of
from roost.spec.table import did_you_mean, nearest, quoted

LONGEST_FOUND = 60
EXPECTED = {
    "string_type": "a text, in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "path_type": "a path, as a text in quotes",
}
"""The allowed kinds of value, by pydantic's error of type."""
BOUNDS = {
    "greater_than": ("too small", "above {gt}"),
    "greater_than_equal": ("too small", "at least {ge}"),
    "less_than_equal": ("too large", "at most {le}"),
    "string_too_long": ("too long", "at most {max_length} characters"),
    "string_too_short": ("empty", "at least {min_length} character"),
    "too_short": ("empty", "a list with at least {min_length} entry"),
}
"""Message and what is allowed, for pydantic's errors of size."""
HIDDEN = frozenset({"folder", "digest", "kinds", "price_list", "follow"})
"""The keys that only a record has."""
HOLDERS = ("environment", "openstack")
"""The tables that have some of them."""


@dataclass(frozen=True, slots=True)
class Said:
    """The explanation of a key's mistake, without its place."""

    message: str
    allowed: str = ""
    hint: str = ""


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    raw: Mapping[str, Any],
    lines: Mapping[Path, int],
) -> tuple[Problem, ...]:
    """Return all problems, in the order in which they stand in the file."""
    details = error.errors(include_url=False)
    misspelt = {
        (*detail["loc"][:-1], nearest(str(detail["loc"][-1]), keys_of(_table_of(model, detail))))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    found = []
    for detail in details:
        path = _path_of(detail, raw)
        said = _said(detail, model, path)
        if said.message == "missing" and path in misspelt:
            continue  # it is there, under the name that is unknown
        table = detail["type"] == "roost" and isinstance(_at(raw, path), Mapping | list)
        found.append(_problem(path, said, {} if table else raw, lines))
    return in_order(found)


def hidden_problems(
    raw: Mapping[str, Any], model: type[BaseModel], lines: Mapping[Path, int]
) -> tuple[Problem, ...]:
    """Return keys of a file that only a record may have, as unknown keys."""
    tables: dict[Path, Any] = {(): raw, **{(key,): raw.get(key) for key in HOLDERS}}
    return tuple(
        _problem((*path, key), _unknown(model, (*path, key)), raw, lines)
        for path, table in tables.items()
        if isinstance(table, Mapping) and _model_at(model, path) is not None
        for key in sorted(HIDDEN & table.keys())
    )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by place in the file; problems without a place come last."""
    return tuple(sorted(problems, key=lambda p: (p.line is None, p.line or 0)))


def _problem(path: Path, said: Said, raw: Mapping[str, Any], lines: Mapping[Path, int]) -> Problem:
    standing = _at(raw, path)
    missing = said.message == "missing"
    return Problem(
        where=written(path),
        message=said.message,
        line=line_of(path[:-1] if missing else path, lines),
        found=None if standing is None else shown(standing),
        allowed=said.allowed or None,
        hint=said.hint or None,
    )


def _path_of(detail: ErrorDetails, raw: Mapping[str, Any]) -> Path:
    """Return the path of the mistake; checks of a whole table say where in it."""
    path: Path = (*detail["loc"], *detail.get("ctx", {}).get("at", ()))
    of_a_key = path[-1:] == ("[key]",) and _at(raw, path) is None
    return path[:-1] if of_a_key else path


def _said(detail: ErrorDetails, model: type[BaseModel], path: Path) -> Said:
    """Explain a problem: the mistake, the allowed values, and a suggestion."""
    kind, facts = detail["type"], detail.get("ctx", {})
    if kind == "roost":
        return Said(facts["message"], facts["allowed"], facts["hint"])
    if kind == "extra_forbidden":
        return _unknown(model, path)
    if kind in EXPECTED:
        return Said("the wrong kind of value", EXPECTED[kind])
    if kind in BOUNDS:
        message, allowed = BOUNDS[kind]
        return Said(message, allowed.format(**facts))
    return _said_of(_field_at(model, path), detail, path)


def _said_of(field: FieldInfo | None, detail: ErrorDetails, path: Path) -> Said:
    """Explain a problem by the field that knows what is right."""
    kind = detail["type"]
    if kind in ("model_type", "dict_type", "tuple_type"):
        return Said("the wrong kind of value", _shape(field, kind, path))
    if kind in ("literal_error", "enum"):
        known = _choices(field.annotation) if field else ()
        hint = did_you_mean(str(detail["input"]), known)
        return Said("not one of the choices", quoted(known), hint)
    if kind == "missing":
        return Said("missing", hint=_about(field, path))
    if kind == "string_pattern_mismatch":
        return Said("not written as it must be", f"like {_example(field)}")
    return Said(_lower(detail["msg"].removeprefix("Input ")))


def _unknown(model: type[BaseModel], path: Path) -> Said:
    """Explain an unknown key: perhaps misspelt, perhaps one of another kind of file."""
    key, known = str(path[-1]), keys_of(_model_at(model, path[:-1]))
    others = [name for name in KINDS if key in keys_of(model_of(name))]
    if len(path) == 1 and others:
        return Said("unknown key", ", ".join(known), f"it is for kind = {quoted(others, ' or ')}")
    return Said("unknown key", ", ".join(known), did_you_mean(key, known))


def _shape(field: FieldInfo | None, kind: str, path: Path) -> str:
    """Describe the table or list that should be there."""
    tables = field is not None and model_in(field.annotation) is not None
    if kind == "tuple_type":
        return f"a list of tables, each [[{written(path)}]]" if tables else "a list"
    return "a table" if isinstance(path[-1], int) else f"a table, [{written(path)}]"


def _about(field: FieldInfo | None, path: Path) -> str:
    """Describe the purpose of a key, with an example."""
    if field is None:
        return ""
    example = f"; for example {path[-1]} = {_example(field)}" if field.examples else ""
    table = f"; a table, [{path[-1]}]" if model_in(field.annotation) else ""
    return str(field.description or "").removesuffix(".") + example + table


def _example(field: FieldInfo | None) -> str:
    return shown(field.examples[0]) if field is not None and field.examples else ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- as people write it ------------------------------------------------------------------------


def written(path: Path) -> str:
    """Write ``("volumes", 0, "size")`` as ``volumes[1].size``: people count from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else shown(part))
    return text or "the file"


def shown(found: Any) -> str:
    """Write the value as TOML has it, cut to fit a line."""
    if isinstance(found, Mapping | list | tuple):
        return "a table" if isinstance(found, Mapping) else "a list"
    if isinstance(found, date | time):  # a datetime is a date
        text = found.isoformat()
    elif isinstance(found, float):
        text = str(found)
    else:
        text = json.dumps(found, ensure_ascii=not str(found).isprintable(), default=str)
    return text if len(text) <= LONGEST_FOUND else text[: LONGEST_FOUND - 3] + "..."


# --- raw values and models by their path -------------------------------------------------------


def _at(raw: Any, path: Path) -> Any:
    """Return the value at ``path`` in the file; None, which TOML does not have, if it has none."""
    for part in path:
        if isinstance(raw, Mapping):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        else:
            return None
    return raw


def keys_of(model: type[BaseModel] | None) -> tuple[str, ...]:
    """Return the keys that a file may have in this table."""
    if model is None:
        return ()
    return tuple(
        field.alias or name for name, field in model.model_fields.items() if name not in HIDDEN
    )


def _field(model: type[BaseModel] | None, key: str) -> FieldInfo | None:
    for name, field in model.model_fields.items() if model else ():
        if key == (field.alias or name):
            return field
    return None


def _table_of(model: type[BaseModel], detail: ErrorDetails) -> type[BaseModel] | None:
    return _model_at(model, detail["loc"][:-1])


def _field_at(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """Return the field of the last key in ``path``."""
    names = [part for part in path if isinstance(part, str)]
    return _field(_model_at(model, tuple(names[:-1])), names[-1]) if names else None


def _model_at(model: type[BaseModel] | None, path: Path) -> type[BaseModel] | None:
    """Return the model of the table at ``path``."""
    for part in path:
        if isinstance(part, str):
            field = _field(model, part)
            model = model_in(field.annotation) if field is not None else None
    return model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside ``X | None`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := model_in(a)) is not None), None)


def _choices(annotation: Any) -> tuple[str, ...]:
    """Return the texts of a Literal or a StrEnum, also inside ``X | None`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(annotation)
    found: list[str] = []
    for argument in get_args(annotation):
        found += [argument] if isinstance(argument, str) else _choices(argument)
    return tuple(found)
