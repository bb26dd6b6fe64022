"""The condition of a machine on the own computer, from its lock and what it wrote down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from roost.model.resources import InstanceState
from roost.providers.local import processes


def condition(path: Path) -> tuple[InstanceState, str]:
    """Return state and note of one machine, from its lock and what it wrote."""
    said = processes.status(path)
    if processes.alive(path) and said is not None:
        states: dict[str, InstanceState] = {
            "setup": "pending",
            "running": "running",
            "failed": "failed",
        }
        return states[said["state"]], said["note"] + _set_up_so_far(path, said)
    if (path / "stopped").exists() or said is None:
        return "stopped", ""
    if said["state"] == "failed":
        return "failed", said["note"]
    return "failed", "it died"


def _set_up_so_far(path: Path, said: dict[str, Any]) -> str:
    """Return the last line of a set-up step that is at work: downloads take a while."""
    if said["state"] != "setup" or said["services"]:
        return ""
    try:
        with (path / "logs" / "setup.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 400))
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({last[:80]})" if last else ""
