"""What ``roost park --advise`` says: each way to park a volume, and the cheapest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roost.cli.output import say, table, write_json

if TYPE_CHECKING:
    from roost.cost.advice import Advice, Option
    from roost.model.resources import State
    from roost.providers.provider import Cloud


def show(cloud: Cloud, have: State, days: int, as_json: bool) -> None:
    """Every volume's ways, for a pause of ``days``."""
    from roost.parking.s3 import text_of

    found = advice(cloud, have, days)
    if as_json:
        write_json({"name": have.name, "days": days, "volumes": [_json(*one) for one in found]})
        return
    if not found:
        say(f"{have.name} has no data volumes")
    for copy in have.stored:
        if copy.name not in {name for name, _, _ in found}:
            say(f"{text_of(copy)}: it is parked there")
    for name, size, one in found:
        click.echo(click.style(f"volume {name}, {size}, parked for {days} days", bold=True))
        click.echo(_text(one))


def advice(cloud: Cloud, have: State, days: int) -> list[tuple[str, str, Advice]]:
    """Name, size and advice of each volume; by what is written to it, where that is known."""
    from roost.app.prices import todays_book
    from roost.cost.advice import advise
    from roost.cost.bill import Volumes
    from roost.plan.bill import gb

    book = todays_book()
    used = {copy.name: copy.used_gib for copy in have.stored}
    used |= {s.volume: s.used_gib for s in reversed(have.snapshots) if s.used_gib is not None}
    found = []
    for volume in have.volumes:
        stored = used.get(volume.name)
        item = Volumes(
            gb(volume.size_gib),
            cloud.region,
            volume.type,
            1,
            volume.iops,
            volume.throughput,
            None if stored is None else gb(stored),
        )
        size = f"{volume.size_gib:g} GiB" + (f" ({stored:g} GiB used)" if stored else "")
        found.append((volume.name, size, advise((item,), days, book)))
    return found


def _text(found: Advice) -> str:
    rows = [
        (
            option.name,
            str(option.parked.per_month.amount),
            str(option.parked.coming_back.amount),
            f"{option.parked.minimum_days} days" if option.parked.minimum_days else "",
            str(option.total),
            _remark(option, found),
        )
        for option in found.options
    ]
    header = ("WAY", "A MONTH", "COMING BACK", "MINIMUM", f"{found.days} DAYS", "")
    return f"{table(header, rows, frozenset({1, 2, 4}))}\n{found.reason}\n"


def _remark(option: Option, found: Advice) -> str:
    return "<- cheapest" if option is found.best else ""


def _json(name: str, size: str, found: Advice) -> dict[str, Any]:
    from roost.cli.text.money import amount_json

    del size
    return {
        "volume": name,
        "best": found.best.name if found.best else None,
        "reason": found.reason,
        "ways": [
            {
                "way": option.name,
                "per_month": amount_json(option.parked.per_month.amount),
                "coming_back": amount_json(option.parked.coming_back.amount),
                "minimum_days": option.parked.minimum_days,
                "days_charged": option.days_charged,
                "total": amount_json(option.total),
            }
            for option in found.options
        ],
    }
