"""``roost cost``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, table, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.cost.rates import Amount, Section
    from roost.cost.spent import BudgetUse, Cost, Spent
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.spec import Spec


@click.command("cost")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Say what it has cost so far, costs an hour now, and will have cost by its end time.

    By the shipped price list, before tax. It is counted from what the cloud describes and from a
    history in tags; where nobody knows when something ended, it says "between".

    \b
    Examples:
      roost cost ndvi
      roost cost ndvi --json | jq .spent.most.usd
    """
    session = open_session(place)
    from roost.app.resolve import existing, locate
    from roost.spec import from_json

    cloud = locate(session, name)
    state = existing(cloud, name)
    spec = from_json(state.record) if state.record else None
    moment = now()
    found = _cost(cloud, name, spec, moment)
    found = replace(found, notes=(*found.notes, *_in_s3(cloud, state)))
    budget = _budget(spec, found.spent)
    if as_json:
        write_json(_as_json(name, cloud, spec, found, budget, moment))
    elif not cloud.can.rents:
        click.echo("It costs nothing: it is your own machine.")
    else:
        click.echo(_text(found, spec))
        for line in _budget_lines(budget, spec):
            click.echo(line)
    if budget is not None and budget.state != "within":
        say(f"roost: {name} has used {_percent(budget)} of its budget")


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def _in_s3(cloud: Cloud, state: State) -> list[str]:
    """What copies in the user's buckets cost: no tag says since when, so it is a price only."""
    from roost.cli.text.money import todays_book
    from roost.cli.text.parking import describe_copy
    from roost.cost.rates import charge, section
    from roost.plan.bill import gb
    from roost.plan.wanted import volumes_of
    from roost.spec import from_json

    if not state.s3_copies:
        return []
    book, notes = todays_book(), []
    file = volumes_of(from_json(state.record)) if state.record else {}
    for copy in state.s3_copies:
        kind = file[copy.name].park_class if copy.name in file else "STANDARD"
        price = book.s3(copy.region or cloud.region, kind)
        lines = charge(copy.name, f"{copy.used_gib:g} GB", Decimal(gb(copy.used_gib)), price)
        amount = "its price is unknown" if copy.endpoint else f"{section(lines).amount} a month"
        notes.append(f"{describe_copy(copy)}, not counted above: {amount}")
    return notes


def _cost(cloud: Cloud, name: str, spec: Spec | None, moment: datetime) -> Cost:
    from roost.cost.rates import section
    from roost.cost.spent import Cost, Spent, cost

    if cloud.can.history is None:
        nothing = section(())
        return Cost(Spent(nothing, nothing), nothing, None, ())
    from roost.catalogue import load
    from roost.cost.book import PriceBook

    ledger, there = cloud.can.history.history(name, moment)
    end = spec.schedule.end if spec else None
    book = PriceBook(load(), moment.date())
    return cost(ledger, there, cloud.region, book, int(end.timestamp()) if end else None)


# --- the budget ----------------------------------------------------------------------------------


def _budget(spec: Spec | None, spent: Spent) -> BudgetUse | None:
    from roost.cost.spent import budget_use

    if spec is None or spec.budget is None:
        return None
    return budget_use(spec.budget.usd, spent)


def _budget_lines(budget: BudgetUse | None, spec: Spec | None) -> list[str]:
    from roost.cost.rates import Amount

    if budget is None or spec is None or spec.budget is None:
        return []
    itself = {"stop": "stops itself", "park": "stops itself, and is to be parked"}
    then = f"at 100 % it {itself[spec.budget.at_end]}; nothing is deleted"
    return [f"budget {Amount(budget.usd)}: {_percent(budget)} is used; {then}"]


def _percent(budget: BudgetUse) -> str:
    if budget.least_percent == budget.most_percent:
        return f"{budget.most_percent} %"
    return f"{budget.least_percent} % to {budget.most_percent} %"


# --- as text -------------------------------------------------------------------------------------


def _text(found: Cost, spec: Spec | None) -> str:
    parts = [_lines(found.spent), "", f"so far: {click.style(str(found.spent), bold=True)}"]
    parts.append(f"an hour, as it is now: {found.per_hour.amount}")
    end = spec.schedule.end if spec else None
    if end is not None:
        local = end.strftime("%Y-%m-%d %H:%M %z")
        left = "it has passed" if found.until_end is None else f"{found.until_end} more"
        parts.append(f"until its end time, {local}: {left}")
    parts += [f"- {note}" for note in (*found.notes, *_unknown(found.spent.most), NOT_COUNTED)]
    if end is None and found.per_hour.amount.usd:
        parts.append("- it has no end time: [schedule] end = ... in its file sets one")
    return "\n".join(parts)


NOT_COUNTED = "not counted: transfer to the internet, S3, tax, and what your contract gives"


def _lines(spent: Spent) -> str:
    least, most = _by_item(spent.least), _by_item(spent.most)
    if spent.exact:
        rows = [(item, str(amount)) for item, amount in most.items()]
        return table(("WHAT", "SO FAR"), rows, frozenset({1}))
    nothing = "$0.00"
    ranges = [
        (item, str(least[item]) if item in least else nothing, str(amount))
        for item, amount in most.items()
    ]
    return table(("WHAT", "AT LEAST", "AT MOST"), ranges, frozenset({1, 2}))


def _by_item(section: Section) -> dict[str, Amount]:
    from roost.cost.rates import ZERO

    found: dict[str, Amount] = {}
    for line in section.lines:
        found[line.item] = found.get(line.item, ZERO) + line.amount
    return found


def _unknown(section: Section) -> list[str]:
    from roost.cost.rates import Unknown

    reasons = {line.price.reason for line in section.lines if isinstance(line.price, Unknown)}
    return sorted(reasons)


# --- as JSON -------------------------------------------------------------------------------------


def _as_json(
    name: str,
    cloud: Cloud,
    spec: Spec | None,
    found: Cost,
    budget: BudgetUse | None,
    moment: datetime,
) -> dict[str, Any]:
    from roost.cli.text.money import amount_json, section_json

    end = spec.schedule.end if spec else None
    at_end = spec.budget.at_end if spec and spec.budget else None
    return {
        "name": name,
        "cloud": cloud.name,
        "region": cloud.region or None,
        "at": moment,
        "spent": {
            "least": section_json(found.spent.least),
            "most": section_json(found.spent.most),
        },
        "per_hour": section_json(found.per_hour),
        "end": end,
        "until_end": None if found.until_end is None else amount_json(found.until_end),
        "budget": None
        if budget is None
        else {
            "usd": budget.usd,
            "least_percent": budget.least_percent,
            "most_percent": budget.most_percent,
            "state": budget.state,
            "at_end": at_end,
        },
        "notes": found.notes,
    }
