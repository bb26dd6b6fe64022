"""The cards of a class: what each seat's person must know, read from the machines and kept nowhere.

Passwords are on the seats alone. A card printed again shows the same one; it dies with its machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from roost.app.given import given
from roost.app.people import people_of
from roost.app.seats import chosen, class_of, failed, on_each, problem_of
from roost.errors import RoostError, UsageError, command_line
from roost.model import nodes
from roost.model.resources import GATEWAY
from roost.recipes.gateway import CERTIFICATE
from roost.ssh import browser, pages
from roost.ssh.config import user_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.classroom import Classroom
    from roost.spec.people import Person
    from roost.ssh.connection import Connection
    from roost.ssh.pages import Login

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
    """All cards of a class, and what they have in common; ``missing`` are the seats without one,
    and ``problem`` says why."""

    name: str
    cards: tuple[Card, ...]
    begin: datetime | None = None
    end: datetime | None = None
    zone: tzinfo | None = None
    folders: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    problem: RoostError | None = None


def handout(session: Session, name: str, seats: Sequence[str], begin: str | None) -> Handout:
    """Read the cards of all seats, or of these, from their machines.

    Raises UsageError where it is no class, RoostError where no seat can be read.
    """
    instead = command_line("roost", "open", name)
    cloud, spec, state = class_of(session, name, instead)
    named = chosen(spec, seats)
    zone = _zone(spec)
    start = _begin(begin, zone)
    people = people_of(spec, given(cloud, name), session.say)
    page = pages.page_of(state.record)
    assert page is not None
    gate = _of_gateway(session, cloud, spec, state)
    found = on_each(
        session,
        cloud,
        state,
        named,
        lambda way: _card(cloud, spec, state, way, str(page.passwords), gate),
    )
    cards = tuple(
        _with_person(card, spec, people.at(card.node))
        for card in found.values()
        if isinstance(card, Card)
    )
    problem = problem_of(
        found,
        lambda numbers: command_line("roost", "handout", name, *numbers) + "   (once they run)",
    )
    if not cards and problem is not None:
        raise problem
    _warn(session, spec, cards)
    return Handout(
        name=name,
        cards=cards,
        begin=start,
        end=spec.schedule.end,
        zone=zone,
        folders=tuple(volume.place for volume in spec.volumes if not volume.is_scratch),
        missing=tuple(failed(found)),
        problem=problem,
    )


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


def _card(
    cloud: Cloud,
    spec: Classroom,
    state: State,
    way: Connection,
    passwords: str,
    gate: str | None,
) -> Card:
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
    # Behind a gateway a browser never sees the seat's own certificate.
    found = FINGERPRINT.search(rest) if gate is None else None
    return Card(
        node=node.name,
        number=nodes.number_of(node.name),
        login=login,
        view=view,
        address=address,
        link=f"{address}#{login.password}" if address and fragment else address,
        tunnel="" if address else _tunnel(state, node),
        fingerprint=found[0] if found else gate or "",
    )


def _of_gateway(session: Session, cloud: Cloud, spec: Classroom, state: State) -> str | None:
    """Return the fingerprint of the gateway's certificate; "" where browsers know the certificate.

    None where no page is behind a gateway.
    """
    from roost.app.connect import connected
    from roost.ssh.query import asked

    if not spec.access.makes_gateway or not spec.access.https:
        return None
    if spec.access.host is not None:
        return ""
    way = connected(session, cloud, state, GATEWAY)
    words = ["sudo", "-n", "openssl", "x509", "-noout", "-fingerprint", "-sha256"]
    found = FINGERPRINT.search(asked(way, [*words, "-in", CERTIFICATE]))
    return found[0] if found else ""


def _tunnel(state: State, node: Instance) -> str:
    """Return the command that leads whoever has a key on the seat to its page."""
    page = pages.page_of(state.record)
    port = page.port if page is not None else 0
    to = f"{user_of(state.record, node.role)}@{node.address}"
    return command_line("ssh", "-N", "-L", f"{port}:127.0.0.1:{port}", to)


def _with_person(card: Card, spec: Classroom, person: Person | None) -> Card:
    return replace(card, person=person, spare=card.number > spec.seats)


def _warn(session: Session, spec: Classroom, cards: tuple[Card, ...]) -> None:
    """Say what makes cards of no use: addresses that change, or that lead nobody there."""
    if any(card.address is None for card in cards):
        session.say(
            "note: the file opens the page to nobody (https in [access]), so a card has no address:"
            " only who has a key on the seat gets there, by the ssh command on it"
        )
    elif spec.access.address == "changing" and not spec.access.makes_gateway:
        session.say(
            "note: these addresses change when a seat is stopped and started; print again then,"
            ' or: address = "fixed" in [access]'
        )
