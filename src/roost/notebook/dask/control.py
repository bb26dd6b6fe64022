"""The way from a cluster's own processes back to the roost that made it."""

from __future__ import annotations

import json
import os

from roost.home import Folder


def command(place: Folder) -> list[str]:
    """Return the words that call roost; none on rented machines, which hold no keys to a cloud."""
    found = json.loads(place.control.read_text()).get("roost")
    return [str(word) for word in found] if isinstance(found, list) else []


def own_environment(place: Folder) -> dict[str, str]:
    """Return roost's own environment, not that of a notebook or of the cluster."""
    mine = ("PYTHON", "VIRTUAL_ENV", "DASK_", "CONDA_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
    return {**env, "ROOST_HOME": str(place.path.parent.parent)}
