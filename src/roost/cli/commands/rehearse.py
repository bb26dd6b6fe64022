"""``roost rehearse``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from roost.cli.options import file_argument, json_option, place_options, yes_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place


@click.command("rehearse")
@file_argument
@click.option(
    "--hours",
    type=click.FloatRange(0, 24),
    default=8,
    show_default=True,
    help="Hours a day of the class, for its price.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    default=1,
    show_default=True,
    help="Days of the class, for its price.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Keep the report in this file too.",
)
@place_options
@json_option
@yes_options
def command(  # noqa: PLR0913 - one parameter for each option
    target: str | None,
    hours: float,
    days: float,
    report: Path | None,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Make one seat of a class, try it as a person would, and delete it: a report.

    It looks at quotas and price for all seats. Then it makes the gateway and one seat under a name
    of their own (NAME-rehearsal), opens the page as the card says, tries a wrong password and the
    right one, and deletes all of it, also after an error or Ctrl-C. Each part is timed. The class
    itself is not touched. It asks before it rents anything, with the price.

    \b
    Examples:
      roost rehearse training.toml
      roost rehearse training.toml --hours 8 --days 2 --report rehearsal.txt
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.plan import Usage
    from roost.app.rehearse import rehearse
    from roost.cli.text.rehearse import as_data, report_text

    if report is not None:
        report.open("a").close()  # an hour later would be too late to find that it cannot be
    session.say(command_line("roost", "rehearse", target or "roost.toml"))
    usage = Usage(hours_a_day=Decimal(str(hours)), days=Decimal(str(days)))
    done = rehearse(session, target, usage)
    text = report_text(done)
    if report is not None:
        report.write_text(click.unstyle(text) + "\n")
        say(f"the report is in {report}")
    if as_json:
        write_json(as_data(done))
    else:
        click.echo(text)
    if done.interrupted:
        raise KeyboardInterrupt
    if done.problem is not None:
        raise done.problem
