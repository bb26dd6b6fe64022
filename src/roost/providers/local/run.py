"""Run something as a node would: in its environment, on its cluster."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from roost.errors import CloudError, RoostError, command_line
from roost.home import Folder

PATIENCE = 120.0
"""Seconds for a worker to hand over what it holds."""


def node_environment(place: Folder, instance: str) -> dict[str, str]:
    """Return the environment variables of an instance's processes, Dask's address included."""
    from roost.notebook.dask.discovery import find

    boot = _boot(place, instance)
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PYTHON", "VIRTUAL_ENV", "UV_", "CONDA_", "ROOST_"))
    }
    env |= boot["env"]
    env["PATH"] = boot["bin"] + os.pathsep + os.environ.get("PATH", os.defpath)
    return env | find(place.name, place.path.parent.parent).environment()


def run_in(place: Folder, words: list[str]) -> str:
    """Run the cluster's Python with ``words``; return its output. Raises CloudError if it fails."""
    python = f"{_boot(place, 'head')['bin']}/python"
    try:
        done = subprocess.run(
            [python, *words],
            env=node_environment(place, "head"),
            cwd=place.path,  # Python imports from it: nothing of the caller's
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            close_fds=False,  # the program inherits the name's lock: see hold
        )
    except subprocess.TimeoutExpired:
        raise CloudError(f"no answer within {PATIENCE:g} s from {' '.join(words[:2])}") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise CloudError(f"{' '.join(words[:2])}: {last[0]}")
    return done.stdout


def _boot(place: Folder, instance: str) -> dict[str, Any]:
    try:
        boot: dict[str, Any] = json.loads((place.machine(instance) / "boot.json").read_text())
    except OSError:
        raise RoostError(
            f"{place.name} has no {instance}", next=command_line("roost", "up", place.name)
        ) from None
    return boot
