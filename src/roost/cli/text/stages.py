"""What `roost stages` prints: ``schema/output/stages.schema.json``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from roost.cli.output import table
from roost.cli.text.money import amount_json
from roost.cost.rates import Amount
from roost.errors import command_line
from roost.units import format_span

if TYPE_CHECKING:
    from decimal import Decimal

    from roost.app.stages import Advised
    from roost.cost.stages import Verdict, Way

HEADER = ("STAGE", "HOURS", "CHEAPEST FOR IT", "USD/HOUR", "ADVISED", "BECAUSE")
WAYS = ("WAY", "CHANGES", "TAKES", "COSTS")


def stages_text(found: Advised) -> str:
    """Write the stages, the ways compared, and what to type."""
    advice, name = found.advice, found.spec.name
    rows = [
        (
            one.stage.name,
            _number(one.stage.hours),
            one.own.type,
            f"{one.own.usd:.4f}",
            one.advised.type,
            _because(one, found),
        )
        for one in advice.verdicts
    ]
    ways = [_way(f"one machine for all: {_types(advice.one)}", advice.one)] if advice.one else []
    ways += [_way("the cheapest for each", advice.each), _way("advised", advice.best)]
    lines = [table(HEADER, rows, frozenset({1, 3})), ""]
    if advice.one is None:
        lines += ["No machine has what all stages need together.", ""]
    lines += [table(WAYS, ways, frozenset({1, 2, 3})), "", _begins(found)]
    lines += [
        f"then, before {leg.stages[0]}: {command_line('roost', 'stage', name, leg.stages[0])}"
        for leg in advice.best.legs[1:]
    ]
    return "\n".join([*lines, "", *_notes(found)])


def _because(one: Verdict, found: Advised) -> str:
    change = format_span(found.change)
    if one.saves is None:
        return "no machine fits all stages"
    if one.saves > 0:
        then = f", for a change of {change}" if one.change else ""
        return f"saves {Amount(one.saves)}{then}"
    if one.advised == one.own:
        return "no cheaper one fits"
    pays = f"; pays from {_hours(one.pays_from)} on" if one.pays_from is not None else ""
    return f"a change would cost more than {one.own.type} saves{pays}"


def _way(name: str, way: Way) -> tuple[str, ...]:
    return name, str(way.changes), _hours(way.hours), str(way.cost)


def _types(way: Way | None) -> str:
    return ", ".join(leg.machine.type for leg in way.legs) if way is not None else ""


def _begins(found: Advised) -> str:
    first = found.advice.best.legs[0]
    if first.machine.type == found.begins_with:
        return f"`roost up` begins with {first.machine.type}, as advised"
    return (
        f"[machine] in the file makes a {found.begins_with}; to begin as advised:"
        f' type = "{first.machine.type}" there'
    )


def _notes(found: Advised) -> list[str]:
    return [
        f"A change takes {format_span(found.change)} (--change) and is counted in full at the next"
        " machine's price, which is the most that it can be.",
        f"Disks, volumes and addresses are in the costs: {found.advice.terms.rest} an hour."
        " Machines are counted as busy, so none is burstable.",
        f"on demand, Linux, before tax; {found.prices}",
    ]


def _number(hours: Decimal) -> str:
    return f"{hours.normalize():f}"


def _hours(hours: Decimal) -> str:
    """Format 42.25 as 1d18h15m, to the minute."""
    return format_span(timedelta(minutes=max(1, round(hours * 60))))


def as_data(found: Advised) -> dict[str, object]:
    """Return the advice, for programs."""
    advice = found.advice
    return {
        "name": found.spec.name,
        "change_minutes": found.change.total_seconds() / 60,
        "rest_per_hour": amount_json(advice.terms.rest),
        "begins_with": found.begins_with,
        "stages": [
            {
                "name": one.stage.name,
                "hours": one.stage.hours,
                "cheapest": one.own.type,
                "cheapest_usd_per_hour": one.own.usd,
                "advised": one.advised.type,
                "advised_usd_per_hour": one.advised.usd,
                "change": one.change,
                "saves_usd": one.saves,
                "pays_from_hours": one.pays_from,
            }
            for one in advice.verdicts
        ],
        "one": _way_json(advice.one) if advice.one is not None else None,
        "each": _way_json(advice.each),
        "advised": _way_json(advice.best),
        "source": found.prices,
    }


def _way_json(way: Way) -> dict[str, object]:
    return {
        "machines": [
            {"type": leg.machine.type, "stages": leg.stages, "hours": leg.hours} for leg in way.legs
        ],
        "changes": way.changes,
        "hours": way.hours,
        "cost": amount_json(way.cost),
    }
