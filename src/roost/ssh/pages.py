"""The page of each kind of machine, and its place. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from roost.model import nodes
from roost.model.record import read_record
from roost.model.resources import Instance, State
from roost.notebook.lab.address import address
from roost.recipes.dask.remote import DASHBOARD_PORT, JUPYTER_PORT, dashboard_file, token_file
from roost.ssh.config import gateway_of, main_machine

PASSWORDS = "/etc/roost/secrets/desktop.json"
"""The file on a desktop's machine with the passwords for people."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a machine: its port on the machine's own loopback, and its path.

    ``token`` is the file there with the secret that the address must hold, if it must;
    ``passwords`` the one with what the page asks for. ``public``: it may be on the internet too.
    """

    port: int
    path: str
    scheme: str = "https"
    token: str | None = None
    passwords: str | None = None
    public: bool = False

    def at(self, host: str, token: str = "") -> str:
        """Return the address to open, on another host and port."""
        if token:
            return address({"url": f"{self.scheme}://{host}/"}, token)
        return f"{self.scheme}://{host}/{self.path}"


SCREENS = {
    # Plain HTTP through the tunnel, which encrypts: a browser trusts its own computer.
    "novnc": Page(6080, "", "http", passwords=PASSWORDS, public=True),
    "dcv": Page(8443, "#roost", passwords=PASSWORDS, public=True),
}


@dataclass(frozen=True, slots=True)
class Login:
    """The login of a page: a password, and on some pages a user's name."""

    password: str
    user: str | None = None

    def lines(self) -> list[str]:
        """Return the lines for people."""
        return [f"user: {self.user}"] * bool(self.user) + [f"password: {self.password}"]

    def to_json(self) -> dict[str, str]:
        """Return the values for programs."""
        return ({"user": self.user} if self.user else {}) | {"password": self.password}


def login_of(passwords: str, *, view: bool = False) -> Login:
    """Return the login in a page's ``passwords``; ``view``: for who may only look on.

    Raises ValueError where that text is something else.
    """
    found = json.loads(passwords)
    kind = "view_" if view else ""
    try:
        return Login(str(found[f"{kind}password"]), found.get(f"{kind}user"))
    except (KeyError, TypeError, AttributeError):
        raise ValueError("no passwords") from None


def page_of(record: str | None) -> Page | None:
    """Return the page of what the record describes: a screen, JupyterLab, Dask, or none."""
    recorded = read_record(record)
    if recorded.kind in ("desktop", "classroom"):
        return SCREENS.get(recorded.protocol)
    if recorded.kind != "cluster" or not recorded.name:
        return None
    if recorded.jupyter:
        return Page(JUPYTER_PORT, "lab", "http", token_file(recorded.name))
    if recorded.scheduler == "dask":
        return Page(DASHBOARD_PORT, "status", "http", dashboard_file(recorded.name))
    return None


def public_address(state: State, machine: Instance | None = None) -> str | None:
    """Return the page's address on the internet, by HTTPS; None where the file opens it to nobody.

    It is that of ``machine``, or of the main one.

    JupyterLab has none: whoever had its token on the way could work as its user.
    """
    page, main = page_of(state.record), machine or main_machine(state)
    if page is None or main is None or main.address is None or not page.public:
        return None
    recorded = read_record(state.record)
    if not recorded.https_open:
        return None
    gate = gateway_of(state)
    if not recorded.makes_gateway:
        return f"https://{_host(main.address)}/{page.path}"
    if gate is None or gate.address is None:
        return None
    # Behind the gateway a seat is a path: one host for a whole class.
    number = nodes.number_of(main.name)
    return f"https://{recorded.host or _host(gate.address)}/{number}/{page.path}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
