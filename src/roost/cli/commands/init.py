"""``roost init``."""

from __future__ import annotations

from pathlib import Path

import click

from roost.cli.output import say
from roost.errors import UsageError, command_line


@click.command("init")
@click.argument("kind", type=click.Choice(["cluster", "desktop", "classroom"]))
@click.option("--name", help="What to call it (default: the folder's name).")
@click.option(
    "--file",
    default="roost.toml",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="Where to write it.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(kind: str, name: str | None, file: str, force: bool) -> None:
    """Write a commented starter file.

    \b
    Examples:
      roost init cluster
      roost init desktop --name stars
      roost init classroom --file course.toml
    """
    from roost.spec.starters import starter, usable_name

    usable = usable_name(name or Path.cwd().name, kind)
    if name is not None and name != usable:
        what = f'"{name}" is no name: small letters, digits and hyphens, at most 30, a letter first'
        raise UsageError(what, next=command_line("roost", "init", kind, "--name", usable))
    path = Path(file)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as target:
            target.write(starter(kind, usable))
    except FileExistsError:
        raise UsageError(
            f"{path} is there already",
            next=command_line("roost", "init", kind, "--file", "OTHER.toml")
            + "   (or --force, to write over it)",
        ) from None
    say(f"wrote {path}; next: {command_line('roost', 'plan', path)}")
    click.echo(path)
