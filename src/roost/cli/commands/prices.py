"""``roost prices``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, size
from roost.cli.output import write_json
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.cost.machines import Offer


SOLD_GB = 1e9 / 2**30
"""GiB in a GB of a GPU: makers count in powers of ten."""


@click.command("prices")
@click.option("--cpus", type=click.IntRange(1), help="At least this many vCPUs.")
@click.option("--memory", callback=size, metavar="SIZE", help='At least this much: "16GiB".')
@click.option("--gpus", type=click.IntRange(1), help="At least this many GPUs.")
@click.option("--gpu", "gpu_name", help='This GPU: "T4", "A10G", "L4".')
@click.option(
    "--gpu-memory", callback=size, metavar="SIZE", help='Memory of each GPU, as it is sold: "24GB".'
)
@click.option(
    "--arch",
    type=click.Choice(["x86_64", "arm64"]),
    default="x86_64",
    show_default=True,
    help="The processor's kind (the default is that of a file, too).",
)
@click.option("--region", default="us-east-1", show_default=True, help="AWS region.")
@click.option(
    "--limit", type=click.IntRange(1), default=10, show_default=True, help="List so many at most."
)
@json_option
def command(  # noqa: PLR0913 - one parameter for each option
    cpus: int | None,
    memory: float | None,
    gpus: int | None,
    gpu_name: str | None,
    gpu_memory: float | None,
    arch: str,
    region: str,
    limit: int,
    as_json: bool,
) -> None:
    """List the cheapest AWS machines that fit, from the shipped price list.

    \b
    Examples:
      roost prices --cpus 4 --memory 16GiB --region eu-west-1
      roost prices --gpus 1 --gpu-memory 24GB
    """
    from roost.catalogue import load
    from roost.cli.text.prices import as_data, offers_text
    from roost.cost.machines import Needs, cheapest, why_none
    from roost.providers.rules import check_region

    check_region(region)
    catalogue = load()
    needs = Needs(
        cpus=cpus,
        memory_gib=memory,
        gpus=gpus,
        gpu_name=gpu_name,
        gpu_memory_gib=gpu_memory * SOLD_GB if gpu_memory else None,
        arch=arch,
    )
    offers = cheapest(catalogue, region, needs, limit=limit)
    if not offers:
        fit = why_none(catalogue, region, needs)
        unknown_gpu = fit.nearest == () and gpu_name is not None
        raise RoostError(
            fit.reason, next="roost prices --gpu A10G" if unknown_gpu else _next(fit.nearest)
        )
    if as_json:
        write_json([as_data(offer) for offer in offers])
        return
    click.echo(offers_text(offers))
    source = catalogue.source.partition(",")[0]
    click.echo(f"\non demand, Linux, before tax; {source} of {catalogue.published}, in {region}")
    free = catalogue.free_tier()
    if any(offer.instance_type.name in free.types for offer in offers):
        click.echo(f"the free tier, as of {free.date}: {free.text}")


def _next(nearest: tuple[Offer, ...]) -> str:
    """Return what to type next: for the nearest machine, or with fewer options."""
    if not nearest:
        return "roost prices   (without one of the options)"
    names = ", ".join(offer.instance_type.name for offer in nearest)
    return f"ask for less of one of them; the nearest: {names}"
