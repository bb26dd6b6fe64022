"""``roost down``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument, place_options, yes_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import CloudError, NeedsConfirmationError, NotFoundError, UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session


@click.command("down")
@name_argument
@click.option(
    "--delete-data",
    "typed",
    multiple=True,
    metavar="VOLUME",
    help="The data of this volume goes too, with its snapshots; or NAME itself: all of it.",
)
@click.option("--keep-data", is_flag=True, help="Keep all data (as it does by itself).")
@place_options
@json_option
@yes_options
def command(
    name: str,
    typed: tuple[str, ...],
    keep_data: bool,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Delete it: its instances, and everything roost made for them.

    Data volumes, snapshots and images are kept, unless you type their names. At the end it looks
    once more for anything with its tag, and says what is left. Your own files are not touched, nor
    is what was parked in your bucket: it says where that is, and how to remove it.

    \b
    Examples:
      roost down ndvi
      roost down ndvi --yes
      roost down scipion --delete-data scratch
      roost down scipion --delete-data scipion     all of its data
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.cost import so_far
    from roost.app.lifecycle import drive, forget_ways, summary
    from roost.app.resolve import existing, held, locate
    from roost.plan.down import plan_down

    try:
        cloud = locate(session, name)
    except NotFoundError:
        _tidy(session, name)
        raise
    with held(session, cloud, name):
        before = existing(cloud, name)
        say(f"{name}: {summary(before) or 'only its record'}")
        if cloud.can.history is not None:
            say(f"it has cost {so_far(cloud, before)} so far")
        words = _words(before, typed, keep_data)
        _confirm(session, name, before, words)
        count = len(before.instances)
        state = drive(
            session,
            cloud,
            name,
            lambda have, _: plan_down(have, words),
            title=f"down {name}",
            total=count,
            done=lambda now: count - len(now.instances),
        )
        forget_ways(cloud, name)
        left = _swept(cloud, state)
    _report(before, state, words, left, as_json)


def _tidy(session: Session, name: str) -> None:
    """Remove what a killed `up` had begun before there was a name."""
    from roost.app.resolve import clouds, held
    from roost.ssh.browser import withdraw

    withdraw(name)
    for cloud in clouds(session):
        leftovers = cloud.can.leftovers
        if leftovers is not None and leftovers.half_made(name):
            with held(session, cloud, name):
                session.say(f"{name}: removed what a killed roost had begun to make or to delete")


def _words(before: State, typed: tuple[str, ...], keep_data: bool) -> frozenset[str]:
    """The names that the user typed. Raises UsageError where one is not there."""
    if typed and keep_data:
        raise UsageError("--keep-data and --delete-data say the opposite of each other")
    known = {v.name for v in before.volumes} | {s.volume for s in before.snapshots}
    known |= {i.instance for i in before.images} | {before.name}
    known |= {s.name for s in before.stored}
    if unknown := set(typed) - known:
        raise UsageError(
            f"{before.name} has no data called {', '.join(sorted(unknown))}"
            f" (there are: {', '.join(sorted(known))})"
        )
    return frozenset(typed)


def _confirm(session: Session, name: str, state: State, typed: frozenset[str]) -> None:
    """A record alone costs nothing and is no loss."""

    if not state.instances and not typed:
        return
    what = f"{name}, with the data of {', '.join(sorted(typed))}" if typed else name
    refused = NeedsConfirmationError(
        f"deleting {what} needs a yes",
        exists=state.conditions,
        next=command_line("roost", "down", name, "--yes"),
    )
    session.consent.ask(f"Delete {what}?", refused)


def _swept(cloud: Cloud, state: State) -> tuple[str, ...]:
    """What still carries the name's tag though it should be gone; a proof, not a guess."""
    return cloud.can.remains.remains(state) if cloud.can.remains is not None else ()


def _say_what_stays(before: State, state: State) -> None:
    """Objects in the user's bucket go on costing."""
    from roost.parking.s3 import removal_of, text_of

    known = {copy.name for copy in state.stored}
    for copy in before.stored:
        if copy.name not in known:
            say(f"note: {text_of(copy)}: still there; to remove it: {removal_of(copy)}")


def _report(
    before: State, state: State, typed: frozenset[str], left: tuple[str, ...], as_json: bool
) -> None:
    from roost.plan.down import plan_down

    there = {(r.kind, r.name) for r in state.resources}
    gone = [r for r in before.resources if (r.kind, r.name) not in there]
    kept = [f"{r.kind} {r.name}" for r in state.resources]
    if as_json:
        instances = sorted(r.name for r in gone if r.kind == "instance")
        write_json(
            {
                "name": state.name,
                "deleted": instances,
                "left": [r.name for r in state.resources],
                "unexpected": list(left),
            }
        )
    else:
        deleted = ", ".join(f"{r.kind} {r.name}" for r in gone) or "the record"
        rest = f"kept: {', '.join(kept)}" if kept else f"nothing of {state.name} is left"
        say(f"deleted: {deleted}; {rest}")
        for note in plan_down(state, typed).notes:
            say(f"note: {note}")
        _say_what_stays(before, state)
    if left:
        raise CloudError(
            f"still there with the tag of {state.name}: {', '.join(left)}",
            next=command_line("roost", "down", state.name) + "   (again), or: roost audit",
        )
