"""The software of a cluster: a locked Python environment, system packages, languages."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from roost.errors import command_line
from roost.spec.table import Table, around, project_folder, wrong
from roost.spec.values import Package

BUILT_IN = Path(__file__).parent / "environments" / "dask"
"""The environment of a Dask cluster whose file names no project."""
LOCK, PROJECT = "uv.lock", "pyproject.toml"


class Environment(Table):
    """Every node and every notebook runs exactly what the lock says."""

    project: Path | None = Field(
        None,
        description="A folder with pyproject.toml and uv.lock, relative to this file; "
        "notebooks are there too. Without it: a built-in Dask and JupyterLab environment.",
    )
    lock: Path | None = Field(
        None,
        exclude_if=lambda found: found is None,  # records of before have no such key
        description="A folder with pyproject.toml and uv.lock that say the software, and are not "
        "beside the notebooks; instead of `project`.",
    )
    secrets: tuple[str, ...] = Field(
        (),
        exclude_if=lambda found: not found,  # records of before have no such key
        description="Files and folders of the project that go to the machines though they look like"
        " secrets (.env, keys, .aws); others of that kind are left out, and named.",
        examples=[[".env"]],
    )
    python: str | None = Field(
        None, description="The Python version; the project's own choice otherwise."
    )
    apt: tuple[Package, ...] = Field((), description="System packages (not on your own machine).")
    languages: tuple[Literal["python", "r", "julia", "c", "c++", "fortran"], ...] = Field(
        (), description="Compilers and languages for a general-purpose cluster."
    )
    digest: SkipJsonSchema[str] = Field("", validate_default=True)

    @property
    def locked(self) -> Path:
        """The folder with the lock."""
        return self.lock or self.project or BUILT_IN

    @field_validator("project", "lock")
    @classmethod
    def _whole(cls, found: Path | None, info: ValidationInfo) -> Path | None:
        here = around(info)
        if found is None or here is None or here.recorded:
            return found
        folder = project_folder(here.folder, str(found))
        check_project(folder)
        if info.field_name == "lock" and info.data.get("project") is not None:
            raise wrong("`project` brings a lock of its own", hint="keep one of the two")
        return folder

    @field_validator("python")
    @classmethod
    def _version(cls, found: str | None, info: ValidationInfo) -> str | None:
        if found is not None and not re.fullmatch(r"3\.\d{1,2}(\.\d{1,2})?", found):
            raise wrong("not a version of Python", allowed='"3.12" or "3.12.7"')
        here = around(info)
        if found is not None and here is not None and not here.recorded:
            _check_python(found, info.data.get("lock") or info.data.get("project") or BUILT_IN)
        return found

    @field_validator("digest")
    @classmethod
    def _of_the_lock(cls, found: str, info: ValidationInfo) -> str:
        """Take the digest of the lock as it was read; a record brings its own."""
        locked = info.data.get("lock") or info.data.get("project") or BUILT_IN
        return found or digest(locked, info.data.get("python"))


def check_project(folder: Path) -> None:
    """Check that both files exist and can be read."""
    if not os.path.isdir(folder):
        raise wrong(f"no such folder: {folder}")
    for name in (PROJECT, LOCK):
        file = folder / name
        try:
            tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            words = ("lock", "--project") if name == LOCK else ("init", "--bare")
            hint = f"`{command_line('uv', *words, folder)}` writes it"
            raise wrong(f"{folder} has no {name}", hint=hint) from None
        except (OSError, ValueError, RecursionError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            if isinstance(error, UnicodeDecodeError):
                said = "it is not a text in UTF-8"
            again = (
                f"delete it, and `{command_line('uv', 'lock', '--project', folder)}` makes it anew"
            )
            raise wrong(
                f"{file} cannot be read: {said}", hint=again if name == LOCK else ""
            ) from None


def _check_python(version: str, folder: Path) -> None:
    """Refuse a Python that the lock is not for: each machine would find that by itself."""
    try:
        wanted = tomllib.loads((folder / LOCK).read_text(encoding="utf-8")).get("requires-python")
    except (OSError, ValueError, RecursionError):
        return  # what is wrong with the lock is said of the project
    if isinstance(wanted, str) and not fits(version, wanted):
        what = f"the lock in {folder} is for Python {wanted}"
        hint = f"`{command_line('uv', 'lock', '--project', folder)}` makes it for another one"
        raise wrong(what, hint=f"leave it out, or change requires-python: then {hint}")


CLAUSE = re.compile(r"\s*(>=|>|<=|<|==|~=)\s*(\d+(?:\.\d+)*)(\.\*)?\s*")


def fits(version: str, wanted: str) -> bool:
    """Tell whether ``3.12`` or ``3.12.7`` can fit ``>=3.11, <3.14``; what it cannot read fits."""
    clauses = (CLAUSE.fullmatch(clause) for clause in wanted.split(","))
    mine = [int(part) for part in version.split(".")]
    return not any(found and _excludes(mine, found) for found in clauses)


def _excludes(mine: list[int], clause: re.Match[str]) -> bool:
    """Tell whether no Python of this version is allowed: ``3.12`` stands for all of 3.12."""
    said = [int(part) for part in clause[2].split(".")]
    short = min(len(mine), len(said))
    ours, theirs = mine[:short], said[:short]
    below, above = ours < theirs, ours > theirs
    same_or_more = above or (ours == theirs and len(said) <= len(mine) and not clause[3])
    return {
        ">=": below,
        ">": below,
        "<=": above,
        "<": same_or_more,
        "==": below or above,
        "~=": below or ours[: len(said) - 1] != theirs[: len(said) - 1],
    }[clause[1]]


def digest(folder: Path, python: str | None) -> str:
    """Return the SHA-256 over all that decides what is installed; empty without files."""
    found = hashlib.sha256((python or "").encode())
    for name in (PROJECT, LOCK):
        try:
            content = (folder / name).read_bytes()
        except OSError:
            return ""
        found.update(b"\0" + content)
    return found.hexdigest()
