"""The environment of a cluster that a program makes: that of the project, or the program's own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from roost.errors import RoostError, command_line
from roost.home import home

LEFT_OUT = ("pip", "roost")
"""What a cluster needs none of, or brings itself."""
LOCK, PROJECT = "uv.lock", "pyproject.toml"


def environment_of(folder: Path, project: str | Path | None) -> dict[str, Any]:
    """Return the file's table of the environment.

    It is the project that was named, or the one in the program's folder; else the packages that the
    program itself runs with, locked once.
    """
    if project is None and not all((folder / name).is_file() for name in (PROJECT, LOCK)):
        return {"lock": str(locked(home(), pins_of(distributions())))}
    return {"project": str(project or ".")}


def pins_of(found: Any) -> tuple[str, ...]:
    """Return ``name==version`` of what is installed, sorted.

    Raises RoostError for a package that is in a folder of this computer, which no index has.
    """
    pins: dict[str, str] = {}
    for one in found:
        name = one.metadata["Name"]
        if name and name.lower() not in LEFT_OUT:
            pins.setdefault(name.lower(), f"{name}=={one.version}{_refuse_local(one, name)}")
    return tuple(pins[name] for name in sorted(pins))


def _refuse_local(one: Distribution, name: str) -> str:
    origin = json.loads(one.read_text("direct_url.json") or "{}")
    if str(origin.get("url", "")).startswith("file:"):
        raise RoostError(
            f"{name} is installed from a folder of this computer, and a cluster's machines have"
            " none of it",
            next="a project with a uv.lock that names it (`uv add`), and its folder as project=",
        )
    return ""


def project_of(pins: tuple[str, ...]) -> str:
    """Return the pyproject.toml of these packages, and no others, for this Python."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = [pin.partition("==")[0] for pin in pins]
    return (
        f'[project]\nname = "running"\nversion = "0"\nrequires-python = "=={version}.*"\n'
        f"dependencies = {json.dumps(names, indent=1)}\n\n"
        # Exactly these, also where what is installed does not agree with itself.
        f"[tool.uv]\noverride-dependencies = {json.dumps(pins, indent=1)}\n"
    )


def locked(at: Path, pins: tuple[str, ...]) -> Path:
    """Return a folder with the lock of these packages; made once for the same ones."""
    from roost.recipes.dask.environment import find_uv

    text = project_of(pins)
    folder = at / "locks" / hashlib.sha256(text.encode()).hexdigest()[:16]
    if (folder / LOCK).is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROJECT).write_text(text)
    line = [find_uv(), "lock", "--quiet", "--project", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1].strip()
        raise RoostError(
            f"the packages that this program runs with cannot be locked: {last}",
            next=f"`{command_line(*line)}` says more; or a project with a uv.lock: project=",
        )
    return folder
