"""Read a file, or what a cloud kept of one: every problem at once."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from roost.errors import Problem, RoostError, SpecError, UsageError
from roost.providers.rules import find_rules, regional
from roost.spec import lines as places
from roost.spec.kinds import KINDS, model_of
from roost.spec.lines import key_lines, line_of
from roost.spec.problems import (
    HIDDEN,
    HOLDERS,
    LONGEST_FOUND,
    hidden_problems,
    in_order,
    problems_of,
    shown,
    written,
)
from roost.spec.table import Surroundings, did_you_mean, nearest, project_folder, quoted

if TYPE_CHECKING:
    from roost.spec.kinds import Spec

LARGEST_BYTES = 1_000_000
LARGEST_INT = 2**63 - 1
"""The largest integer that TOML guarantees."""
DEEPEST = 32
STARTERS = "`roost init desktop`, `roost init cluster` or `roost init classroom` writes one"


def load(path: Path, *, cloud: str | None = None, region: str | None = None) -> Spec:
    """Load the spec in a TOML file, for another cloud or region if one is given.

    Raises SpecError with all that is wrong with it, UsageError where it cannot be read.
    """
    raw, lines = _toml(path)
    return _spec(raw, lines, str(path), path.absolute().parent, (cloud, region))


def from_values(raw: Mapping[str, Any], folder: Path, *, source: str) -> Spec:
    """Load the spec of a program that says what a file in ``folder`` would. Raises SpecError.

    ``source`` is what its errors call it. Raises UsageError for values that no file can have.
    """
    try:
        json.dumps(raw, default=_plain)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{source}: a value that no file can have: {error}") from None
    return _spec(dict(raw), {}, source, folder.absolute(), (None, None))


def _spec(
    raw: dict[str, Any],
    lines: dict[places.Path, int],
    source: str,
    folder: Path,
    elsewhere: tuple[str | None, str | None],
) -> Spec:
    model, problems = _model(raw, lines)
    if model is None:
        raise SpecError(source, problems)
    raw = _elsewhere(raw, model, *elsewhere)
    here = surroundings(raw, model, folder)
    try:
        spec = model.model_validate_json(_json(raw, here), strict=True, context=here)
    except ValidationError as error:
        problems = (*problems, *problems_of(error, model, raw, lines))
    else:
        if not problems:
            return spec
    raise SpecError(source, in_order(problems))


def from_json(text: str, *, cloud: str | None = None, region: str | None = None) -> Spec:
    """Load the spec that ``to_json`` wrote. Raises RoostError where another roost wrote it."""
    try:
        raw = json.loads(text)
        model = model_of(raw["kind"])
        raw = _elsewhere(raw, model, cloud, region)
        here = replace(surroundings(raw, model, Path(raw.get("folder", "/"))), recorded=True)
        return model.model_validate_json(json.dumps(raw), strict=True, context=here)
    except ValidationError as error:
        found = problems_of(error, model, raw, {})
        if cloud is not None or region is not None:
            raise SpecError(f"{raw.get('name')}, as it is kept with the cloud", found) from None
        what = "; ".join(f"{p.where}: {p.message}" for p in found)
        raise RoostError(f"the spec kept with the cloud is not one of this roost: {what}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RoostError(f"the spec kept with the cloud cannot be read: {error!r}") from None


def surroundings(raw: Mapping[str, Any], model: type[Spec], folder: Path) -> Surroundings:
    """Return what single keys are checked against, whatever else is wrong."""
    kind = model.__name__.lower()
    cloud = raw.get("cloud", model.model_fields["cloud"].default)
    rules = find_rules(cloud) if isinstance(cloud, str) else None
    types = rules.types_for(raw.keys()) if rules is not None else None
    table = raw.get(types.cloud) if types is not None else None
    region = table.get("region") if isinstance(table, Mapping) else None
    environment = raw.get("environment")
    project = environment.get("project") if isinstance(environment, Mapping) else None
    return Surroundings(
        folder=folder,
        kind=kind,
        rules=rules,
        types=types,
        tables=frozenset(raw),
        region=region if isinstance(region, str) else None,
        project=project_folder(folder, project) if isinstance(project, str) else None,
    )


# --- the text ----------------------------------------------------------------------------------


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise UsageError(f"{path} is larger than any spec: is it the right file?")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text in UTF-8: is it the right file?") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _toml(path: Path) -> tuple[dict[str, Any], dict[places.Path, int]]:
    """Read values and their lines. Raises SpecError where it is not sound TOML."""
    text = _read(path)
    try:
        raw = tomllib.loads(text)
        deep = any(len(found) > DEEPEST for found, _ in _values(raw))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(str(path), (_syntax(error, text),)) from None
    except RecursionError:
        deep = True
    except ValueError:  # Python's limit of digits, 4300
        raise SpecError(str(path), (Problem("TOML", "a number that is far too long"),)) from None
    if deep:
        raise SpecError(str(path), (Problem("TOML", "tables or lists nested too deep"),))
    lines = key_lines(text)
    huge = tuple(
        Problem(written(found), "too large a number", line_of(found, lines))
        for found, value in _values(raw)
        if isinstance(value, int) and abs(value) > LARGEST_INT
    )
    if huge:
        raise SpecError(str(path), in_order(huge))
    return raw, lines


def _values(raw: dict[str, Any]) -> Iterator[tuple[places.Path, Any]]:
    """Yield every value with its path, not deeper than one below the deepest allowed."""
    left: list[tuple[places.Path, Any]] = [((), raw)]
    while left:
        path, value = left.pop()
        yield path, value
        if len(path) <= DEEPEST and isinstance(value, dict | list):
            inside = value.items() if isinstance(value, dict) else enumerate(value)
            left += [((*path, key), below) for key, below in inside]


def _syntax(error: tomllib.TOMLDecodeError, text: str) -> Problem:
    """Parse tomllib's ``Expected ... (at line 3, column 5)`` and its tables ``('a', 'b')``."""
    message, _, place = str(error).partition(" (at ")
    digits = place.removeprefix("line ").partition(",")[0]
    line = int(digits) if digits.isdigit() else None
    if other := _other_format(text):
        return Problem("TOML", f"this looks like {other}, and roost reads TOML", 1, hint=STARTERS)
    if message.startswith(("Cannot overwrite", "Cannot declare", "Duplicate inline")):
        twice = _twice(text, line or len(text.rstrip().split("\n")))
        if twice is not None:
            return twice
    message = re.sub(r"\('([^()]*)'\s*,?\)", lambda m: f"[{m[1]}]".replace("', '", "."), message)
    value = line and message.startswith(("Invalid value", "Expected newline"))
    return Problem(
        where="TOML",
        message=_lower(message) + ("" if line else " at the end of the file"),
        line=line,
        found=text.split("\n")[line - 1].strip()[:LONGEST_FOUND] if line else None,
        hint='texts stand in quotes: key = "16GB"' if value else None,
    )


def _other_format(text: str) -> str:
    """Return the name of the format that the text is in, where that is plain to see."""
    begins = text.lstrip()
    if re.match(r"[{\[]\s*[\"{\]}]", begins) and not begins.startswith(("[[", '["')):
        return "JSON"
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    yaml = re.compile(r"---|- |[A-Za-z_][\w-]*:(\s|$)")
    return "YAML" if lines and yaml.match(lines[0].lstrip()) else ""


def _twice(text: str, line: int) -> Problem | None:
    """Return the problem of a key or a table that is in the file a second time, on this line."""
    lines = text.replace("\r\n", "\n").split("\n")
    found, before = lines[line - 1].strip(), lines[: line - 1]
    headers = [at for at, one in enumerate(before, 1) if one.lstrip().startswith("[")]
    table, since = (lines[headers[-1] - 1], headers[-1]) if headers else ("", 0)
    key = found.partition("=")[0]
    if found.startswith("["):
        table, since, key = found, 0, ""
    wanted = [one.strip(" [].\"'") for one in (*table.split("#")[0].split("."), *key.split("."))]
    for path, at in key_lines("\n".join(before)).items():
        if [one for one in path if isinstance(one, str)] == [*filter(None, wanted)] and at >= since:
            message = f"`{wanted[-1] or table.strip(' []')}` is there already (line {at})"
            return Problem("TOML", message, line, found=found[:LONGEST_FOUND])
    return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- the model ---------------------------------------------------------------------------------


def _model(
    raw: Mapping[str, Any], lines: Mapping[places.Path, int]
) -> tuple[type[Spec] | None, tuple[Problem, ...]]:
    """Return the model of the file's kind; of the nearest kind where that is misspelt."""
    kind = raw.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        return model_of(kind), hidden_problems(raw, model_of(kind), lines)
    if kind is None:
        return None, (_no_kind(raw, lines),)
    problem = Problem(
        where="kind",
        message="not one of the choices",
        line=line_of(("kind",), lines),
        found=shown(kind),
        allowed=quoted(KINDS),
        hint=did_you_mean(str(kind), KINDS) or None,
    )
    near = nearest(str(kind), KINDS)
    if not near:
        return None, (problem,)
    return model_of(near), (problem, *hidden_problems(raw, model_of(near), lines))


def _no_kind(raw: Mapping[str, Any], lines: Mapping[places.Path, int]) -> Problem:
    near = nearest("kind", raw)
    hint = f'line {lines[near,]} has "{near}": did you mean "kind"?' if near else ""
    if not raw:
        hint = "the file is empty; `roost init` writes one to start from"
    return Problem("kind", "missing", allowed=quoted(KINDS), hint=hint or None)


def _elsewhere(
    raw: dict[str, Any], model: type[Spec], cloud: str | None, region: str | None
) -> dict[str, Any]:
    """Change the cloud or region; drop zones and networks of another region."""
    if cloud is not None:
        raw = {**raw, "cloud": cloud}
    if region is None:
        return raw
    rules = regional(str(raw.get("cloud", model.model_fields["cloud"].default)))
    table = raw.get(rules.name, {}) if rules is not None else None
    if rules is None or rules.regions is None or not isinstance(table, dict):
        return raw
    if table.get("region") == region:
        return raw
    kept = {key: value for key, value in table.items() if key not in rules.regions.keys}
    return {**raw, rules.name: {**kept, "region": region}}


def _json(raw: Mapping[str, Any], here: Surroundings) -> str:
    """Convert to JSON, in which strictness means what a person expects: a list is a list."""
    for key in HOLDERS:
        if isinstance(table := raw.get(key), dict):
            raw = {**raw, key: {k: v for k, v in table.items() if k not in HIDDEN}}
    return json.dumps({**raw, "kind": here.kind, "folder": str(here.folder)}, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)  # tomllib makes nothing else
