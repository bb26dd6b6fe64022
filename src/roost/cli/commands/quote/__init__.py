"""``roost quote``: what a piece of work will take, by rules that can be looked up."""

from __future__ import annotations

import click

from roost.cli.commands.quote import astro, cryoem


@click.group("quote")
def command() -> None:
    """Say what a piece of work will take: disk, memory, hours and cost, each with its rule.

    Every number of a rule is printed with its source and can be replaced (--set). Needs no account.

    \b
    Examples:
      roost quote astro --subs 50 --megapixels 24 --drizzle
      roost quote cryoem --movies 2000 --particles 300000
    """


for _module in (astro, cryoem):
    command.add_command(_module.command)
