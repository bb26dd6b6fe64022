"""The cards of a class: what each seat's person must know, read from the machines and kept nowhere.

Passwords are on the seats alone. A card printed again shows the same one; it dies with its machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from roost.app import connect, resolve
from roost.app.given import given
from roost.app.people import people_of
from roost.errors import NotFoundError, PartlyDoneError, RoostError, UsageError, command_line
from roost.model import nodes
from roost.ssh import browser, pages
from roost.ssh.config import user_of

if TYPE_CHECKING:
    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.classroom import Classroom
    from roost.spec.people import Person
    from roost.ssh.connection import Connection
    from roost.ssh.pages import Login

AT_ONCE = 16
MANY = 6
ASK = (
    "cat {passwords}; echo; for one in /etc/roost/secrets/desktop.crt /etc/dcv/dcv.pem; do"
    ' if test -e "$one"; then openssl x509 -in "$one" -noout -fingerprint -sha256; break; fi; done'
)
"""Both at once: what the page asks for, and the fingerprint of its certificate."""
FINGERPRINT = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What one seat's person must know. ``address`` is None where only a tunnel leads there.

    ``link`` is the address with the password behind its #, where the page takes it from there.
    """

    node: str
    number: int
    login: Login
    view: Login
    address: str | None = None
    link: str | None = None
    tunnel: str = ""
    fingerprint: str = ""
    person: Person | None = None
    spare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """All cards of a class, and what they have in common; ``missing`` says why a seat has none."""

    name: str
    cards: tuple[Card, ...]
    begin: datetime | None = None
    end: datetime | None = None
    zone: tzinfo | None = None
    folders: tuple[str, ...] = ()
    missing: dict[str, RoostError] = field(default_factory=dict)

    @property
    def problem(self) -> RoostError | None:
        """The error to end with, or None."""
        if not self.missing:
            return None
        shown = [error.what for error in self.missing.values()]
        more = f"; and {len(shown) - MANY} more" if len(shown) > MANY else ""
        seats = [str(nodes.number_of(node)) for node in self.missing][:MANY]
        return PartlyDoneError(
            f"no card for {'; '.join(shown[:MANY])}{more}",
            next=command_line("roost", "handout", self.name, *seats) + "   (once they run)",
        )


def handout(session: Session, name: str, seats: Sequence[str], begin: str | None) -> Handout:
    """Read the cards of all seats, or of these, from their machines.

    Raises UsageError where it is no class, RoostError where no seat can be read.
    """
    cloud = resolve.locate(session, name)
    spec, state = resolve.recorded(cloud, name)
    if spec.kind != "classroom":
        raise UsageError(
            f"{name} is no class: it has one person", next=command_line("roost", "open", name)
        )
    chosen = _chosen(spec, state, seats)
    zone = _zone(spec)
    start = _begin(begin, zone)
    people = people_of(spec, given(cloud, name), session.say)
    found = _cards(session, cloud, spec, state, chosen)
    cards = tuple(
        _with_person(card, spec, people.at(card.node))
        for card in found.values()
        if isinstance(card, Card)
    )
    missing = {node: one for node, one in found.items() if isinstance(one, RoostError)}
    if not cards:
        raise next(iter(missing.values()))
    _warn(session, spec, cards)
    return Handout(
        name=name,
        cards=cards,
        begin=start,
        end=spec.schedule.end,
        zone=zone,
        folders=tuple(volume.place for volume in spec.volumes if not volume.is_scratch),
        missing=missing,
    )


def _chosen(spec: Classroom, state: State, seats: Iterable[str]) -> list[str]:
    """Return the machines of the named seats; of all but spares, where none is named."""
    every = [f"seat-{number}" for number in range(1, spec.machines + 1)]
    named = [one if one.startswith("seat-") else f"seat-{one}" for one in seats]
    if unknown := [one for one in named if one not in every]:
        raise NotFoundError(
            f"{state.name} has no {', '.join(unknown)}: its seats are 1 to {spec.machines}",
            next=command_line("roost", "show", state.name),
        )
    return list(dict.fromkeys(named)) or every


def _zone(spec: Classroom) -> tzinfo | None:
    """Return the class's own time zone; this computer's, where it has none."""
    from zoneinfo import ZoneInfo

    if spec.timezone is not None:
        return ZoneInfo(spec.timezone)
    return datetime.now().astimezone().tzinfo


def _begin(text: str | None, zone: tzinfo | None) -> datetime | None:
    """Read when it begins; without a zone, in the class's own. Raises UsageError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f'"{text[:40]}" is no time', next='--begin "2027-03-11 09:00"') from None
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _cards(
    session: Session, cloud: Cloud, spec: Classroom, state: State, chosen: list[str]
) -> dict[str, Card | RoostError]:
    """Ask all machines at once; return each one's card, or why it has none."""
    found: dict[str, Card | RoostError] = {}
    ways: dict[str, Connection] = {}
    for node in chosen:
        try:
            ways[node] = connect.connected(session, cloud, state, node)
        except RoostError as error:
            found[node] = error
    page = pages.page_of(state.record)
    assert page is not None
    assert page.passwords is not None

    def ask(node: str) -> Card | RoostError:
        try:
            return _card(cloud, spec, state, ways[node], str(page.passwords))
        except RoostError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found |= dict(zip(ways, pool.map(ask, ways), strict=True))
    return {node: found[node] for node in chosen}


def _card(cloud: Cloud, spec: Classroom, state: State, way: Connection, passwords: str) -> Card:
    from roost.ssh.query import asked

    node = way.node
    said = asked(way, ["sudo", "-n", "sh", "-c", ASK.format(passwords=passwords)])
    text, _, rest = said.partition("\n\n") if "\n\n" in said else (said, "", "")
    try:
        login, view = pages.login_of(text), pages.login_of(text, view=True)
    except (ValueError, json.JSONDecodeError):
        raise RoostError(
            f"{node.name}: its desktop has no password yet",
            next=command_line("roost", "logs", f"{state.name}/{node.name}", "--follow"),
        ) from None
    address = browser.address_of(cloud, state, node.name)
    fragment = spec.protocol == "novnc"
    found = FINGERPRINT.search(rest)
    return Card(
        node=node.name,
        number=nodes.number_of(node.name),
        login=login,
        view=view,
        address=address,
        link=f"{address}#{login.password}" if address and fragment else address,
        tunnel="" if address else _tunnel(state, node),
        fingerprint=found[0] if found else "",
    )


def _tunnel(state: State, node: Instance) -> str:
    """Return the command that leads whoever has a key on the seat to its page."""
    page = pages.page_of(state.record)
    port = page.port if page is not None else 0
    to = f"{user_of(state.record, node.role)}@{node.address}"
    return command_line("ssh", "-N", "-L", f"{port}:127.0.0.1:{port}", to)


def _with_person(card: Card, spec: Classroom, person: Person | None) -> Card:
    from dataclasses import replace

    return replace(card, person=person, spare=card.number > spec.seats)


def _warn(session: Session, spec: Classroom, cards: tuple[Card, ...]) -> None:
    """Say what makes cards of no use: addresses that change, or that lead nobody there."""
    if any(card.address is None for card in cards):
        session.say(
            "note: the file opens the page to nobody (https in [access]), so a card has no address:"
            " only who has a key on the seat gets there, by the ssh command on it"
        )
    elif spec.access.address == "changing":
        session.say(
            "note: these addresses change when a seat is stopped and started; print again then,"
            ' or: address = "fixed" in [access]'
        )
