"""A class rehearsed: its gateway and one seat made, tried as a person would, and deleted again.

They have a name of their own, so that nothing of the class itself is ever touched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roost.errors import (
    AccessError,
    CloudError,
    NeedsConfirmationError,
    PartlyDoneError,
    RoostError,
    UsageError,
    command_line,
)

if TYPE_CHECKING:
    from roost.app.plan import Planned, Usage
    from roost.app.timed import Timing
    from roost.model.finding import Finding, Verdict
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.classroom import Classroom

LONGEST = timedelta(hours=6)
"""How long the machines run at most if this computer goes away in between: then they stop."""
SEAT = "seat-1"
WRONG = "aaaa-aaaa-aaaa-aaaa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One thing that was tried, what came of it, and the seconds that it took."""

    what: str
    verdict: Verdict
    seconds: float
    text: str


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """The report. ``checks`` and ``planned`` are of the whole class, ``tried`` of its one seat.

    ``spec`` is the class's; ``name`` is what the rehearsal was made as, if it was ``made``;
    ``left`` is what still exists of it, or may. ``problem`` is for after all of that is shown;
    ``interrupted``: by Ctrl-C.
    """

    spec: Classroom
    name: str
    begun: datetime
    planned: Planned
    checks: tuple[Finding, ...] = ()
    tried: list[Tried] = field(default_factory=list)
    timings: tuple[Timing, ...] = ()
    made: bool = False
    spent: str = "nothing"
    left: tuple[str, ...] = ()
    problem: RoostError | None = None
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """True if nothing that was tried or checked is a problem, and nothing is left."""
        verdicts = {check.verdict for check in self.checks} | {one.verdict for one in self.tried}
        return not (self.problem or self.interrupted or self.left or "problem" in verdicts)


def rehearse(session: Session, target: str | None, usage: Usage) -> Rehearsal:
    """Rehearse the class of a file: look at what all seats need, make one, try it, delete it.

    Whatever goes wrong after the first machine is in the report. Raises RoostError before that,
    NeedsConfirmationError where nobody agrees to what it costs.
    """
    from roost.app.cost import now
    from roost.app.doctor import examine
    from roost.app.plan import planned
    from roost.app.resolve import connect, file_or_name

    if not isinstance(file_or_name(target, session.command), Path):
        raise UsageError("a rehearsal needs the file of a class", next="roost rehearse FILE")
    whole = planned(session, target, usage, diff=False)
    if whole.spec.kind != "classroom":
        raise UsageError(f"{whole.spec.name} is no class", next="roost up FILE")
    if not whole.rules.rents:
        raise UsageError(f"a rehearsal rents machines; {whole.rules.title} has none")
    small = one_seat(whole.spec)
    cloud = connect(session, small)
    _clear(session, small, cloud)
    report = Rehearsal(spec=whole.spec, name=small.name, begun=now(), planned=whole)
    session.say(f"what all {whole.spec.machines} seats need:")
    report.checks = tuple(examine(session, target))
    for finding in report.checks:
        if finding.verdict != "ok":
            session.say(f"  {finding.verdict}: {finding.text}")
    if whole.cost is not None:
        session.say(f"all of it costs {whole.cost.running.amount} an hour; now one seat of it")
    _make_and_try(session, small, cloud, report, target or "roost.toml")
    report.problem = report.problem or _verdict(report)
    return report


def one_seat(spec: Classroom) -> Classroom:
    """Return the settings of the rehearsal: one seat that nobody has, under a name of its own.

    People of the table get no key to it. This computer must see the page, and a name in the DNS
    leads to the class's own gateway. Volumes that are there already hold somebody's data.
    """
    access: dict[str, Any] = {"host": None}
    if spec.access.https and not {"me", "anywhere"} & set(spec.access.https):
        access["https"] = (*spec.access.https, "me")
    after = min(spec.schedule.after or LONGEST, LONGEST)
    changes = {
        "name": spec.rehearsal,
        "seats": 1,
        "spares": 0,
        "people": None,
        "access": spec.access.model_copy(update=access),
        "schedule": spec.schedule.model_copy(update={"after": after}),
        "volumes": tuple(volume for volume in spec.volumes if volume.id is None),
    }
    return spec.model_copy(update=changes)


def _clear(session: Session, small: Classroom, cloud: Cloud) -> None:
    """Delete what a rehearsal of this very file has left that was killed. Raises RoostError.

    Its record shows that it is one: whatever else has that name may hold somebody's data.
    """
    from roost.app.down import down_in
    from roost.app.resolve import wanted_for

    have = cloud.observe(small.name)
    if have.empty:
        return
    what = f"{small.name} is there already"
    again = _removal(small.name) + "   (once nobody needs it)"
    if have.record != wanted_for(small).record:
        raise RoostError(f"{what}, and is not of this file", exists=have.conditions, next=again)
    what = f"{what}: a rehearsal that still runs, or that was cut off"
    refused = NeedsConfirmationError(what, exists=have.conditions, next="the same with --yes")
    session.consent.ask(f"{what}. Delete it, and begin anew?", refused)
    down_in(_agreed(session, small.name), cloud, small.name, (small.name,))


def _agreed(session: Session, name: str) -> Session:
    return replace(session, consent=Agreed(name), command="roost down")


def _make_and_try(
    session: Session, small: Classroom, cloud: Cloud, report: Rehearsal, file: str
) -> None:
    from roost.app.timed import Timed
    from roost.app.up import up_spec

    timed = Timed(session.reporter)
    try:
        try:
            up_spec(replace(session, reporter=timed), small, file, cloud=cloud)
        finally:
            report.timings = tuple(sorted(timed.timings, key=lambda one: one.node))
        report.tried += [
            Tried(what="machines", verdict="ok", seconds=timed.machines_s, text="they run"),
            Tried(what="set-up", verdict="ok", seconds=timed.set_up_s, text="all is installed"),
        ]
        _try_page(session, cloud, small, report)
    except RoostError as error:
        report.problem = error
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        _end(session, cloud, small, report)
    if not report.made and isinstance(report.problem, UsageError | NeedsConfirmationError):
        raise report.problem


def _try_page(session: Session, cloud: Cloud, small: Classroom, report: Rehearsal) -> None:
    """Go the way of a person with a card, as far as their browser would. Raises RoostError."""
    from roost.app.handout import handout
    from roost.app.try_page import Door

    with _trying(report, "card") as text:
        (card,) = handout(session, small.name, ["1"], None).cards
        address = card.address
        text.append(address or "none: the file opens the page to nobody; it is tried by a tunnel")
    if small.protocol != "novnc":
        report.tried.append(
            Tried(
                what="page",
                verdict="unknown",
                seconds=0,
                text=f"roost cannot type into the page of {small.protocol}: open it yourself",
            )
        )
        return
    with _trying(report, "page") as text:
        door = Door(address or _by_tunnel(session, small.name), card.fingerprint if address else "")
        door.wait()
        text.append("it opens" + (", with the certificate on the card" if door.fingerprint else ""))
    with _trying(report, "wrong password") as text:
        if door.key(WRONG) is not None:
            raise RoostError("a wrong password opens the desktop")
        text.append("it lets nobody in")
    with _trying(report, "right password") as text:
        screen = door.key(card.login.password)
        if screen is None:
            raise RoostError("the password on the card does not open the desktop")
        text.append("it opens the desktop")
    with _trying(report, "screen") as text:
        door.look(screen)
        text.append("the desktop answers")


def _by_tunnel(session: Session, name: str) -> str:
    """Return the page's address on this computer, once something is at the tunnel's other end."""
    from roost.app.open import open_page
    from roost.app.try_page import PATIENCE, PAUSE

    until = time.monotonic() + PATIENCE
    while True:
        try:
            return open_page(session, name, SEAT, view=False).address
        except RoostError:
            if time.monotonic() > until:
                raise
        time.sleep(PAUSE)


@contextmanager
def _trying(report: Rehearsal, what: str) -> Iterator[list[str]]:
    """Time what is tried, and write down what came of it, in words."""
    begun, text, failed = time.monotonic(), list[str](), ""
    try:
        yield text
    except RoostError as error:
        failed = error.what
        raise
    finally:
        verdict: Verdict = "ok" if text and not failed else "problem"
        said = failed or "; ".join(text) or "interrupted"
        seconds = time.monotonic() - begun
        report.tried.append(Tried(what=what, verdict=verdict, seconds=seconds, text=said))


# --- its end --------------------------------------------------------------------------------------


class Agreed:
    """The consent to delete the rehearsal: it was given with that to make it, and to no other."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, question: str, refused: NeedsConfirmationError) -> None:
        """Say yes."""

    def type_name(
        self, word: str, warning: str, refused: NeedsConfirmationError, *, in_file: bool = False
    ) -> None:
        """Type the name of the rehearsal, and of nothing else. Raises ``refused``."""
        del warning, in_file
        if word != self.name:
            raise refused


def _end(session: Session, cloud: Cloud, small: Classroom, report: Rehearsal) -> None:
    """Delete all of the rehearsal, and look for what is left; what cannot be deleted is said.

    ``cloud`` is the one that made it: it knows what a new one may not be shown yet.
    """
    from roost.app.cost import so_far
    from roost.app.down import down_in
    from roost.app.left import things
    from roost.app.resolve import connect

    if report.interrupted:
        session.say("deleting the rehearsal (Ctrl-C again leaves it as it is)")
    try:
        with _trying(report, "deletion") as text:
            state = cloud.observe(report.name)
            if state.empty:
                text.append("nothing had been made")
                return
            report.made = True
            report.spent = so_far(cloud, state)
            report.left = (f"whatever there is of {report.name}",)
            inner = _agreed(session, report.name)
            unexpected = down_in(inner, cloud, report.name, (report.name,)).unexpected
            after = connect(session, small).observe(report.name)
            report.left = (*unexpected, *(() if after.empty else things(after)))
            text.append("all is deleted")
        with _trying(report, "audit") as text:
            report.left = (*report.left, *_audit(session, cloud, report.name))
            text.append(f"still there: {', '.join(report.left)}" if report.left else "it is empty")
    except KeyboardInterrupt:
        report.interrupted = True
    except RoostError as error:
        error.next = _removal(report.name)
        error.exists = error.exists or report.left
        report.problem = error if report.problem is None else _both(report.problem, error)
    if report.left:
        session.warn(f"{report.name} may still exist, and cost: {_removal(report.name)}")


def _audit(session: Session, cloud: Cloud, name: str) -> tuple[str, ...]:
    """Return what the audit of the account finds of the rehearsal. Raises where it cannot look."""
    from roost.app.audit import audited
    from roost.model.place import Place

    place = Place(cloud.name, cloud.region or None, session.place.profile)
    result = audited(replace(session, place=place), every=False)
    if result.unknown:
        raise CloudError(f"the audit cannot look: {'; '.join(result.unknown)}")
    found = (one for inventory in result.inventories for one in inventory.found)
    return tuple(f"{one.kind} {', '.join(one.ids)}" for one in found if one.name == name)


def _both(first: RoostError, last: RoostError) -> RoostError:
    """Return the error of the end, which costs money, with what had gone wrong before."""
    error = CloudError(f"{first.what}\n{last.what}", exists=last.exists, next=last.next)
    error.costs = last.costs
    return error


def _removal(name: str) -> str:
    return command_line("roost", "down", name, "--delete-data", name)


def _verdict(report: Rehearsal) -> RoostError | None:
    """Return the error to end with, where all went its way and something is wrong all the same."""
    if report.interrupted:
        return None
    if report.left:
        what = f"still there of {report.name}: {', '.join(report.left)}"
        return CloudError(what, next=_removal(report.name))
    wrong = [one for one in report.checks if one.verdict == "problem"]
    if not wrong:
        return None
    kind = AccessError if any(one.access for one in wrong) else PartlyDoneError
    return kind(
        f"one seat is well, and all of {report.spec.name} would not be: "
        + "; ".join(one.text for one in wrong),
        next=wrong[0].mend,
    )
