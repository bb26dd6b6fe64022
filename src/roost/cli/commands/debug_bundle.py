"""``roost debug-bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("debug-bundle")
@name_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; without it, NAME-debug.tar.gz here.",
)
@place_options
@json_option
def command(name: str, output: Path | None, place: Place, as_json: bool) -> None:
    """Write a file to send with a bug report: versions, state, plan and logs, without secrets.

    Passwords, tokens, private keys and access keys are removed. Addresses, names of files and what
    your programs printed are in it: read it before you send it to others.

    \b
    Examples:
      roost debug-bundle ndvi
      roost debug-bundle ndvi -o /tmp/bug.tar.gz
    """
    from roost.app.debug_bundle import bundle

    file = output or Path(f"{name}-debug.tar.gz")
    parts = bundle(open_session(place), name, file)
    if as_json:
        write_json({"name": name, "file": str(file), "parts": list(parts)})
        return
    for part in parts:
        say(f"  {part}")
    say("read it before you send it: it holds addresses, file names and what programs printed")
    click.echo(file)
