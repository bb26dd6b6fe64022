"""The page of a name: its address, through a tunnel where it needs one, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import connect, resolve
from roost.errors import RoostError, UsageError, command_line
from roost.ssh import browser, pages
from roost.ssh.config import main_machine
from roost.ssh.connection import chosen

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection
    from roost.ssh.pages import Login, Page

NO_VIEW = "only a desktop has a password for looking on"


@dataclass(frozen=True, slots=True)
class Opened:
    """The address of the page for a browser, and the login that the page asks for."""

    name: str
    address: str
    node: str | None = None
    login: Login | None = None


def open_page(session: Session, name: str, node: str | None = None, *, view: bool) -> Opened:
    """Make the page reachable from here; ``view``: with the login of who may only look on.

    It is the main machine's page, or that of ``node``, which must be a desktop then.

    The tunnel, where one is needed, outlives this process. Raises UsageError where there is no
    such page, RoostError where it cannot be reached now.
    """
    cloud = resolve.locate(session, name)
    state = resolve.usable(cloud, name)
    direct = _without_tunnel(session, cloud, state, node, view)
    if direct is not None:
        return direct
    page = _page(state, node, view)
    way = connect.connected(session, cloud, state, node)
    port = _tunnel(way, state, page)
    return _at(way, page, port, view)


@contextmanager
def in_foreground(
    session: Session, name: str, node: str | None = None, *, view: bool
) -> Iterator[tuple[Opened, Callable[[], object] | None]]:
    """Open the page with a tunnel that ends with the block; yield the page, and a wait for its end.

    Raises what ``open_page`` raises.
    """
    from roost.ssh.diagnose import explain
    from roost.ssh.tunnel import in_foreground as tunnel

    cloud = resolve.locate(session, name)
    state = resolve.usable(cloud, name)
    direct = _without_tunnel(session, cloud, state, node, view)
    if direct is not None:
        yield direct, None
        return
    page = _page(state, node, view)
    way = connect.connected(session, cloud, state, node)
    try:
        with tunnel(way, page.port) as (port, process):
            yield _at(way, page, port, view), process.wait
    except RoostError as error:
        raise explain(way, state) or error from None
    finally:
        browser.withdraw(name, node)
    which = f"{state.name}/{node}" if node else state.name
    raise RoostError(f"the tunnel to {which} has ended", next=command_line("roost", "open", which))


def close(name: str, node: str | None = None) -> bool:
    """End the tunnels of a name or of a node, and delete the page that led there; whether one
    was open.
    """
    from roost.ssh import tunnel

    browser.withdraw(name, node)
    return tunnel.close_all(name) if node is None else tunnel.close(name, node)


def _without_tunnel(
    session: Session, cloud: Cloud, state: State, node: str | None, view: bool
) -> Opened | None:
    """Return the page on this machine or on the internet; None where it needs a tunnel."""
    if node is not None:
        chosen(state, node)
    if cloud.can.shell is not None:
        if view:
            raise UsageError(NO_VIEW)
        return Opened(state.name, _local_address(cloud, state))
    page = _page(state, node, view)
    address = browser.address_of(cloud, state, node)
    if address is None:
        return None
    try:
        way = connect.connected(session, cloud, state, node)
        return Opened(state.name, address, node, _login(way, page, view))
    except RoostError as error:  # the page is on the internet: that needs no SSH
        session.say(f"the password is on the machine, and roost cannot read it now: {error.what}")
        return Opened(state.name, address, node)


def _local_address(cloud: Cloud, state: State) -> str:
    address = browser.address_of(cloud, state)
    if address is None:
        raise RoostError(
            f"{state.name} has no page to open now",
            exists=state.conditions,
            next=command_line("roost", "up", state.name),
        )
    return address


def _page(state: State, node: str | None, view: bool) -> Page:
    """Return the page to open. Raises UsageError where the name, or that node, has none."""
    page = pages.page_of(state.record)
    main = main_machine(state)
    if (
        node is not None
        and page is not None
        and page.passwords is None
        and main
        and node != main.name
    ):
        raise UsageError(
            f"the page of {state.name} is on its {main.name}, not on {node}",
            next=command_line("roost", "open", state.name),
        )
    if page is None:
        raise UsageError(
            f"{state.name} has no page to open", next=command_line("roost", "ssh", state.name)
        )
    if view and page.passwords is None:
        raise UsageError(NO_VIEW)
    return page


def _tunnel(way: Connection, state: State, page: Page) -> int:
    """Return the local port of the tunnel to the page."""
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


def _at(way: Connection, page: Page, port: int, view: bool) -> Opened:
    """Return the page at a local port, with the token in its address; neither is stored."""
    from roost.ssh.query import fetched

    token = fetched(way, page.token).strip() if page.token else ""
    address = page.at(f"127.0.0.1:{port}", token)
    node = None if way.node == way.main else way.node.name
    return Opened(way.name, address, node, _login(way, page, view))


def _login(way: Connection, page: Page, view: bool) -> Login | None:
    """Return the login of the page, read from the machine; this computer does not store it."""
    from roost.ssh.query import fetched

    if page.passwords is None:
        return None
    try:
        return pages.login_of(fetched(way, page.passwords, root=True), view=view)
    except ValueError as error:
        raise RoostError(f"{page.passwords} on {way.node.name}: {error}") from None
