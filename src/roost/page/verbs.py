"""What can be begun on the page, each as the command of the same name does it."""

from __future__ import annotations

from collections.abc import Callable

from roost.app.extend import extend
from roost.app.park import park
from roost.app.resume import resume
from roost.app.start import start
from roost.app.stop import stop
from roost.page.words import limits_line
from roost.session import Session


def _start(session: Session, name: str, _: str) -> None:
    if problem := start(session, name).problem:
        raise problem


def _resume(session: Session, name: str, _: str) -> None:
    if problem := resume(session, name).problem:
        raise problem


def _park(session: Session, name: str, _: str) -> None:
    for note in park(session, name).notes:
        session.say(note)


def _extend(session: Session, name: str, span: str) -> None:
    extended = extend(session, name, span, None)
    for node, limits in extended.nodes.items():
        session.say(f"{node}: {limits_line(limits)}")
    if extended.problem:
        raise extended.problem


VERBS: dict[str, Callable[[Session, str, str], object]] = {
    "stop": lambda session, name, _: stop(session, name),
    "start": _start,
    "park": _park,
    "resume": _resume,
    "extend": _extend,
}
"""Each with a session, a name, and for how long."""
