"""The output of ``roost cost``: ``schema/output/cost.schema.json``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from roost.cli.output import table
from roost.cli.text.limits import differences, limits_json, time_text
from roost.cli.text.money import amount_json, section_json, sum_json
from roost.cost.rates import DOLLARS, ZERO, Amount, Unknown

if TYPE_CHECKING:
    from roost.app.cost import CostReport
    from roost.cost.rates import Section
    from roost.cost.spent import BudgetUse, Spent

NOT_COUNTED = "not counted: transfer to the internet, S3, tax, and what your contract gives"
AT_END = {"stop": "stops itself", "park": "stops itself, and is to be parked"}


# --- as text -------------------------------------------------------------------------------------


def cost_text(report: CostReport) -> str:
    """Write the cost so far by item, per hour, until the end; unknown costs; and the budget."""
    cost, end = report.cost, report.end
    parts = [_items(cost.spent), "", f"so far: {click.style(str(cost.spent), bold=True)}"]
    parts.append(f"an hour, as it is now: {cost.per_hour.amount}")
    if end is not None:
        left = "it has passed" if cost.until_end is None else f"{cost.until_end} more"
        parts.append(f"until its end time, {time_text(end)}: {left}")
    parts += [f"- {note}" for note in (*report.notes, *_unknown(cost.spent.most), NOT_COUNTED)]
    parts += [f"- {line}" for line in differences(report.name, report.stops)]
    if end is None and report.spec is not None and cost.per_hour.amount.usd:
        parts.append("- it has no end time: [schedule] end = ... in its file sets one")
    return "\n".join([*parts, *_budget_lines(report), *_billed_lines(report)])


def percent_text(budget: BudgetUse) -> str:
    """Return ``"85 %"``, or ``"3 % to 85 %"``."""
    if budget.least_percent == budget.most_percent:
        return f"{budget.most_percent} %"
    return f"{budget.least_percent} % to {budget.most_percent} %"


def _budget_lines(report: CostReport) -> list[str]:
    if report.budget is None:
        return []
    at_end = report.spec.budget.at_end if report.spec and report.spec.budget else "stop"
    then = f"at 100 % it {AT_END[at_end]}; nothing is deleted"
    return [f"budget {report.budget.budget}: {percent_text(report.budget)} is used; {then}"]


def _billed_lines(report: CostReport) -> list[str]:
    bill = report.billed
    if bill is None:
        return []
    begun = f"on the account's bill since {bill.since}"
    if bill.amount is None:
        return [f"{begun}: unknown: {bill.why}", *([f"  -> {bill.mend}"] if bill.mend else [])]
    billed = Amount(bill.amount, currency=DOLLARS if bill.currency == "USD" else bill.currency)
    return [f"{begun}: {billed}" + ("; it can still change" if bill.estimated else "")]


def _billed_json(report: CostReport) -> dict[str, Any] | None:
    bill = report.billed
    if bill is None:
        return None
    return {
        "amount": bill.amount,
        "currency": bill.currency if bill.amount is not None else None,
        "since": bill.since,
        "until": bill.until,
        "final": not bill.estimated if bill.amount is not None else None,
        "why": bill.why or None,
    }


def _items(spent: Spent) -> str:
    least, most = _by_item(spent.least), _by_item(spent.most)
    if spent.exact:
        rows = [(item, str(amount)) for item, amount in most.items()]
        return table(("WHAT", "SO FAR"), rows, frozenset({1}))
    nothing = str(Amount(Decimal(0), currency=spent.most.amount.currency))
    ranges = [
        (item, str(least[item]) if item in least else nothing, str(amount))
        for item, amount in most.items()
    ]
    return table(("WHAT", "AT LEAST", "AT MOST"), ranges, frozenset({1, 2}))


def _by_item(section: Section) -> dict[str, Amount]:
    sums: dict[str, Amount] = {}
    for line in section.lines:
        sums[line.item] = sums.get(line.item, ZERO) + line.amount
    return sums


def _unknown(section: Section) -> list[str]:
    reasons = {line.price.reason for line in section.lines if isinstance(line.price, Unknown)}
    return sorted(reasons)


# --- as JSON -------------------------------------------------------------------------------------


def as_data(report: CostReport) -> dict[str, Any]:
    """Return all of it, for programs."""
    cost = report.cost
    return {
        "name": report.name,
        "cloud": report.cloud.name,
        "region": report.cloud.region or None,
        "at": report.moment,
        "spent": {"least": section_json(cost.spent.least), "most": section_json(cost.spent.most)},
        "per_hour": section_json(cost.per_hour),
        "end": report.end,
        "limits": limits_json(report.stops),
        "until_end": None if cost.until_end is None else amount_json(cost.until_end),
        "budget": _budget_json(report),
        "billed": _billed_json(report),
        "notes": report.notes,
    }


def _budget_json(report: CostReport) -> dict[str, Any] | None:
    budget = report.budget
    if budget is None:
        return None
    return {
        **sum_json(budget.budget),
        "least_percent": budget.least_percent,
        "most_percent": budget.most_percent,
        "state": budget.state,
        "at_end": report.spec.budget.at_end if report.spec and report.spec.budget else None,
    }
