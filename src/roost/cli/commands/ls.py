"""``roost ls``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import PartlyDoneError
from roost.model.place import Place


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
    from roost.app.listing import listed
    from roost.cli.text.listing import names_text, restoring_lines, unwell_lines

    listing = listed(open_session(place))
    if as_json:
        write_json(listing.rows)
    elif listing.rows:
        click.echo(names_text(listing.rows))
    elif not listing.unknown:
        say("nothing is here yet; `roost init cluster` writes a file to begin with")
    for line in (*restoring_lines(listing.rows), *unwell_lines(listing.rows)):
        say(line)
    if listing.unknown:
        raise PartlyDoneError("cannot list " + "; ".join(listing.unknown))
