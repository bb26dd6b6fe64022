"""``roost init``."""

from __future__ import annotations

from pathlib import Path

import click

from roost.cli.output import say
from roost.errors import UsageError


@click.command("init")
@click.argument("kind", type=click.Choice(["cluster", "desktop", "classroom"]))
@click.option("--name", help="What to call it (default: the folder's name).")
@click.option("--file", "file", default="roost.toml", show_default=True, type=click.Path())
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(kind: str, name: str | None, file: str, force: bool) -> None:
    """Write a commented starter file of one kind.

    \b
    Examples:
      roost init cluster
      roost init desktop --name stars
    """
    from roost.spec.starters import starter, usable_name

    path = Path(file)
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", next=f"roost init {kind} --file OTHER.toml")
    path.write_text(starter(kind, name or usable_name(Path.cwd().name, kind)))
    say(f"wrote {path}; next: roost plan {path}")
    click.echo(path)
