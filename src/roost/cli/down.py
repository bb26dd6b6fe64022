"""``roost down``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import Place, json_option, name_argument, place_options, yes_options
from roost.cli.output import say, write_json
from roost.errors import CloudError, NeedsConfirmationError, NotFoundError, UsageError, command_line

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State


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
    from roost.cli.cost import so_far
    from roost.cli.life import drive, forget_ways, summary
    from roost.cli.target import existing, held, locate
    from roost.plan.down import plan_down

    try:
        cloud = locate(name, place)
    except NotFoundError:
        _tidy(name)
        raise
    with held(cloud, name):
        before = existing(cloud, name)
        say(f"{name}: {summary(before) or 'only its record'}")
        if cloud.name == "aws":
            say(f"it has cost {so_far(cloud, before)} so far")
        words = _words(before, typed, keep_data)
        _confirm(name, before, words, yes=yes, no_input=no_input)
        count = len(before.instances)
        state = drive(
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


def _tidy(name: str) -> None:
    """What a killed `up` had begun on this machine, before there was a name, goes too."""
    from roost.access.browser import withdraw
    from roost.cli.target import held
    from roost.clouds.local.cloud import LocalCloud
    from roost.recipes.local import boot

    withdraw(name)
    local = LocalCloud(boot)
    if local.half_made(name):
        with held(local, name):
            say(f"{name}: removed what a killed roost had begun to make or to delete")


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


def _confirm(name: str, state: State, typed: frozenset[str], *, yes: bool, no_input: bool) -> None:
    """A record alone costs nothing and is no loss."""
    from roost.cli.life import ask

    if not state.instances and not typed:
        return
    what = f"{name}, with the data of {', '.join(sorted(typed))}" if typed else name
    refused = NeedsConfirmationError(
        f"deleting {what} needs a yes",
        exists=state.conditions,
        next=command_line("roost", "down", name, "--yes"),
    )
    ask(name, f"Delete {what}?", refused, yes=yes, no_input=no_input)


def _swept(cloud: Cloud, state: State) -> tuple[str, ...]:
    """What still carries the name's tag though it should be gone; a proof, not a guess."""
    look = getattr(cloud, "remains", None)
    found: tuple[str, ...] = look(state) if look is not None else ()
    return found


def _say_what_stays(before: State, state: State) -> None:
    """Objects in the user's bucket go on costing."""
    from roost.cli.storing import removal_of, text_of

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
