"""A file to send with a bug report: the state of one name, without secrets."""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from roost import __version__
from roost.errors import RoostError
from roost.log import redacted

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session

LINES = 400
"""The lines of each machine's log."""
PACKAGES = ("boto3", "botocore", "awscrt", "click", "pydantic", "distributed", "uv")
SAFE_VARIABLES = ("LANG", "TERM", "SHELL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE")
"""Variables whose values help and are no secret; of others the report has only the names."""


def bundle(session: Session, name: str, file: Path) -> tuple[str, ...]:
    """Write what is known of ``name`` to a new archive ``file``; the names of its parts.

    What cannot be read is in it as the error that kept it away. Raises NotFoundError where nothing
    is there of that name, RoostError where ``file`` is there already.
    """
    from roost.app.resolve import existing, locate

    cloud = locate(session, name)
    state = existing(cloud, name)
    known = tuple(_secrets(name))
    parts = {
        "computer.json": _computer(cloud),
        "state.json": json.dumps(asdict(state), indent=1, default=str),
        "plan.txt": _told(partial(_plan, state)),
        **_logs(cloud, state),
    }
    parts = {part: redacted(text, known) for part, text in parts.items()}
    _write(file, name, parts)
    return tuple(parts)


def _computer(cloud: Cloud) -> str:
    """Return versions, the system, and the names of what the environment sets."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    named = ("ROOST_", "AWS_", "OS_", "UV_", "SSH_", "HTTP", "NO_PROXY", "DASK_")
    set_here = sorted(key for key in os.environ if key.startswith(named))
    facts = {
        "roost": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "packages": versions,
        "cloud": cloud.name,
        "region": cloud.region,
        "environment": {key: os.environ.get(key, "") for key in SAFE_VARIABLES},
        "also set": set_here,
    }
    return json.dumps(facts, indent=1)


def _plan(state: State) -> str:
    """Return what `roost up` would do now, as its record says."""
    from roost.app.resolve import wanted_for
    from roost.model.steps import explain
    from roost.plan.up import plan_up
    from roost.spec import from_json

    if state.record is None:
        return "there is no record"
    plan = plan_up(wanted_for(from_json(state.record)), state)
    lines = [explain(step) for step in plan.steps] or ["nothing is left to do"]
    return "\n".join([*lines, *(f"note: {note}" for note in plan.notes)])


def _logs(cloud: Cloud, state: State) -> Mapping[str, str]:
    """Return the end of each machine's log, by file name."""
    return {
        f"logs/{i.name}.txt": _told(partial(cloud.logs, state.name, i.name, LINES))
        for i in state.instances
    }


def _told(read: Callable[[], str]) -> str:
    """Return what ``read()`` gives, or the error that it ends with."""
    try:
        return read()
    except RoostError as error:
        return f"error: {error.what}"


def _secrets(name: str) -> Iterator[str]:
    """Yield the secrets that this computer knows, so that they are removed wherever they stand."""
    from roost.home import folder

    place = folder(name)
    for path in (place.token, place.dashboard, *sorted(place.path.glob("tls/*key*"))):
        try:
            yield path.read_text().strip()
        except (OSError, ValueError):
            continue
    for key, value in os.environ.items():
        if any(word in key.upper() for word in ("SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY")):
            yield value


def _write(file: Path, name: str, parts: Mapping[str, str]) -> None:
    """Write the archive; only its owner may read it, and nothing is written over."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise RoostError(f"{file} is there already", next="--output ANOTHER-FILE") from None
    with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for part, text in parts.items():
            content = text.encode()
            info = tarfile.TarInfo(f"roost-{name}/{part}")
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
