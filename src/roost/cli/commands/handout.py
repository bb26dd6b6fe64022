"""``roost handout``."""

from __future__ import annotations

from pathlib import Path

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("handout")
@name_argument
@click.argument("seats", metavar="[SEAT]...", nargs=-1)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page to write; without it, NAME-handout.html here. The table is beside it (.csv).",
)
@click.option("--begin", metavar="TIME", help='When it begins ("2027-03-11 09:00"), for the cards.')
@place_options
@json_option
def command(
    name: str,
    seats: tuple[str, ...],
    output: Path | None,
    begin: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Write the cards of a class: one page to print, and a table.

    A card for each seat, or for those that you name, has its number and its person, the address
    and the password (also as a QR code), the certificate's fingerprint, when it ends, and what to
    do when stuck; the last page is a list for the trainer. Passwords are read from the machines: a
    card that is printed again shows the same. Both files can be read by you only.

    \b
    Examples:
      roost handout training --begin "2027-03-11 09:00"
      roost handout training 7 12 -o again.html
    """
    session = open_session(place)
    from roost.app.handout import handout
    from roost.cli.text.handout import page, table
    from roost.home import write_private

    cards = handout(session, name, seats, begin)
    file = output or Path(f"{name}-handout.html")
    listed = file.with_suffix(".csv")
    write_private(file, page(cards))
    write_private(listed, table(cards))
    if as_json:
        seats_in = [card.node for card in cards.cards]
        write_json({"name": name, "files": [str(file), str(listed)], "seats": seats_in})
    else:
        say(f"{len(cards.cards)} seats; the page is for a printer, {listed} for you alone")
        click.echo(file)
    if cards.problem is not None:
        raise cards.problem
