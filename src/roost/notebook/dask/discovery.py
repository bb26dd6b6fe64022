"""Find a cluster that runs on this machine, and what it takes to talk to it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roost.errors import NotFoundError, RoostError, command_line
from roost.home import Folder, folder, names

TICK = 0.02


@dataclass(frozen=True, slots=True)
class Attachment:
    """A running scheduler: its address (``tls://127.0.0.1:PORT``), its dashboard's address."""

    place: Folder
    address: str
    dashboard: str | None

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.place.name

    def environment(self) -> dict[str, str]:
        """Return the variables that lead a plain ``distributed.Client()`` to this cluster."""
        return {**tls_variables(self.place), "DASK_SCHEDULER_ADDRESS": self.address}


def tls_variables(place: Folder) -> dict[str, str]:
    """Return Dask's own configuration, as variables: only TLS, with this name's certificate."""
    tls = place.tls
    prefix = "DASK_DISTRIBUTED__COMM__"
    pairs = {
        f"{prefix}{part}": value
        for role in ("SCHEDULER", "WORKER", "CLIENT")
        for part, value in (
            (f"TLS__{role}__CERT", str(tls / "cert.pem")),
            (f"TLS__{role}__KEY", str(tls / "key.pem")),
        )
    }
    return {
        **pairs,
        f"{prefix}TLS__CA_FILE": str(tls / "ca.pem"),
        f"{prefix}REQUIRE_ENCRYPTION": "True",
        f"{prefix}DEFAULT_SCHEME": "tls",
    }


def find(name: str | None = None, home: Path | None = None) -> Attachment:
    """Find the running cluster of that name; by default $ROOST_NAME, or the only one there is.

    Raises NotFoundError where there is no such name, RoostError where it does not run.
    """
    place = folder(name or os.environ.get("ROOST_NAME") or _only(home), home)
    if not place.control.exists():
        there = ", ".join(names(home)) or "none"
        raise NotFoundError(f"no such cluster: {place.name}. There are: {there}")
    said = scheduler(place)
    if said is None:
        raise RoostError(f"{place.name} does not run", next=command_line("roost", "up", place.name))
    return Attachment(place, said["address"], dashboard(said))


def _only(home: Path | None) -> str:
    there = names(home)
    if len(there) == 1:
        return there[0]
    if not there:
        raise NotFoundError("nothing runs on this machine", next="roost up FILE")
    raise NotFoundError(f"which cluster? There are: {', '.join(there)}")


def scheduler(place: Folder) -> dict[str, Any] | None:
    """Read the scheduler's file; return None until it is complete."""
    try:
        said = json.loads(place.scheduler.read_text())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and "address" in said else None


def dashboard(said: dict[str, Any]) -> str | None:
    """Return the dashboard's address (``http://127.0.0.1:PORT``), from the scheduler's file."""
    port = said.get("services", {}).get("dashboard")
    return f"http://127.0.0.1:{port}" if port else None


def page(place: Folder, link: str) -> str:
    """Return the address of a page with the secret that the pages' guard asks for."""
    with suppress(OSError):
        return f"{link}?token={place.dashboard.read_text().strip()}" if link else ""
    return link


def wait_for_scheduler(place: Folder, patience: float) -> dict[str, Any] | None:
    """Wait for the scheduler's file and return it; None after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while (said := scheduler(place)) is None and time.monotonic() < deadline:
        time.sleep(TICK)
    return said
