"""``roost quote cryoem``."""

from __future__ import annotations

from decimal import Decimal

import click

from roost.cli.commands.quote.options import quote_options, show


@click.command("cryoem")
@click.option("--movies", type=click.IntRange(1, 1_000_000), required=True, help="Movies.")
@click.option(
    "--particles",
    type=click.IntRange(1, 100_000_000),
    help="Particles; without it, so many in each movie as its rule says.",
)
@click.option(
    "--box",
    type=click.IntRange(16, 4096),
    default=360,
    show_default=True,
    help="Pixels of a particle's side.",
)
@click.option(
    "--no-preread", is_flag=True, help="Particles on the scratch disk instead of in memory."
)
@quote_options
def command(  # noqa: PLR0913 - one parameter for each option
    movies: int,
    particles: int | None,
    box: int,
    no_preread: bool,
    region: str,
    days: float,
    yours: dict[str, Decimal],
    as_json: bool,
) -> None:
    """Say what single-particle cryo-EM takes, from the movies to a refined map.

    \b
    Examples:
      roost quote cryoem --movies 2000
      roost quote cryoem --movies 2000 --particles 300000 --box 256 --days 30
      roost quote cryoem --movies 2000 --set runs=10 --set movie_mb=600
    """
    from roost.cost.quote_cryoem import Movies, cryoem

    data = Movies(movies, particles, box, preread=not no_preread)
    show(cryoem(data, yours), region, days, as_json)
