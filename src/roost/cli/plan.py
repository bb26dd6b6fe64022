"""``roost plan``."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from roost.cli.options import cloud_option, file_argument, json_option
from roost.cli.output import say, table, write_json

if TYPE_CHECKING:
    from roost.plan.plan import Plan
    from roost.plan.resources import Shape, State, Wanted
    from roost.prices.estimate import Estimate
    from roost.prices.rates import Line
    from roost.spec import Spec

MOST_LINES = 6
"""Volumes that are listed one by one."""


@click.command("plan")
@file_argument
@cloud_option
@click.option("--region", help="Instead of the file's AWS region.")
@click.option(
    "--hours",
    type=click.FloatRange(0, 24),
    default=4,
    show_default=True,
    help="Hours a day of use.",
)
@click.option(
    "--days", type=click.IntRange(1), default=30, show_default=True, help="Days that it exists."
)
@click.option(
    "--quotation",
    type=click.Path(exists=True, dir_okay=False),
    help="Prices from this file instead of the shipped list, to replay a quotation.",
)
@click.option("--diff", is_flag=True, help="Against what runs now, instead of from nothing.")
@click.option("--details", is_flag=True, help="Every line of the estimate.")
@json_option
def command(  # noqa: PLR0913 - one parameter for each option
    target: str | None,
    cloud: str | None,
    region: str | None,
    hours: float,
    days: int,
    quotation: str | None,
    diff: bool,
    details: bool,
    as_json: bool,
) -> None:
    """Say what a file will create, in order, and what it will cost. Needs no account.

    \b
    Examples:
      roost plan examples/ndvi.toml
      roost plan examples/ndvi.toml --cloud aws --hours 6 --days 5
      roost plan examples/training.toml --quotation examples/prices/training-2022.toml
      roost plan examples/ndvi.toml --diff
    """
    from roost.cli.target import spec_of, wanted_for
    from roost.plan.plan import plan_up
    from roost.spec.aws import check_region

    if region is not None:
        check_region(region)
    spec, _ = spec_of(target, cloud, region)
    wanted = wanted_for(spec)
    have = _have(spec, diff)
    plan = plan_up(wanted, have)
    cost = _estimate(wanted, spec, hours, days, quotation)
    if as_json:
        write_json(_as_json(spec, wanted, plan, cost))
        return
    _show_steps(spec, wanted, plan, have)
    _show_cost(spec, cost, details, target or "roost.toml")


def _have(spec: Spec, diff: bool) -> State:
    """What runs now, or nothing."""
    from roost.cli.target import connect
    from roost.plan.resources import State

    return connect(spec.cloud).observe(spec.name) if diff else State(name=spec.name)


def _estimate(
    wanted: Wanted, spec: Spec, hours: float, days: int, quotation: str | None
) -> Estimate | None:
    """The cost on AWS; None where roost knows no prices."""
    if spec.cloud != "aws" or spec.aws is None:
        return None
    from pathlib import Path

    from roost.catalogue import load
    from roost.plan.bill import bill_of
    from roost.prices.bill import Use
    from roost.prices.book import PriceBook
    from roost.prices.estimate import estimate
    from roost.prices.quotation import read_quotation

    book = PriceBook(load(), date.today(), read_quotation(Path(quotation)) if quotation else None)
    use = Use.daily(Decimal(str(hours)), days)
    return estimate(bill_of(wanted, spec.aws.region), use, book)


# --- for people --------------------------------------------------------------------------------


def _show_steps(spec: Spec, wanted: Wanted, plan: Plan, have: State) -> None:
    from roost.plan.steps import describe

    where = f" ({spec.aws.region})" if spec.cloud == "aws" and spec.aws else ""
    place = "your own machine" if spec.cloud == "local" else f"{spec.cloud}{where}"
    click.echo(click.style(f"{spec.name}: a {spec.kind} on {place}", bold=True))
    if plan.done and not have.empty:
        click.echo("\nIt runs as the file says; nothing to do.")
    elif plan.steps:
        click.echo("\nroost up will, in this order:")
        for number, step in enumerate(plan.steps, 1):
            click.echo(f"  {number}. {describe(step)}")
            for line in _details(step):
                click.echo(f"     {line}")
    for note in (*plan.notes, *_reach(spec)):
        click.echo(f"  - {note}")


def _details(step: object) -> list[str]:
    """What a step creates, one line for each volume, one for all instances of a batch."""
    from roost.plan.resources import Instance, Volume
    from roost.plan.steps import Create
    from roost.units import format_size

    if not isinstance(step, Create):
        return []
    if isinstance(step.resources[0], Instance):
        return [_shape(step.resources[0].shape)]
    volumes = [v for v in step.resources if isinstance(v, Volume)]
    lines = [f"{v.name}: {format_size(v.size_gib)} {v.type} at {v.mount}" for v in volumes]
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "..."]


def _shape(shape: Shape) -> str:
    from roost.units import format_size

    parts = [
        f"{shape.cpus} CPU" if shape.cpus else "",
        f"{shape.gpus} GPU" if shape.gpus else "",
        format_size(round(shape.memory_gib, 1)) if shape.memory_gib else "",
        f"{format_size(shape.disk_gib)} disk" if shape.disk_gib else "",
        shape.image,
        "spot" if shape.spot else "",
    ]
    return f"{shape.type}: " + ", ".join(part for part in parts if part)


def _reach(spec: Spec) -> tuple[str, ...]:
    if spec.cloud == "local":
        return ("reached from this machine only (loopback), with a token; Dask speaks TLS",)
    ssh = ", ".join("your own address" if s == "me" else s for s in spec.access.ssh) or "nobody"
    https = ", ".join("your own address" if s == "me" else s for s in spec.access.https)
    return (f"ssh from {ssh}" + (f"; https from {https}" if https else "; nothing else is open"),)


def _show_cost(spec: Spec, cost: Estimate | None, details: bool, target: str) -> None:
    if spec.cloud == "local":
        click.echo("\nIt costs nothing: it is your own machine.")
        if spec.aws:
            say(f"\nWhat the same costs on AWS: roost plan {target} --cloud aws")
        return
    if cost is None:
        click.echo("\nWhat it costs is unknown: roost has no prices of this cloud.")
        return
    hours, days = cost.hours.hours_running, cost.hours.hours_existing
    rows = [
        ("running, an hour", str(cost.running.amount), ""),
        ("stopped, an hour", str(cost.stopped.amount), ""),
        (f"{hours:g} h running within {days:g} h", str(cost.use.amount), ""),
        *(_parked_row(p) for p in cost.parked),
    ]
    click.echo("\n" + table(("COSTS", "USD", ""), rows, frozenset({1})))
    if details:
        cells = [_line_row(line) for line in cost.use.lines]
        header = ("ITEM", "QUANTITY", "PRICE", "USD", "FROM")
        click.echo(f"\nThe {hours:g} h running within {days:g} h, line by line:")
        click.echo(table(header, cells, frozenset({3})))
    for note in cost.notes:
        click.echo(f"  - {note}")
    click.echo(f"  - {_sources(cost)}")


def _parked_row(parked: object) -> tuple[str, str, str]:
    from roost.prices.parking import Parked

    assert isinstance(parked, Parked)
    name = f"s3 {parked.storage_class}" if parked.storage_class else parked.mode
    minimum = f"charged for {parked.minimum_days} days at least" if parked.minimum_days else ""
    back = parked.coming_back
    coming = f"coming back {back.amount}" if back.lines else ""
    note = "; ".join(part for part in (parked.note, minimum, coming) if part)
    return (f"parked ({name}), a month", str(parked.per_month.amount), note)


def _line_row(line: Line) -> tuple[str, str, str, str, str]:
    from roost.prices.rates import Unknown

    price = line.price
    if isinstance(price, Unknown):
        return (line.item, line.basis, "unknown", "unknown", price.reason)
    when = f", {price.date}" if price.date else ", undated"
    return (
        line.item,
        line.basis,
        f"{price.usd.normalize():f} per {price.unit}",
        str(line.amount),
        f"{price.source}{when}" + (f"; {line.note}" if line.note else ""),
    )


def _sources(cost: Estimate) -> str:
    from roost.prices.rates import Unknown

    found = sorted(
        {
            f"{line.price.source} ({line.price.date or 'undated'})"
            for line in cost.use.lines
            if not isinstance(line.price, Unknown)
        }
    )
    return "prices: " + "; ".join(found)


# --- for programs ------------------------------------------------------------------------------


def _as_json(spec: Spec, wanted: Wanted, plan: Plan, cost: Estimate | None) -> dict[str, object]:
    from dataclasses import asdict

    from roost.plan.steps import describe, subjects

    groups = [{"role": g.role, "count": g.count, **asdict(g.shape)} for g in wanted.groups]
    return {
        "name": spec.name,
        "kind": spec.kind,
        "cloud": spec.cloud,
        "region": spec.aws.region if spec.cloud == "aws" and spec.aws else None,
        "steps": [
            {"verb": type(s).__name__.lower(), "names": subjects(s), "text": describe(s)}
            for s in plan.steps
        ],
        "waiting": plan.waiting,
        "notes": plan.notes,
        "instances": groups,
        "volumes": [asdict(v) for v in wanted.volumes],
        "cost": _cost_json(spec, cost),
    }


def _cost_json(spec: Spec, cost: Estimate | None) -> dict[str, object]:
    if cost is not None:
        from dataclasses import asdict

        return {"known": cost.use.amount.known, **asdict(cost)}
    return {"known": spec.cloud == "local", "usd": 0 if spec.cloud == "local" else None}
