"""The one address that a browser needs, and how the browser gets it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from roost.home import write_private
from roost.ssh.config import main_machine
from roost.ssh.pages import public_address
from roost.ssh.paths import make_private, page

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud


def address_of(cloud: Cloud, state: State, node: str | None = None) -> str | None:
    """Return the address of the page, token included; None where there is no page now.

    It is the main machine's, or that of the node that is named.

    Of rented machines, it is the address on the internet, if the file opens one; else `roost open`
    makes a tunnel.
    """
    named = (one for one in state.instances if one.name == node)
    found = main_machine(state) if node is None else next(named, None)
    if found is None or found.state != "running":
        return None
    shell = cloud.can.shell
    return public_address(state, found) if shell is None else shell.page(state.name)


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


def hand_over(name: str, address: str, node: str | None = None) -> str:
    """Return the address for the browser's command line, which every user here can read.

    An address with a token stays in a file that only this user can read; the browser gets that
    file, which leads it to the address. Each call overwrites the name's file.
    """
    if not urlsplit(address).query:
        withdraw(name, node)
        return address
    file = page(name, node)
    make_private(file.parent)
    write_private(file, REDIRECT.format(name=escape(name), address=escape(address)))
    return file.as_uri()


def withdraw(name: str, node: str | None = None) -> None:
    """Delete the file that led a browser to this name, or to this node of it."""
    page(name, node).unlink(missing_ok=True)
