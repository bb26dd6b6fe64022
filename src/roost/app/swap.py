"""A spare in the place of a seat that is broken: the same address, name and password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.app.kept import Kept, keep, kept_of
from roost.app.passwords import kept_passwords
from roost.app.reset import SECRETS, refuse_copies, secrets_of
from roost.errors import NeedsConfirmationError, RoostError, UsageError, command_line
from roost.model import nodes
from roost.plan.swap import plan_swap, spare_of

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.classroom import Classroom


def swap(session: Session, name: str, node: str, *, new_password: bool) -> Running:
    """Let a spare take the place of a seat, whose machine is kept under the spare's name.

    Nothing is stopped or deleted. The spare gets the seat's password from the gateway, which keeps
    it. A swap that was killed goes on. Raises NeedsConfirmationError, RoostError.
    """
    from roost.app.lifecycle import drive, running, running_count
    from roost.app.provisioning import settle
    from roost.app.resolve import held, locate, spec_in, wanted_for

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        if spec.kind != "classroom" or not spec.access.makes_gateway or not cloud.can.swaps:
            raise UsageError(
                f"{name} is no class behind a gateway of its own on AWS: no address leads to a"
                " spare there",
                next=command_line("roost", "reset", f"{name}/{node}"),
            )
        kept = kept_of(name, node)
        if kept is not None and not kept.spare:
            raise RoostError(
                f"{name}/{node} is being made anew",
                exists=have.conditions,
                next=command_line("roost", "reset", f"{name}/{node}"),
            )
        if kept is None:
            kept = _begin(session, cloud, spec, have, node, new_password)
        else:
            session.say(f"going on with {name}/{node}, whose place a spare was to take")
        going = kept
        state = drive(
            session,
            cloud,
            name,
            lambda now, _: plan_swap(now, node, going.instance, going.spare),
            title=f"swap {name}/{node}",
            total=running_count(have),
        )
        limits = settle(session, cloud, state, fresh=False, only=frozenset({node}))
        _say_where(session, state, going.instance)
        return running(cloud, wanted_for(spec), state, limits)


def _begin(
    session: Session,
    cloud: Cloud,
    spec: Classroom,
    have: State,
    node: str,
    new_password: bool,
) -> Kept:
    """Find the spare, ask, and keep here what it gets; only then a name changes."""
    from roost.ssh.connection import chosen

    seat = chosen(have, node)
    if nodes.number_of(seat.name) > spec.seats:
        raise UsageError(
            f"{node} is a spare: nobody sits there",
            next=command_line("roost", "reset", f"{have.name}/{node}"),
        )
    spare = spare_of(have, spec.seats)
    if spare is None:
        raise RoostError(
            f"{have.name} has no spare that runs and was not set aside",
            exists=have.conditions,
            next=command_line("roost", "reset", f"{have.name}/{node}"),
        )
    for one in (seat, spare):
        volumes = tuple(v.name for v in have.volumes if v.holder == one.name)
        refuse_copies(have, one, volumes)
    secrets = {} if new_password else _password(session, cloud, have, seat)
    _agree(session, have, seat, spare)
    kept = Kept(instance=seat.id, volumes=(), secrets=secrets, spare=spare.id)
    keep(have.name, seat.name, kept)
    return kept


def _password(session: Session, cloud: Cloud, have: State, seat: Instance) -> dict[str, str]:
    """Return the seat's password from the gateway, or from itself where that has none of it."""
    try:
        found = kept_passwords(session, cloud, have).get(seat.id)
    except RoostError as error:
        session.say(f"note: {error.what}")
        found = None
    if found is not None:
        return {SECRETS[0]: found}
    own = secrets_of(session, cloud, have, seat, "swap")
    return {SECRETS[0]: own[SECRETS[0]]}


def _agree(session: Session, have: State, seat: Instance, spare: Instance) -> None:
    which = f"{have.name}/{seat.name}"
    mine = "".join(f", {v.name}" for v in have.volumes if v.holder == seat.name)
    what = (
        f"{spare.name} takes the place of {which}, with an empty home and its own volumes; the"
        f" machine of now is kept as {spare.name}, with its disk{mine}"
    )
    refused = NeedsConfirmationError(
        f"{what}: it needs a yes",
        exists=have.conditions,
        next=command_line("roost", "swap", which, "--yes"),
    )
    session.consent.ask(f"{what[:1].upper()}{what[1:]}. Continue?", refused)


def _say_where(session: Session, state: State, gone: str) -> None:
    """Say what the machine is called that was set aside, and how its work is had."""
    aside = next((one.name for one in state.instances if one.id == gone), None)
    if aside is not None:
        which = f"{state.name}/{aside}"
        session.say(
            f"the broken machine is kept as {which}, and costs as before: its files:"
            f" {command_line('roost', 'ssh', which)}; a spare again, its disk deleted:"
            f" {command_line('roost', 'reset', which)}"
        )
