"""``roost open``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import RoostError, UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection
    from roost.ssh.pages import Login, Page

NO_VIEW = "only a desktop has a password for looking on"


@click.command("open")
@name_argument
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option("--foreground", is_flag=True, help="Keep the tunnel in this command; Ctrl-C ends it.")
@click.option("--view", is_flag=True, help="The password of a desktop with which one only looks.")
@click.option("--close", is_flag=True, help="End its tunnel instead.")
@place_options
@json_option
def command(
    name: str,
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
    one can look on, and not touch anything.

    \b
    Examples:
      roost open ndvi
      roost open pixinsight --no-browser
      roost open pixinsight --view
      roost open pixinsight --close
    """
    session = open_session(place)
    from roost.app.resolve import existing, locate
    from roost.ssh.browser import address_of

    if as_json and foreground:
        raise UsageError("--json prints one answer and ends; --foreground stays")
    if close:
        return _close(name, as_json)
    cloud = locate(session, name)
    state = existing(cloud, name)
    if cloud.can.shell is not None:
        if view:
            raise UsageError(NO_VIEW)
        return _print(name, _local(state), None, as_json, no_browser)
    page = _page(state, view)
    if foreground and address_of(state) is None:
        return _stay(session, cloud, state, page, view, no_browser)
    address, login = _reached(session, cloud, state, page, view)
    _print(name, address, login, as_json, no_browser)


def _local(state: State) -> str:
    from roost.ssh.browser import address_of

    address = address_of(state)
    if address is None:
        raise RoostError(
            f"{state.name} has no page to open now",
            exists=state.conditions,
            next=command_line("roost", "up", state.name),
        )
    return address


def _reached(
    session: Session, cloud: Cloud, state: State, page: Page, view: bool
) -> tuple[str, Login | None]:
    """The address, with a tunnel where it needs one, and what the page asks for."""
    from roost.app.connect import connected
    from roost.ssh.browser import address_of

    address = address_of(state)
    if address is not None:
        return address, _login_if_possible(session, cloud, state, page, view)
    way = connected(session, cloud, state, None)
    port = _tunnel(way, state, page)
    return page.at(f"127.0.0.1:{port}", _token(way, page)), _login(way, page, view)


def _print(name: str, address: str, login: Login | None, as_json: bool, no_browser: bool) -> None:
    if as_json:
        write_json({"name": name, "address": address, **(login.to_json() if login else {})})
    else:
        _show(name, address, login, no_browser)


def _show(name: str, address: str, login: Login | None, no_browser: bool) -> None:
    click.echo("\n".join([address, *(login.lines() if login else [])]))
    if no_browser:
        return
    import webbrowser

    from roost.ssh.browser import hand_over

    target = hand_over(name, address)
    if not webbrowser.open(target):
        say("no browser could be started here; paste the address into one")
    elif target != address:
        say(f"the browser gets the address from {target}, which only you can read;")
        say("if it may not open that file, paste the address into it")


def _page(state: State, view: bool) -> Page:
    """The page that there is to see. Raises UsageError where there is none."""
    from roost.ssh.pages import page_of

    page = page_of(state.record)
    if page is None:
        raise UsageError(
            f"{state.name} has no page to open", next=command_line("roost", "ssh", state.name)
        )
    if view and page.passwords is None:
        raise UsageError(NO_VIEW)
    return page


def _login(way: Connection, page: Page, view: bool) -> Login | None:
    """What the page asks for, from the machine itself; kept nowhere here."""
    from roost.ssh.pages import login_of
    from roost.ssh.query import fetched

    if page.passwords is None:
        return None
    try:
        return login_of(fetched(way, page.passwords, root=True), view=view)
    except ValueError as error:
        raise RoostError(f"{page.passwords} on {way.node.name}: {error}") from None


def _login_if_possible(
    session: Session, cloud: Cloud, state: State, page: Page, view: bool
) -> Login | None:
    """For a page on the internet: whoever may open it may have no SSH."""
    from roost.app.connect import connected

    try:
        return _login(connected(session, cloud, state, None), page, view)
    except RoostError as error:
        say(f"the password is on the machine, which could not be asked: {error.what}")
        return None


def _token(way: Connection, page: Page) -> str:
    """The secret that the page wants in its address, if it does. It is kept nowhere."""
    from roost.ssh.query import fetched

    return fetched(way, page.token).strip() if page.token else ""


def _tunnel(way: Connection, state: State, page: Page) -> int:
    from roost.ssh.diagnose import explain
    from roost.ssh.tunnel import answers, opened

    try:
        port = opened(way, page.port)
    except RoostError as error:
        raise explain(way, state) or error from None
    if not answers(port):
        raise RoostError(
            f"nothing on {way.node.name} serves the page yet (port {page.port} there)",
            exists=state.conditions,
            next=command_line("roost", "logs", state.name, "--follow")
            + "   (how far its set-up is)",
        )
    return port


def _stay(
    session: Session, cloud: Cloud, state: State, page: Page, view: bool, no_browser: bool
) -> None:
    from roost.app.connect import connected
    from roost.ssh.browser import withdraw
    from roost.ssh.diagnose import explain
    from roost.ssh.tunnel import in_foreground

    way = connected(session, cloud, state, None)
    try:
        with in_foreground(way, page.port) as (port, process):
            address = page.at(f"127.0.0.1:{port}", _token(way, page))
            _show(state.name, address, _login(way, page, view), no_browser)
            say("the tunnel is open until Ctrl-C")
            process.wait()
    except RoostError as error:
        raise explain(way, state) or error from None
    finally:
        withdraw(state.name)
    raise RoostError(
        f"the tunnel to {state.name} has ended", next=command_line("roost", "open", state.name)
    )


def _close(name: str, as_json: bool) -> None:
    from roost.ssh.browser import withdraw
    from roost.ssh.tunnel import close

    if as_json:
        raise UsageError("--close prints nothing; leave --json away")
    withdraw(name)
    say(f"the tunnel to {name} is closed" if close(name) else f"no tunnel to {name} is open")
