"""Read a file, or what a cloud kept of one: every problem at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from roost.errors import Problem, RoostError, SpecError, UsageError
from roost.spec.classroom import Classroom
from roost.spec.cluster import Cluster
from roost.spec.desktop import Desktop
from roost.spec.lines import key_lines, line_of
from roost.spec.problems import HIDDEN, keys_of, problems_of
from roost.spec.table import Surroundings

Spec = Desktop | Cluster | Classroom
KINDS: dict[str, type[Spec]] = {"desktop": Desktop, "cluster": Cluster, "classroom": Classroom}
LARGEST_BYTES = 1_000_000


def load(path: Path, *, cloud: str | None = None, region: str | None = None) -> Spec:
    """The spec in a TOML file, for another cloud or AWS region if one is given.

    Raises SpecError with all that is wrong with it, UsageError where it cannot be read.
    """
    text = _read(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(str(path), (_syntax(error),)) from None
    lines = key_lines(text)
    model, problems = _model(raw, lines)
    if model is None:
        raise SpecError(str(path), problems)
    raw = _elsewhere(raw, cloud, region)
    here = surroundings(raw, model, path.absolute().parent)
    try:
        spec = model.model_validate_json(_json(raw, here), strict=True, context=here)
    except ValidationError as error:
        problems = (*problems, *problems_of(error, model, lines))
    else:
        if not problems:
            return spec
    raise SpecError(str(path), tuple(sorted(problems, key=lambda p: (p.line is None, p.line or 0))))


def from_json(text: str, *, cloud: str | None = None, region: str | None = None) -> Spec:
    """The spec that ``to_json`` wrote. Raises RoostError where another roost wrote it."""
    try:
        raw = json.loads(text)
        model = KINDS[raw["kind"]]
        raw = _elsewhere(raw, cloud, region)
        here = replace(surroundings(raw, model, Path(raw.get("folder", "/"))), recorded=True)
        return model.model_validate_json(json.dumps(raw), strict=True, context=here)
    except ValidationError as error:
        what = "; ".join(f"{p.where}: {p.message}" for p in problems_of(error, model, {}))
        raise RoostError(f"the spec kept with the cloud is not one of this roost: {what}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RoostError(f"the spec kept with the cloud cannot be read: {error!r}") from None


def surroundings(raw: Mapping[str, Any], model: type[Spec], folder: Path) -> Surroundings:
    """What single keys are checked against, whatever else is wrong."""
    kind = next(name for name, known in KINDS.items() if known is model)
    cloud = raw.get("cloud", model.model_fields["cloud"].default)
    aws, environment = raw.get("aws"), raw.get("environment")
    region = aws.get("region") if isinstance(aws, Mapping) else None
    project = environment.get("project") if isinstance(environment, Mapping) else None
    return Surroundings(
        folder=folder,
        kind=kind,
        cloud=cloud if isinstance(cloud, str) else "",
        aws="aws" in raw,
        region=region if isinstance(region, str) else None,
        project=folder / Path(project).expanduser() if isinstance(project, str) else None,
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise UsageError(f"{path} is larger than any spec: is it the right file?")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text in UTF-8: is it the right file?") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _syntax(error: tomllib.TOMLDecodeError) -> Problem:
    """tomllib says ``Expected ... (at line 3, column 5)``."""
    message, _, place = str(error).partition(" (at ")
    digits = place.removeprefix("line ").partition(",")[0]
    line = int(digits) if digits.isdigit() else None
    return Problem(where="TOML", message=message[:1].lower() + message[1:], line=line)


def _model(
    raw: Mapping[str, Any], lines: Mapping[Any, int]
) -> tuple[type[Spec] | None, tuple[Problem, ...]]:
    """The model of the file's kind; of the nearest kind where that is misspelt."""
    kind = raw.get("kind")
    allowed = ", ".join(f'"{name}"' for name in KINDS)
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind], _hidden(raw, KINDS[kind], lines)
    if kind is None:
        return None, (Problem(where="kind", message="missing", allowed=allowed),)
    near = get_close_matches(str(kind), KINDS, n=1)
    hint = f'did you mean "{near[0]}"?' if near else None
    line = line_of(("kind",), lines)
    found = json.dumps(kind, default=str)
    problem = Problem("kind", "not one of the choices", line, found, allowed, hint)
    return (KINDS[near[0]] if near else None), (problem,)


def _hidden(
    raw: Mapping[str, Any], model: type[Spec], lines: Mapping[Any, int]
) -> tuple[Problem, ...]:
    """Keys that only a record may have are as unknown as any other."""
    tables = {(): raw, ("environment",): raw.get("environment")}
    return tuple(
        Problem(
            where=".".join((*path, key)),
            message="unknown key",
            line=line_of((*path, key), lines),
            allowed=", ".join(keys_of(model)) if not path else None,
        )
        for path, table in tables.items()
        if isinstance(table, Mapping)
        for key in sorted(HIDDEN & table.keys())
    )


def _elsewhere(raw: dict[str, Any], cloud: str | None, region: str | None) -> dict[str, Any]:
    if cloud is not None:
        raw = {**raw, "cloud": cloud}
    if region is not None:
        aws = raw.get("aws")
        raw = {**raw, "aws": {**(aws if isinstance(aws, dict) else {}), "region": region}}
    return raw


def _json(raw: Mapping[str, Any], here: Surroundings) -> str:
    """As JSON, in which strictness means what a person expects: a list is a list."""
    environment = raw.get("environment")
    if isinstance(environment, dict):
        environment = {k: v for k, v in environment.items() if k not in HIDDEN}
        raw = {**raw, "environment": environment}
    return json.dumps({**raw, "kind": here.kind, "folder": str(here.folder)}, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(type(value).__name__)  # tomllib makes nothing else
