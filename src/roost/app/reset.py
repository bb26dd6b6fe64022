"""A seat made anew: the disk of the class's image, and the same name, password and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.app.kept import Kept, keep, kept_of
from roost.errors import NeedsConfirmationError, RoostError, UsageError, command_line
from roost.plan.reset import plan_reset

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.session import Session

SECRETS = ("desktop.json", "desktop.key", "desktop.crt")
"""The first must be there; the others are the certificate of noVNC's page."""


def reset(
    session: Session, name: str, node: str, *, delete_data: bool, new_password: bool
) -> Running:
    """Delete the machine of a seat with the disk that it boots from, and make it again.

    Its volumes stay, unless ``delete_data``. Nothing is deleted before its password is kept on this
    computer, or ``new_password`` says that it need not be. A reset that was killed goes on.
    Raises NeedsConfirmationError, RoostError.
    """
    from roost.app.lifecycle import drive, running, running_count
    from roost.app.provisioning import settle
    from roost.app.resolve import held, locate, spec_in, wanted_for
    from roost.ssh.connection import chosen

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        if spec.kind != "classroom":
            raise UsageError(
                f"{name} is no class; a seat is made anew, and nothing else",
                next=command_line("roost", "down", name),
            )
        kept = kept_of(name, node)
        if kept is not None and kept.spare:
            raise RoostError(
                f"a spare is taking the place of {name}/{node}",
                exists=have.conditions,
                next=command_line("roost", "swap", f"{name}/{node}"),
            )
        if kept is None:
            seat = chosen(have, node)
            kept = _begin(session, cloud, have, seat, delete_data, new_password)
        else:
            session.say(f"going on with {name}/{node}, which was to be made anew")
        wanted = wanted_for(spec)
        going = kept
        total = running_count(have)
        state = drive(
            session,
            cloud,
            name,
            lambda now, _: plan_reset(wanted, now, node, going.instance, going.volumes),
            title=f"reset {name}/{node}",
            total=total,
        )
        limits = settle(session, cloud, state, fresh=False, only=frozenset({node}))
        if spec.access.address == "changing" and spec.access.reach == "public":
            again = command_line("roost", "handout", name, node.removeprefix("seat-"))
            session.say(f"note: its address is another one now; its card again: {again}")
        return running(cloud, wanted, state, limits)


def _begin(
    session: Session,
    cloud: Cloud,
    have: State,
    seat: Instance,
    delete_data: bool,
    new_password: bool,
) -> Kept:
    """Ask, and keep here what the next machine gets; only then anything may go."""
    volumes = tuple(v for v in have.volumes if v.holder == seat.name)
    refuse_copies(have, seat, tuple(v.name for v in volumes) if delete_data else ())
    # What was set aside has the password of the seat that it was.
    secrets = {} if new_password or seat.aside else secrets_of(session, cloud, have, seat)
    _agree(session, have, seat, tuple(v.name for v in volumes), delete_data)
    kept = Kept(
        instance=seat.id,
        volumes=tuple(v.id for v in volumes) if delete_data else (),
        secrets=secrets,
    )
    keep(have.name, seat.name, kept)
    return kept


def refuse_copies(have: State, seat: Instance, volumes: tuple[str, ...]) -> None:
    """Refuse where a parked copy would come back instead of the class's image, or would be lost."""
    names = {seat.name, *volumes}
    copies = [b.name for b in have.backups if b.name in names]
    copies += [i.instance for i in have.images if i.instance in names]
    copies += [s.volume for s in have.snapshots if s.volume in names]
    if copies:
        raise RoostError(
            f"there is a copy of {', '.join(sorted(set(copies)))}, which would come back instead",
            exists=have.conditions,
            next=command_line("roost", "start", have.name),
        )


def secrets_of(
    session: Session, cloud: Cloud, have: State, seat: Instance, verb: str = "reset"
) -> dict[str, str]:
    """Read what the seat keeps. Raises RoostError where it cannot be had."""
    from roost.app.connect import connected
    from roost.ssh.query import fetched

    words = ("roost", verb, f"{have.name}/{seat.name}", "--new-password")
    found = {}
    try:
        way = connected(session, cloud, have, seat.name)
        for name in SECRETS:
            try:
                found[name] = fetched(way, f"/etc/roost/secrets/{name}", root=True)
            except RoostError:
                if name == SECRETS[0]:
                    raise
    except RoostError as error:
        raise RoostError(
            f"the password of {seat.name} cannot be read, so that it would be lost: {error.what}",
            exists=have.conditions,
            next=command_line(*words) + "   (it gets another one)",
        ) from None
    return found


def _agree(
    session: Session, have: State, seat: Instance, volumes: tuple[str, ...], delete_data: bool
) -> None:
    which = f"{have.name}/{seat.name}"
    words = ("roost", "reset", which, *(("--delete-data",) if delete_data else ()))
    stays = f"; {', '.join(volumes)} stays as it is" if volumes and not delete_data else ""
    what = f"the disk of {which} is deleted, with all that is on it{stays}"
    if delete_data and volumes:
        refused = NeedsConfirmationError(
            f"{what}; so is {', '.join(volumes)}: that needs a person who types {seat.name}",
            exists=have.conditions,
            next=command_line(*words) + "   (in a terminal)",
        )
        warning = f"{what}; so is the data of {', '.join(volumes)}, for good"
        session.consent.type_name(seat.name, warning, refused)
        return
    refused = NeedsConfirmationError(
        f"{what}: it needs a yes", exists=have.conditions, next=command_line(*words, "--yes")
    )
    session.consent.ask(f"{what[:1].upper()}{what[1:]}. Continue?", refused)
