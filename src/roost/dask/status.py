"""Who has joined: one question to the scheduler, with the standard library alone."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from roost.dask.attach import dashboard, scheduler
from roost.home import Folder

PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Members:
    """The names of the workers that the scheduler knows, with their threads."""

    workers: dict[str, int]


def members(path: Path) -> Members | None:
    """Who has joined the cluster in folder ``path``; None where no scheduler answers."""
    said = scheduler(Folder(path))
    address = dashboard(said) if said else None
    if address is None:
        return None
    try:
        # Loopback: no proxy of the user's has anything to do with it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}/json/identity.json", timeout=PATIENCE) as answer:
            identity = json.load(answer)
    except (OSError, ValueError):
        return None
    workers = identity.get("workers", {}).values()
    return Members({str(w["name"]): int(w["nthreads"]) for w in workers})
