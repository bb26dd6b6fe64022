"""``roost plan``."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from roost.cli.options import cloud_option, file_argument, json_option
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.cost.estimate import Estimate
    from roost.model.resources import State, Wanted
    from roost.plan.up import Plan
    from roost.session import Session
    from roost.spec import Spec


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
@click.option("--details", is_flag=True, help="Every line of the estimate, and all its sources.")
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
      roost plan examples/training.toml --hours 8 --days 2 --details
      roost plan examples/prices/course-2022.toml --quotation examples/prices/training-2022.toml
      roost plan examples/ndvi.toml --diff
    """
    from roost.app.resolve import spec_of, wanted_for
    from roost.plan.up import plan_up
    from roost.providers.rules import check_region, regional, rules_of

    if region is not None:
        check_region(region)
    session = open_session(Place(cloud, region))
    spec = spec_of(session, target)
    rules, other = rules_of(spec.cloud), regional(spec.cloud)
    file = target or "roost.toml"
    if region is not None and rules.regions is None and other is not None:
        raise UsageError(
            f'--region is one of {other.title}, and the cloud is "{spec.cloud}"',
            next=command_line("roost", "plan", file, "--cloud", other.name, "--region", region),
        )
    wanted = wanted_for(spec)
    have = _have(session, spec, diff)
    plan = _with_warnings(plan_up(wanted, have), spec, file)
    cost = _estimate(wanted, spec, Decimal(str(hours)), days, quotation)
    if as_json:
        from roost.cli.text.plan_json import as_data

        write_json(as_data(spec, wanted, plan, cost))
        return
    from roost.cli.text.plan import cost_text, steps_text

    click.echo(steps_text(spec, plan, have))
    click.echo("\n" + cost_text(spec, cost, details))
    if not rules.rents and other is not None and other.name in spec.model_fields_set:
        say(
            f"\nWhat the same costs on {other.title}: "
            + command_line("roost", "plan", file, "--cloud", other.name)
        )


def _with_warnings(plan: Plan, spec: Spec, file: str) -> Plan:
    """And what the machines would lack."""
    from dataclasses import replace

    from roost.providers.registry import PROVIDERS, provider_of

    rights = provider_of(spec.cloud).rights if spec.cloud in PROVIDERS else None
    if rights is None:
        return plan
    notes = [f"{w.verdict}: {w.text} ({w.mend})" for w in rights.warnings(spec, file)]
    return replace(plan, notes=(*plan.notes, *notes))


def _have(session: Session, spec: Spec, diff: bool) -> State:
    """What runs now, or nothing."""
    from roost.app.resolve import connect
    from roost.model.resources import State

    return connect(session, spec).observe(spec.name) if diff else State(name=spec.name)


def _estimate(
    wanted: Wanted, spec: Spec, hours: Decimal, days: int, quotation: str | None
) -> Estimate | None:
    """The cost; None where roost knows no prices."""
    from roost.plan.bill import bill_for

    bill = bill_for(spec, wanted)
    if bill is None:
        return None
    from pathlib import Path

    from roost.catalogue import load
    from roost.cost.bill import Use
    from roost.cost.book import PriceBook
    from roost.cost.estimate import estimate
    from roost.cost.quotation import read_quotation

    book = PriceBook(
        load(spec.cloud), date.today(), read_quotation(Path(quotation)) if quotation else None
    )
    return estimate(bill, Use.daily(hours, days), book)
