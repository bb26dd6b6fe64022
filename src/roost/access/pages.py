"""Which page a kind of machine has, and where. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from roost.access.ssh_config import main_machine
from roost.plan.resources import State
from roost.recipes.rented_dask import JUPYTER_PORT, token_file
from roost.web.address import address

SCREENS = {"novnc": (443, "vnc.html?resize=remote"), "dcv": (8443, "")}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a machine: its port on the machine's own loopback, and its path.

    ``token`` is the file there with the secret that the address must hold, if it must.
    """

    port: int
    path: str
    scheme: str = "https"
    token: str | None = None

    def at(self, host: str, token: str = "") -> str:
        """The address to open, on another host and port."""
        if token:
            return address({"url": f"{self.scheme}://{host}/"}, token)
        return f"{self.scheme}://{host}/{self.path}"


def page_of(record: str | None) -> Page | None:
    """The page of what the record describes: a screen, JupyterLab, or none."""
    spec = _read(record)
    if spec.get("kind") == "desktop":
        port, path = SCREENS[spec.get("protocol", "novnc")]
        return Page(port, path)
    if spec.get("kind") == "cluster" and spec.get("jupyter", {}).get("enabled", True):
        return Page(JUPYTER_PORT, "lab", "http", token_file(spec["name"]))
    return None


def cloud_of(record: str | None) -> str:
    """The cloud that the record names."""
    return str(_read(record).get("cloud", "local"))


def public_address(state: State) -> str | None:
    """The page's address on the internet; None where the file opens HTTPS to nobody.

    JupyterLab has none: whoever had its token on the way could work as its user.
    """
    page, main = page_of(state.record), main_machine(state)
    if page is None or main is None or main.address is None or page.scheme != "https":
        return None
    if not _read(state.record).get("access", {}).get("https"):
        return None
    host = f"[{main.address}]" if ":" in main.address else main.address
    return f"https://{host}/{page.path}"


def _read(record: str | None) -> dict[str, Any]:
    try:
        found = json.loads(record or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
