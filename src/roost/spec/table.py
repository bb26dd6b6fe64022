"""The base of every table of the file: strict, frozen, checked against its surroundings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationInfo
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from roost.providers.rules import Rules, Types


UNSAID: Any = None
"""The default of a key for which the file's cloud has one of its own: a validator fills it in."""


class Table(BaseModel):
    """One table of the file. Unknown keys are errors; a number is never read from a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The rest of the file, read leniently, to check single keys against.

    ``rules`` are those of the file's cloud (None: there is no such cloud), ``tables`` the keys that
    the file has. ``types`` are what its machines' types are checked against, in ``region``.
    ``folder`` is where the file is, ``project`` the folder of the environment if it names one.
    ``recorded`` is true for a spec that was checked before and comes back from a cloud: the files
    it speaks of may be on another computer.
    """

    folder: Path
    kind: str
    rules: Rules | None = None
    types: Types | None = None
    tables: frozenset[str] = frozenset()
    region: str | None = None
    project: Path | None = None
    recorded: bool = False


def around(info: ValidationInfo) -> Surroundings | None:
    """Return the surroundings that the loader gave; None where a model is built by hand."""
    found = info.context
    return found if isinstance(found, Surroundings) else None


def wrong(
    message: str, *, allowed: str = "", hint: str = "", at: tuple[str | int, ...] = ()
) -> PydanticCustomError:
    """Return the error of a key, with what is right; ``at`` is its place in a table or list."""
    facts: dict[str, Any] = {"message": message, "allowed": allowed, "hint": hint, "at": at}
    return PydanticCustomError("roost", "{message}", facts)


def choices(
    names: Callable[[], tuple[str, ...]], *, only: bool = True
) -> Callable[[dict[str, Any]], None]:
    """Return, for ``json_schema_extra``, what may stand there; it is asked for with the schema.

    ``only``: nothing else may, on any cloud.
    """

    def extend(schema: dict[str, Any]) -> None:
        schema.update({"enum" if only else "examples": list(names())})
        if schema.get("default", "") is UNSAID:
            del schema["default"]

    return extend


def one_of(found: object, names: tuple[str, ...]) -> str:
    """Return what the file has, which must be one of the names."""
    if not isinstance(found, str) or found not in names:
        hint = did_you_mean(str(found), names)
        raise wrong("not one of the choices", allowed=quoted(names), hint=hint)
    return found


def nearest(found: str, known: Iterable[str]) -> str:
    """Return the nearest known name; empty where none is close."""
    folded = {name.casefold(): name for name in sorted(known)}
    close = get_close_matches(found.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Suggest ``did you mean "m7i.xlarge"?``, or nothing where nothing is close."""
    near = nearest(found, known)
    return f'did you mean "{near}"?' if near else ""


def quoted(names: Iterable[str], between: str = ", ") -> str:
    """Quote names: ``"a", "b"``."""
    return between.join(f'"{name}"' for name in names)


def project_folder(folder: Path, project: str) -> Path:
    """Return the absolute path of the project's folder that the file in ``folder`` names."""
    return Path(os.path.abspath(folder / os.path.expanduser(project)))
