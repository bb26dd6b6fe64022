"""The passwords of a class's seats, on the gateway's disk, where only root reads them.

A seat that is broken cannot tell its own; a spare that takes its place needs it. They are known by
the ids of machines, and are in no record, no tag, and on no computer of a user.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from roost.app import seats
from roost.app.connect import connected
from roost.errors import RoostError, command_line
from roost.model.record import read_record
from roost.model.resources import GATEWAY
from roost.ssh import query
from roost.ssh.pages import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session

PLACE = "/etc/roost/secrets/seats.json"
READ = f"cat {PLACE} 2>/dev/null || echo '{{}}'"
NEW = f"{PLACE}.new"
WRITE = f"umask 077; cat > {NEW} && {command_line('mv', NEW, PLACE)}"
MOST = 5_000_000


def kept_passwords(session: Session, cloud: Cloud, state: State) -> dict[str, str]:
    """Return what the gateway keeps: each seat's file of passwords, by the machine's id.

    Raises RoostError.
    """
    way = connected(session, cloud, state, GATEWAY)
    text = query.asked(way, ["sudo", "-n", "sh", "-c", READ])[:MOST]
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def keep_passwords(session: Session, cloud: Cloud, state: State, ready: Collection[str]) -> None:
    """Let the gateway keep the passwords of the seats that are ``ready``, and of no others' past.

    What cannot be kept now is said: the next `roost up` tries again.
    """
    recorded = read_record(state.record)
    if recorded.kind != "classroom" or not recorded.makes_gateway or GATEWAY not in ready:
        return
    there = {one.name: one.id for one in state.instances if one.role == "seat"}
    try:
        before = kept_passwords(session, cloud, state)
        new = {
            there[node]: text
            for node, text in seats.on_each(
                session,
                cloud,
                state,
                # A machine that has taken another's place has another password than before.
                [node for node in there if node in ready],
                lambda way: query.fetched(way, PASSWORDS, root=True),
            ).items()
            if isinstance(text, str)
        }
        mine = set(there.values())
        now = {**{k: v for k, v in before.items() if k in mine}, **new}
        if now != before:
            way = connected(session, cloud, state, GATEWAY)
            query.asked(way, ["sudo", "-n", "sh", "-c", WRITE], given=json.dumps(now))
    except RoostError as error:
        session.say(f"note: the gateway does not keep the seats' passwords yet: {error.what}")
