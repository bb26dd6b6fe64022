"""The user's own steps, on every kind of machine. Pure.

A step's commands have the digest of its files among their words, so that an image, and a machine
that runs already, know that these have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.base import Context, Recipe, UploadSource
from roost.recipes.step import Command, Step, Upload
from roost.spec.setup import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from roost.model.resources import Role
    from roost.spec import Spec
    from roost.spec.setup import Setup

AT = "/opt/roost/setup"
"""Below it, a folder for each step and each content of its files."""


def steps(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """Return the user's own steps for machines of a role, in the file's order."""
    table = {"head": "head", "worker": "workers"}.get(role)
    return tuple(
        _step(spec, number, wanted, context)
        for number, wanted in enumerate(spec.setup, 1)
        if table is None or table in wanted.on
    )


def uploads(spec: Spec) -> dict[str, UploadSource]:
    """Return the files of all steps, by key."""
    return {
        key: UploadSource(path=path, below=path.name if folder else "")
        for number, wanted in enumerate(spec.setup, 1)
        for key, path, folder in _brought(number, wanted)
    }


RECIPE = Recipe(steps=steps, uploads=uploads)


def _brought(number: int, wanted: Setup) -> Iterator[tuple[str, Path, bool]]:
    """Yield the key of each upload, its path here, and whether it is a folder."""
    for path, kind in zip(wanted.files, wanted.kinds, strict=True):
        yield f"setup-{number}-{path.name}", path, kind == "folder"


def _step(spec: Spec, number: int, wanted: Setup, context: Context) -> Step:
    folder = f"{AT}/{number}-{wanted.digest[:16] or 'none'}"
    brought = tuple(
        Upload(
            key=key,
            sha256=context.uploads[key],
            to=folder if is_folder else f"{folder}/{path.name}",
            unpack=is_folder,
            owner=wanted.user,
        )
        for key, path, is_folder in _brought(number, wanted)
    )
    run = Command(
        argv=("/bin/bash", "-euo", "pipefail", "-c", wanted.run, "setup", folder),
        user=wanted.user,
        env=tuple(spec.env.items()),
        cwd=folder,
        seconds=int((wanted.timeout or TIMEOUT).total_seconds()),
    )
    owner = ("--owner=1000", "--group=1000") if wanted.user == "user" else ()
    made = Command(argv=("install", "--directory", *owner, folder), seconds=60)
    single = [upload.to for upload in brought if not upload.unpack]
    runnable = (Command(argv=("chmod", "0755", *single), seconds=60),) if single else ()
    return Step(
        name=f"setup-{number}",
        title=f"your own set-up: {wanted.title}",
        uploads=brought,
        commands=(made, *runnable, run),
        own=wanted.user == "user",  # no image has its home
    )
