"""The page of a name: its address, through a tunnel where it needs one, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import connect, resolve
from roost.errors import RoostError, UsageError, command_line
from roost.ssh import browser, pages

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
    login: Login | None = None


def open_page(session: Session, name: str, *, view: bool) -> Opened:
    """Make the page reachable from here; ``view``: with the login of who may only look on.

    The tunnel, where one is needed, outlives this process. Raises UsageError where there is no
    such page, RoostError where it cannot be reached now.
    """
    cloud = resolve.locate(session, name)
    state = resolve.usable(cloud, name)
    direct = _without_tunnel(session, cloud, state, view)
    if direct is not None:
        return direct
    page = _page(state, view)
    way = connect.connected(session, cloud, state, None)
    port = _tunnel(way, state, page)
    return _at(way, page, port, view)


@contextmanager
def in_foreground(
    session: Session, name: str, *, view: bool
) -> Iterator[tuple[Opened, Callable[[], object] | None]]:
    """Open the page with a tunnel that ends with the block; yield the page, and a wait for its end.

    Raises what ``open_page`` raises.
    """
    from roost.ssh.diagnose import explain
    from roost.ssh.tunnel import in_foreground as tunnel

    cloud = resolve.locate(session, name)
    state = resolve.usable(cloud, name)
    direct = _without_tunnel(session, cloud, state, view)
    if direct is not None:
        yield direct, None
        return
    page = _page(state, view)
    way = connect.connected(session, cloud, state, None)
    try:
        with tunnel(way, page.port) as (port, process):
            yield _at(way, page, port, view), process.wait
    except RoostError as error:
        raise explain(way, state) or error from None
    finally:
        browser.withdraw(name)
    raise RoostError(
        f"the tunnel to {state.name} has ended", next=command_line("roost", "open", state.name)
    )


def close(name: str) -> bool:
    """End the tunnel of a name, and delete the page that led to it; whether one was open."""
    from roost.ssh.tunnel import close as close_tunnel

    browser.withdraw(name)
    return close_tunnel(name)


def _without_tunnel(session: Session, cloud: Cloud, state: State, view: bool) -> Opened | None:
    """Return the page on this machine or on the internet; None where it needs a tunnel."""
    if cloud.can.shell is not None:
        if view:
            raise UsageError(NO_VIEW)
        return Opened(state.name, _local_address(cloud, state))
    page = _page(state, view)
    address = browser.address_of(cloud, state)
    if address is None:
        return None
    return Opened(state.name, address, _login_if_possible(session, cloud, state, page, view))


def _local_address(cloud: Cloud, state: State) -> str:
    address = browser.address_of(cloud, state)
    if address is None:
        raise RoostError(
            f"{state.name} has no page to open now",
            exists=state.conditions,
            next=command_line("roost", "up", state.name),
        )
    return address


def _page(state: State, view: bool) -> Page:
    """Return the page to open. Raises UsageError where the name has none."""
    page = pages.page_of(state.record)
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
    return Opened(way.name, page.at(f"127.0.0.1:{port}", token), _login(way, page, view))


def _login(way: Connection, page: Page, view: bool) -> Login | None:
    """Return the login of the page, read from the machine; this computer does not store it."""
    from roost.ssh.query import fetched

    if page.passwords is None:
        return None
    try:
        return pages.login_of(fetched(way, page.passwords, root=True), view=view)
    except ValueError as error:
        raise RoostError(f"{page.passwords} on {way.node.name}: {error}") from None


def _login_if_possible(
    session: Session, cloud: Cloud, state: State, page: Page, view: bool
) -> Login | None:
    """Return the login of a page on the internet; None where this computer has no SSH to it."""
    try:
        return _login(connect.connected(session, cloud, state, None), page, view)
    except RoostError as error:
        session.say(f"the password is on the machine, and roost cannot read it now: {error.what}")
        return None
