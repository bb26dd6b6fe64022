"""``roost ls``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, place_options
from roost.cli.output import say, table, write_json
from roost.cli.terminal import session as open_session
from roost.errors import PartlyDoneError, RoostError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.providers.provider import Lister, Summary


@click.command("ls")
@place_options
@json_option
def command(place: Place, as_json: bool) -> None:
    """List everything roost has, whatever the folder you are in.

    On AWS it looks in your configured region and in those that this computer has used;
    `roost audit --all-regions` looks everywhere.

    \b
    Examples:
      roost ls
      roost ls --region eu-west-1
      roost ls --json | jq -r '.[].name'
    """
    from roost.app.resolve import listers

    looked_in = listers(open_session(place))
    with ThreadPoolExecutor(max(1, len(looked_in))) as pool:
        answers = tuple(pool.map(_summaries, looked_in))
    rows = [row for answer in answers if not isinstance(answer, RoostError) for row in answer]
    unknown = [
        f"{cloud.name}{f' {cloud.region}' if cloud.region else ''}: {answer.what}"
        for cloud, answer in zip(looked_in, answers, strict=True)
        if isinstance(answer, RoostError)
    ]
    _print(rows, as_json, empty=not unknown)
    for row in rows:
        if row.unfilled:
            half = ", ".join(row.unfilled)
            say(
                f"{row.name}: data of {half} not all back yet: "
                + command_line("roost", "resume", row.name)
            )
    if unknown:
        raise PartlyDoneError("what is there is unknown of " + "; ".join(unknown))


def _summaries(cloud: Lister) -> tuple[Summary, ...] | RoostError:
    try:
        return cloud.summaries()
    except RoostError as error:
        return error


def _print(rows: list[Summary], as_json: bool, *, empty: bool) -> None:
    if as_json:
        write_json(rows)
        return
    if not rows:
        if empty:
            say("nothing is here yet; `roost init cluster` writes a file to begin with")
        return
    cells = [
        (
            row.name,
            row.kind,
            f"{row.cloud} {row.region}".rstrip(),
            ", ".join(f"{count} {state}" for state, count in sorted(row.states.items())) or "none",
            _when(row.created),
        )
        for row in rows
    ]
    click.echo(table(("NAME", "KIND", "CLOUD", "INSTANCES", "SINCE"), cells, frozenset()))


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "unknown"
