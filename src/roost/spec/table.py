"""What every table of the file is built on: strict, frozen, checked against its surroundings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo
from pydantic_core import PydanticCustomError


class Table(BaseModel):
    """One table of the file. Unknown keys are errors; a number is never read from a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a single key must be checked against: the rest of the file, read leniently.

    ``folder`` is where the file is, ``project`` the folder of the environment if it names one.
    ``recorded`` is true for a spec that was checked before and comes back from a cloud: the files
    it speaks of may be on another computer.
    """

    folder: Path
    kind: str
    cloud: str
    aws: bool = False
    region: str | None = None
    project: Path | None = None
    recorded: bool = False

    @property
    def types_are_aws(self) -> bool:
        """Whether ``type`` names an EC2 instance type."""
        return self.cloud == "aws" or (self.cloud == "local" and self.aws)


def around(info: ValidationInfo) -> Surroundings | None:
    """The surroundings that the loader gave; None where a model is built by hand."""
    found = info.context
    return found if isinstance(found, Surroundings) else None


def wrong(
    message: str, *, allowed: str = "", hint: str = "", at: tuple[str | int, ...] = ()
) -> PydanticCustomError:
    """An error of a key, with what would be right; ``at`` is where in a table or list it is."""
    facts: dict[str, Any] = {"message": message, "allowed": allowed, "hint": hint, "at": at}
    return PydanticCustomError("roost", "{message}", facts)


def nearest(found: str, known: Iterable[str]) -> str:
    """The name that was probably meant; empty where none is close."""
    folded = {name.casefold(): name for name in sorted(known)}
    close = get_close_matches(found.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """``did you mean "m7i.xlarge"?``, or nothing where nothing is close."""
    near = nearest(found, known)
    return f'did you mean "{near}"?' if near else ""


def project_folder(folder: Path, project: str) -> Path:
    """The project's folder as the file in ``folder`` names it, from the root."""
    return Path(os.path.abspath(folder / os.path.expanduser(project)))
