"""``roost open``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import Place, json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.errors import RoostError, UsageError

if TYPE_CHECKING:
    from roost.access.connection import Connection
    from roost.access.pages import Page
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State


@click.command("open")
@name_argument
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option("--foreground", is_flag=True, help="Keep the tunnel in this command; Ctrl-C ends it.")
@click.option("--close", is_flag=True, help="End its tunnel instead.")
@place_options
@json_option
def command(
    name: str, no_browser: bool, foreground: bool, close: bool, place: Place, as_json: bool
) -> None:
    """Open it in the browser, and print the address.

    In a cloud the page is reached through an SSH tunnel, which stays open in the background and
    ends half an hour after it was last used; nothing but SSH is open there. Where the file opens
    HTTPS, the machine's own address is used. The address may hold a secret token: who has it can
    work as you.

    \b
    Examples:
      roost open ndvi
      roost open ndvi --no-browser
      roost open pixinsight --close
    """
    from roost.access.browser import address_of
    from roost.cli.reach import connected
    from roost.cli.target import existing, locate

    if as_json and foreground:
        raise UsageError("--json prints one answer and ends; --foreground stays")
    if close:
        return _close(name, as_json)
    cloud = locate(name, place)
    state = existing(cloud, name)
    address = address_of(state)
    if address is None and cloud.name != "local":
        page = _page(state)
        if foreground:
            return _stay(cloud, state, page, no_browser)
        way = connected(cloud, state, None)
        port = _tunnel(way, state, page)
        address = page.at(f"127.0.0.1:{port}", _token(way, page))
    if address is None:
        raise RoostError(
            f"{name} has no page to open now",
            exists=state.conditions,
            next=f"roost up {name}",
        )
    if as_json:
        write_json({"name": name, "address": address})
    else:
        _show(address, no_browser)


def _show(address: str, no_browser: bool) -> None:
    click.echo(address)
    if no_browser:
        return
    import webbrowser

    if not webbrowser.open(address):
        say("no browser could be started here; paste the address into one")


def _page(state: State) -> Page:
    """The page that there is to see. Raises UsageError where there is none."""
    from roost.access.pages import page_of

    page = page_of(state.record)
    if page is None:
        raise UsageError(f"{state.name} has no page to open", next=f"roost ssh {state.name}")
    return page


def _token(way: Connection, page: Page) -> str:
    """The secret that the page wants in its address, if it does. It is kept nowhere."""
    from roost.access.ask import fetched

    return fetched(way, page.token).strip() if page.token else ""


def _tunnel(way: Connection, state: State, page: Page) -> int:
    from roost.access.trouble import explain
    from roost.access.tunnel import answers, opened

    try:
        port = opened(way, page.port)
    except RoostError as error:
        raise explain(way, state) or error from None
    if not answers(port):
        raise RoostError(
            f"nothing on {way.node.name} serves the page yet (port {page.port} there)",
            exists=state.conditions,
            next=f"roost logs {state.name} --follow   (how far its set-up is)",
        )
    return port


def _stay(cloud: Cloud, state: State, page: Page, no_browser: bool) -> None:
    from roost.access.trouble import explain
    from roost.access.tunnel import in_foreground
    from roost.cli.reach import connected

    way = connected(cloud, state, None)
    try:
        with in_foreground(way, page.port) as (port, process):
            _show(page.at(f"127.0.0.1:{port}", _token(way, page)), no_browser)
            say("the tunnel is open until Ctrl-C")
            process.wait()
    except RoostError as error:
        raise explain(way, state) or error from None
    raise RoostError(f"the tunnel to {state.name} has ended", next=f"roost open {state.name}")


def _close(name: str, as_json: bool) -> None:
    from roost.access.tunnel import close

    if as_json:
        raise UsageError("--close prints nothing; leave --json away")
    say(f"the tunnel to {name} is closed" if close(name) else f"no tunnel to {name} is open")
