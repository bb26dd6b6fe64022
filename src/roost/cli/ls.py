"""``roost ls``."""

from __future__ import annotations

from datetime import datetime

import click

from roost.cli.options import json_option
from roost.cli.output import say, table, write_json


@click.command("ls")
@json_option
def command(as_json: bool) -> None:
    """List everything roost has here, whatever the folder you are in.

    \b
    Examples:
      roost ls
      roost ls --json | jq -r '.[].name'
    """
    from roost.cli.target import clouds

    rows = [summary for cloud in clouds() for summary in cloud.summaries()]
    if as_json:
        write_json(rows)
        return
    if not rows:
        say("nothing is here yet; `roost init cluster` writes a file to begin with")
        return
    cells = [
        (
            row.name,
            row.kind,
            row.cloud,
            ", ".join(f"{count} {state}" for state, count in sorted(row.states.items())) or "none",
            _when(row.created),
        )
        for row in rows
    ]
    click.echo(table(("NAME", "KIND", "CLOUD", "INSTANCES", "SINCE"), cells, frozenset()))


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "unknown"
