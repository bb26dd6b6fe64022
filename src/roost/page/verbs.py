"""What can be begun on the page, each as the command of the same name does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from roost.app.extend import extend
from roost.app.park import park
from roost.app.resume import resume
from roost.app.start import start
from roost.app.stop import stop
from roost.errors import UsageError
from roost.page.words import limits_line
from roost.session import Session

Fields = Mapping[str, str]
"""What the form says: ``seat``, where it is of one, and what the verb needs."""
MOST_GIB = 20.0
"""Of each seat, as for `roost collect`."""
DESKTOP = "Desktop"
"""Where a file comes to on a seat, from its user's home."""


def _start(session: Session, name: str, fields: Fields) -> None:
    if problem := start(session, name, _seat(fields)).problem:
        raise problem


def _resume(session: Session, name: str, _: Fields) -> None:
    if problem := resume(session, name).problem:
        raise problem


def _park(session: Session, name: str, _: Fields) -> None:
    for note in park(session, name).notes:
        session.say(note)


def _extend(session: Session, name: str, fields: Fields) -> None:
    extended = extend(session, name, fields.get("span", ""), _seat(fields))
    for node, limits in extended.nodes.items():
        session.say(f"{node}: {limits_line(limits)}")
    if extended.problem:
        raise extended.problem


# --- a class's ------------------------------------------------------------------------------------


def _restart(session: Session, name: str, fields: Fields) -> None:
    from roost.app.restart import restart

    if problem := restart(session, name, _the_seat(fields)).problem:
        raise problem


def _reset(session: Session, name: str, fields: Fields) -> None:
    from roost.app.reset import reset

    delete = fields.get("data") == "delete"
    done = reset(session, name, _the_seat(fields), delete_data=delete, new_password=False)
    if done.problem:
        raise done.problem


def _swap(session: Session, name: str, fields: Fields) -> None:
    from roost.app.swap import swap

    if problem := swap(session, name, _the_seat(fields), new_password=False).problem:
        raise problem


def _message(session: Session, name: str, fields: Fields) -> None:
    from roost.app.message import message

    seat = _seat(fields)
    shown = message(session, name, fields.get("text", ""), [seat] if seat else [])
    session.say(f"shown on {len(shown.nodes)} {'screen' if len(shown.nodes) == 1 else 'screens'}")
    if shown.problem is not None:
        raise shown.problem


def _lower(session: Session, name: str, fields: Fields) -> None:
    from roost.app.wall import lower_hand

    lower_hand(session, name, _the_seat(fields))


def _run(session: Session, name: str, fields: Fields) -> None:
    from roost.app.run import run_on_seats

    line = fields.get("text", "").strip()
    if not line:
        raise UsageError("which command?", next="df -h /data   (for example)")
    run_on_seats(session, name, (line,), session.say)


def _push(session: Session, name: str, fields: Fields) -> None:
    from roost.app.copy import copy

    source = Path(fields.get("text", "").strip()).expanduser()
    if not source.is_absolute() or not source.exists():
        raise UsageError(
            f"no file of this computer: {source}", next="its whole path, as /home/me/slides.pdf"
        )
    copy(session, (str(source), f"{name}/seats:{fields.get('folder', '').strip() or DESKTOP}"))


def _collect(session: Session, name: str, fields: Fields) -> None:
    from roost.app.collect import collect
    from roost.units import format_size

    target = Path(fields.get("text", "").strip()).expanduser()
    if not target.is_absolute():
        raise UsageError("into which folder of this computer?", next=f"~/{name}-results")
    seat, folder = _seat(fields), fields.get("folder", "").strip() or None
    done = collect(session, name, target, folder, [seat] if seat else [], MOST_GIB)
    for node, one in done.seats.items():
        left = f", {one.left_out} links and the like left out" if one.left_out else ""
        session.say(f"{node}: {one.files} files, {format_size(one.size / 2**30)}{left}")
    if done.problem is not None:
        raise done.problem


def _seat(fields: Fields) -> str | None:
    return fields.get("seat") or None


def _the_seat(fields: Fields) -> str:
    """Return the seat that is meant; a form without one must not mean all of them."""
    seat = _seat(fields)
    if seat is None:
        raise UsageError("which seat?")
    return seat


VERBS: dict[str, Callable[[Session, str, Fields], object]] = {
    "stop": lambda session, name, fields: stop(session, name, _seat(fields)),
    "start": _start,
    "park": _park,
    "resume": _resume,
    "extend": _extend,
    "restart": _restart,
    "reset": _reset,
    "swap": _swap,
    "lower": _lower,
    "message": _message,
    "run": _run,
    "push": _push,
    "collect": _collect,
}
"""Each with a session, a name, and the fields of its form."""
BESIDE = ("lower", "message", "run", "push", "collect")
"""Verbs that change nothing in the cloud, and are done whatever else is at work on the name."""
