"""The one address that a browser needs, and how the browser gets it."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from roost.home import folder, write_private
from roost.notebook.lab.address import address
from roost.ssh.config import main_machine
from roost.ssh.pages import cloud_of, public_address
from roost.ssh.paths import make_private, page

if TYPE_CHECKING:
    from roost.model.resources import State


def address_of(state: State) -> str | None:
    """The address of what runs, token included; None where there is no page now.

    In a cloud, it is the address on the internet, if the file opens one; else `roost open` makes
    a tunnel.
    """
    main = main_machine(state)
    if main is None or main.state != "running":
        return None
    if cloud_of(state.record) != "local":
        return public_address(state)
    place = folder(state.name)
    try:
        jupyter = json.loads(place.jupyter.read_text())
        token = place.token.read_text().strip()
    except (OSError, ValueError):
        return None
    return address(jupyter, token)


REDIRECT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={address}">
<title>{name}</title>
</head>
<body><p><a href="{address}">Open {name}</a></p></body>
</html>
"""
"""A page that leads to an address; both fields are escaped."""


def hand_over(name: str, address: str) -> str:
    """Return what to put on the browser's command line, which every user of this computer can read.

    An address with a token stays in a file that only this user can read; the browser gets that
    file, which leads it to the address. Each call overwrites the name's file.
    """
    if not urlsplit(address).query:
        withdraw(name)
        return address
    file = page(name)
    make_private(file.parent)
    write_private(file, REDIRECT.format(name=escape(name), address=escape(address)))
    return file.as_uri()


def withdraw(name: str) -> None:
    """Delete the file that led a browser to this name."""
    page(name).unlink(missing_ok=True)
