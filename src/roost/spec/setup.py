"""The user's own set-up of machines: commands with files, and environment variables."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from roost.spec.table import Table, around, did_you_mean, project_folder, wrong
from roost.spec.values import Span, matching

MOST_STEPS, MOST_FILES, MOST_VARIABLES = 20, 1000, 50
LONGEST_RUN, LONGEST_VALUE = 8000, 1000
LARGEST = 200 * 2**20
"""Bytes of the files of one step: they are read whole at each plan, for their digest."""
TIMEOUT, LONGEST_TIMEOUT = timedelta(hours=1), timedelta(days=1)
OWNED = frozenset(("PATH", "HOME", "USER", "LOGNAME", "SHELL", "MAIL", "LD_PRELOAD", "IFS"))
"""What each login sets by itself, or what would break every program."""


def _variable(found: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", found):
        raise wrong(
            "not a name of a variable", allowed='letters, digits and "_": "OMP_NUM_THREADS"'
        )
    if found in OWNED or found.startswith("ROOST_"):
        raise wrong(f"{found} is the system's, or roost's", allowed="another name")
    return found


Variable = Annotated[str, AfterValidator(_variable)]
Value = Annotated[
    str,
    Field(max_length=LONGEST_VALUE),
    # Refused is what a shell, systemd and PAM read differently: all three read the same file.
    AfterValidator(
        matching(
            r'[^\x00-\x1f\x7f"\\$`#]*',
            "not a value of a variable",
            'a line without ", \\, $, ` and #; nothing in it is replaced',
        )
    ),
]


class Setup(Table):
    """A step of your own, after roost's and before its programs begin to work."""

    run: str = Field(
        min_length=1,
        max_length=LONGEST_RUN,
        description="Lines for bash, in the folder with `files`; the first that fails ends it. "
        "They run again when they or the files have changed.",
        examples=["bash install.sh /opt/tool"],
    )
    files: tuple[Path, ...] = Field(
        (),
        description="Files and folders that come along, relative to this file; all of them may "
        "be run, and everybody on the machine can read them.",
        examples=[["install.sh", "settings"]],
    )
    user: Literal["root", "user"] = Field(
        "root",
        alias="as",
        description="Who runs it: root; or the machine's user, then again on each machine from an "
        "image, which has nobody's home.",
    )
    on: tuple[Literal["head", "workers"], ...] = Field(
        ("head", "workers"), description="On which machines of a cluster."
    )
    timeout: Span | None = Field(
        None, description="It is ended after this long, and has failed; an hour by default."
    )
    kinds: SkipJsonSchema[tuple[Literal["file", "folder"], ...]] = Field((), validate_default=True)
    digest: SkipJsonSchema[str] = Field("", validate_default=True)

    @field_validator("run")
    @classmethod
    def _text(cls, found: str) -> str:
        if "\0" in found or not found.strip():
            raise wrong("not a command")
        return found

    @field_validator("files")
    @classmethod
    def _there(cls, found: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        here = around(info)
        if here is None or here.recorded:
            return found
        paths = [project_folder(here.folder, str(one).replace("\0", "")) for one in found]
        for number, path in enumerate(paths):
            if not os.path.exists(path):
                raise wrong(f"no such file: {path}", hint=_near(path), at=(number,))
            if path.name in {one.name for one in paths[:number]}:
                raise wrong(f"another one is called {path.name}", at=(number,))
        return tuple(paths)

    @field_validator("on")
    @classmethod
    def _of_a_cluster(cls, found: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        here = around(info)
        if here is not None and not here.recorded and here.kind != "cluster":
            raise wrong(f"a {here.kind} has one kind of machine", hint="leave it out")
        if not found:
            raise wrong("on no machine", allowed='["head"], ["workers"], or both')
        return found

    @field_validator("timeout")
    @classmethod
    def _possible(cls, found: timedelta | None) -> timedelta | None:
        if found is not None and not timedelta(seconds=1) <= found <= LONGEST_TIMEOUT:
            raise wrong("not a possible time", allowed='"1s" to "24h"')
        return found

    @field_validator("kinds")
    @classmethod
    def _as_they_are(
        cls, found: tuple[Literal["file", "folder"], ...], info: ValidationInfo
    ) -> tuple[Literal["file", "folder"], ...]:
        here, files = around(info), info.data.get("files", ())
        if here is None or here.recorded:
            if len(found) != len(files):
                raise wrong("not a kind for each file")
            return found
        return tuple("folder" if path.is_dir() else "file" for path in files)

    @field_validator("digest")
    @classmethod
    def _of_the_files(cls, found: str, info: ValidationInfo) -> str:
        """Take the digest of the files as they are read; a record brings its own."""
        here = around(info)
        if here is None or here.recorded or "files" not in info.data:
            return found
        return digest(info.data["files"])

    @property
    def title(self) -> str:
        """The first line that says something, for people."""
        lines = (line.strip() for line in self.run.splitlines())
        first = next((one for one in lines if one and not one.startswith(("#", "set "))), "")
        return first if len(first) <= 40 else f"{first[:39]}…"


def digest(files: tuple[Path, ...]) -> str:
    """Return the SHA-256 of all files with their names; empty without files. Raises for a heap."""
    found, total, count = hashlib.sha256(), 0, 0
    for top in files:
        for path in _below(top):
            try:
                total, count = total + path.stat().st_size, count + 1
                if count > MOST_FILES or total > LARGEST:
                    raise wrong(
                        f"more than {MOST_FILES} files, or than 200 MiB",
                        hint="data comes by pull in [data], or by a command of your own",
                        at=("files",),
                    )
                content = path.read_bytes()
            except OSError as error:
                what = f"{path} cannot be read: {error.strerror}"
                raise wrong(what, at=("files",)) from None
            name = path.relative_to(top.parent).as_posix()
            found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest() if files else ""


def _below(top: Path) -> Iterator[Path]:
    """Yield a file, or the files of a folder in order, as they are found: it may be a heap."""
    if not top.is_dir():
        yield top
        return
    for folder, folders, names in os.walk(top):
        folders.sort()
        yield from (file for file in (Path(folder, one) for one in sorted(names)) if file.is_file())


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except OSError:
        return ""
