"""``roost follow``."""

from __future__ import annotations

from datetime import timedelta

import click

from roost.cli.options import (
    json_option,
    name_argument,
    place_options,
    span,
    take_over_option,
    yes_options,
)
from roost.cli.output import say
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("follow")
@name_argument
@place_options
@click.option("--once", is_flag=True, help="One look, and at most one change: for a timer.")
@click.option(
    "--every", callback=span, default="20s", show_default=True, help="Time between two looks."
)
@click.option(
    "--quiet",
    callback=span,
    default="5m",
    show_default=True,
    help="So long without work, and it goes.",
)
@yes_options
@json_option
@take_over_option
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    place: Place,
    once: bool,
    every: timedelta,
    quiet: timedelta,
    yes: bool,
    no_input: bool,
    as_json: bool,
) -> None:
    """Have as many rented workers as the work needs, for as long as this runs.

    It asks the head what waits and what runs, adds workers at once, and deletes those that have
    had no work for a while, within the range of `roost scale NAME 0..8` or of `max` in the file.
    The machines hold no keys to your account: with this ended, the number stays as it is.

    \b
    Examples:
      roost follow ndvi
      roost follow ndvi --every 1m --quiet 15m
      roost follow ndvi --once --yes
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.follow import Follower
    from roost.cli.text.follow import Lines

    lines = Lines(as_json=as_json)
    seconds = max(1.0, every.total_seconds())
    follower = Follower(session, name, quiet=quiet.total_seconds(), every=seconds)
    say(f"following the work of {name}: {follower.most()}")
    if once:
        try:
            change = follower.once()
            if change is not None:
                lines.show(change)
        finally:
            follower.release()
        return
    say("Ctrl-C ends this, and leaves the workers as they are")
    for change in follower.forever():
        lines.show(change)
    say(f"the head of {name} does not run: there is nothing to follow")
