"""``roost open``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, node_argument, place_options, split_node
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.app.open import Opened
    from roost.session import Session


@click.command("open")
@node_argument
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option("--foreground", is_flag=True, help="Keep the tunnel in this command; Ctrl-C ends it.")
@click.option("--view", is_flag=True, help="The password of a desktop with which one only looks.")
@click.option("--close", is_flag=True, help="End its tunnel instead.")
@place_options
@json_option
def command(
    which: str,
    no_browser: bool,
    foreground: bool,
    view: bool,
    close: bool,
    place: Place,
    as_json: bool,
) -> None:
    """Open it in the browser, and print the address.

    In a cloud the page is reached through an SSH tunnel, which stays open in the background and
    ends half an hour after it was last used; nothing but SSH is open there. Where the file opens
    HTTPS, the machine's own address is used. The address may hold a secret token: who has it can
    work as you. The browser gets such an address from a file that only you can read. A desktop's
    page asks for a password instead, which is printed below the address; with the one of --view
    one can look on, and not touch anything. NAME/seat-7 is the desktop of that seat of a classroom.

    \b
    Examples:
      roost open ndvi
      roost open pixinsight --no-browser
      roost open pixinsight --view
      roost open training/seat-7
      roost open pixinsight --close
    """
    name, node = split_node(which)
    session = open_session(place)
    from roost.app.open import open_page

    if as_json and foreground:
        raise UsageError("--json prints one answer and ends; --foreground stays")
    if close:
        _close(name, node, as_json)
    elif foreground:
        _stay(session, name, node, view, no_browser)
    else:
        opened = open_page(session, name, node, view=view)
        if as_json:
            login = opened.login.to_json() if opened.login else {}
            write_json({"name": name, **_node(opened), "address": opened.address, **login})
        else:
            _show(opened, no_browser)


def _show(opened: Opened, no_browser: bool) -> None:
    """Print the address and what the page asks for, and hand the address to the browser."""
    login = opened.login.lines() if opened.login else []
    click.echo("\n".join([opened.address, *login]))
    if no_browser:
        return
    import webbrowser

    from roost.ssh.browser import hand_over

    target = hand_over(opened.name, opened.address, opened.node)
    if not webbrowser.open(target):
        say("no browser could be started here; paste the address into one")
    elif target != opened.address:
        say(f"the browser gets the address from {target}, which only you can read;")
        say("if it may not open that file, paste the address into it")


def _node(opened: Opened) -> dict[str, str]:
    return {"node": opened.node} if opened.node else {}


def _stay(session: Session, name: str, node: str | None, view: bool, no_browser: bool) -> None:
    from roost.app.open import in_foreground

    with in_foreground(session, name, node, view=view) as (opened, wait):
        _show(opened, no_browser)
        if wait is not None:
            say("the tunnel is open until Ctrl-C")
            wait()


def _close(name: str, node: str | None, as_json: bool) -> None:
    from roost.app.open import close

    if as_json:
        raise UsageError("--close prints nothing; leave --json away")
    which = f"{name}/{node}" if node else name
    closed = close(name, node)
    say(f"the tunnel to {which} is closed" if closed else f"no tunnel to {which} is open")
