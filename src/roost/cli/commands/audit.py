"""``roost audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import json_option
from roost.cli.output import say, table, write_json
from roost.errors import PartlyDoneError, UsageError
from roost.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.cost.inventory import Audit, Inventory, Row

NOTES = (
    "USD before tax; a month is 730 hours as it is now; snapshots at most, by what they can hold",
    "not counted: S3, transfer to the internet",
)


@click.command("audit")
@click.option("--all-regions", is_flag=True, help="Look in every region of the account.")
@click.option("--region", metavar="REGION", help="Look in this region only.")
@click.option("--profile", metavar="PROFILE", help="The profile of your AWS credentials.")
@json_option
def command(all_regions: bool, region: str | None, profile: str | None, as_json: bool) -> None:
    """List everything of roost's that costs money, with what it costs a month.

    What lost its record comes first. It looks in your configured region and in those that this
    computer has used. What is not roost's and costs while nobody uses it (volumes on no machine,
    idle addresses) is a hint at the end; roost never touches it.

    \b
    Examples:
      roost audit
      roost audit --all-regions
      roost audit --all-regions --json | jq .per_month.usd
    """
    from roost.cli.text.money import todays_book
    from roost.cost.inventory import audit

    if all_regions and region is not None:
        raise UsageError("all regions, or one of them?", next="roost audit --all-regions")
    inventories = _look(Place(None, region, profile), every=all_regions)
    found = audit(inventories, todays_book())
    if as_json:
        write_json(_as_json(found, inventories))
    else:
        _print(found, inventories)
    unknown = [f"{one.region}: {one.unknown}" for one in inventories if one.unknown]
    if unknown:
        raise PartlyDoneError("what is there is unknown of " + "; ".join(unknown))


def _look(place: Place, *, every: bool) -> tuple[Inventory, ...]:
    """What each provider that can be audited has, in all regions to look in."""
    from roost.providers.registry import providers

    inventories: list[Inventory] = []
    for auditor in (provider.auditor for provider in providers()):
        if auditor is not None:
            regions = auditor.regions(place, every=every)
            many = len(regions) > 1
            say(f"looking in {len(regions)} regions" if many else f"looking in {regions[0]}")
            inventories += auditor.look(regions, place)
    return tuple(inventories)


# --- as text -------------------------------------------------------------------------------------


def _print(found: Audit, inventories: tuple[Inventory, ...]) -> None:
    places = ", ".join(one.region for one in inventories if not one.unknown)
    if found.rows:
        click.echo(_table(found.rows))
        click.echo(f"\na month: {click.style(str(found.per_month), bold=True)}")
        click.echo("\n".join(["to end it:", *(f"  {end}" for end in _ends(found.rows))]))
        click.echo("  (data volumes, snapshots and images stay unless you type their names)")
    elif places:
        click.echo(f"nothing of roost's costs anything in {places}")
    if found.free:
        click.echo(f"and {found.free} of roost's things that cost nothing by themselves")
    if found.hints:
        click.echo("\nNot roost's, and used by nothing; look what it is before you delete it:")
        click.echo(_hints(found.hints))
    notes = (*_unknown(found), *_parked(inventories), *NOTES)
    click.echo("\n" + "\n".join(f"- {note}" for note in notes))


def _parked(inventories: tuple[Inventory, ...]) -> list[str]:
    return [f"in your bucket, not counted: {note}" for one in inventories for note in one.notes]


def _table(rows: tuple[Row, ...]) -> str:
    cells = [
        (
            one.found.name + (" (no record)" if one.found.orphan else ""),
            one.found.region,
            _what(one),
            str(one.per_month.amount),
        )
        for one in rows
    ]
    return table(("NAME", "REGION", "WHAT", "A MONTH"), cells, frozenset({3}))


def _hints(rows: tuple[Row, ...]) -> str:
    cells = [(_what(one), str(one.per_month.amount), one.found.end) for one in rows]
    return table(("WHAT", "A MONTH", "TO END IT"), cells, frozenset({1}))


def _what(row: Row) -> str:
    count = len(row.found.ids)
    return f"{count} x {row.found.what}" if count > 1 else row.found.what


def _ends(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.found.end for row in rows))


def _unknown(found: Audit) -> list[str]:
    from roost.cost.rates import Unknown

    lines = [line for row in found.rows for line in row.per_month.lines]
    return sorted({line.price.reason for line in lines if isinstance(line.price, Unknown)})


# --- as JSON -------------------------------------------------------------------------------------


def _as_json(found: Audit, inventories: tuple[Inventory, ...]) -> dict[str, Any]:
    from roost.cli.text.money import amount_json

    return {
        "regions": [
            {"region": one.region, "known": not one.unknown, "reason": one.unknown or None}
            for one in inventories
        ],
        "found": [_row(row) for row in found.rows],
        "hints": [_row(row) for row in found.hints],
        "free": found.free,
        "per_month": amount_json(found.per_month),
        "notes": [*_parked(inventories), *NOTES],
    }


def _row(row: Row) -> dict[str, Any]:
    from roost.cli.text.money import section_json

    found = row.found
    return {
        "region": found.region,
        "name": found.name,
        "kind": found.kind,
        "what": found.what,
        "orphan": found.orphan,
        "ids": found.ids,
        "per_month": section_json(row.per_month),
        "next": found.end,
    }
