"""The texts of parking: what a parked name left, what each way to park costs, copies in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roost.cli.output import say, table, write_json
from roost.errors import command_line

if TYPE_CHECKING:
    from roost.app.park import Advised, Parked
    from roost.model.resources import S3Copy, State
    from roost.parking.advice import Advice, Option, VolumeAdvice


# --- copies in S3 --------------------------------------------------------------------------------


def removal_command(copy: S3Copy) -> str:
    """Return the command that removes a copy from the user's bucket; roost never does."""
    endpoint = ("--endpoint-url", copy.endpoint) if copy.endpoint else ()
    return command_line("aws", "s3", "rm", "--recursive", copy.place, *endpoint)


# --- parked --------------------------------------------------------------------------------------


def report(parked: Parked, as_json: bool) -> None:
    """Say what is left of a parked name, and how to bring it back."""
    state = parked.state
    if as_json:
        write_json(_parked_json(state))
        return
    for note in parked.notes:
        say(f"note: {note}")
    left = [f"snapshot of {s.volume} ({s.tier})" for s in state.snapshots]
    left += [copy.description for copy in state.s3_copies]
    left += [f"image of {i.instance}" for i in state.images]
    left += [f"{i.name} {i.state}" for i in state.instances]
    say(f"{state.name} is parked: {', '.join(left) or 'nothing of it needed keeping'}")
    say(
        f"`{command_line('roost', 'resume', state.name)}` brings it back;"
        f" `{command_line('roost', 'cost', state.name)}` says what it costs"
    )


def _parked_json(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "snapshots": [
            {"id": s.name, "volume": s.volume, "size_gib": s.size_gib, "tier": s.tier}
            for s in state.snapshots
        ],
        "stored": [
            {"volume": copy.name, "place": copy.place, "used_gib": copy.used_gib}
            for copy in state.s3_copies
        ],
        "images": [{"id": i.name, "instance": i.instance} for i in state.images],
        "volumes": [v.name for v in state.volumes],
        "instances": [i.name for i in state.instances],
        "addresses": [a.ip for a in state.addresses],
    }


# --- advice --------------------------------------------------------------------------------------


def show_advice(advised: Advised, as_json: bool) -> None:
    """Show each volume's ways to park, and the cheapest."""
    state, days = advised.state, advised.days
    if as_json:
        volumes = [_advice_json(volume) for volume in advised.volumes]
        write_json({"name": state.name, "days": days, "volumes": volumes})
        return
    if not advised.volumes:
        say(f"{state.name} has no data volumes")
    for copy in state.s3_copies:
        if copy.name not in {volume.name for volume in advised.volumes}:
            say(f"{copy.description}: it is parked there")
    for volume in advised.volumes:
        used = f" ({volume.used_gib:g} GiB used)" if volume.used_gib else ""
        title = f"volume {volume.name}, {volume.size_gib:g} GiB{used}, parked for {days} days"
        click.echo(click.style(title, bold=True))
        click.echo(_advice_text(volume.advice))


def _advice_text(advice: Advice) -> str:
    rows = [
        (
            option.name,
            str(option.parked.per_month.amount),
            str(option.parked.coming_back.amount),
            f"{option.parked.minimum_days} days" if option.parked.minimum_days else "",
            str(option.total),
            _remark(option, advice),
        )
        for option in advice.options
    ]
    header = ("WAY", "A MONTH", "COMING BACK", "MINIMUM", f"{advice.days} DAYS", "")
    return f"{table(header, rows, frozenset({1, 2, 4}))}\n{advice.reason}\n"


def _remark(option: Option, advice: Advice) -> str:
    return "<- cheapest" if option is advice.best else ""


def _advice_json(volume: VolumeAdvice) -> dict[str, Any]:
    from roost.cli.text.money import amount_json

    advice = volume.advice
    return {
        "volume": volume.name,
        "best": advice.best.name if advice.best else None,
        "reason": advice.reason,
        "ways": [
            {
                "way": option.name,
                "per_month": amount_json(option.parked.per_month.amount),
                "coming_back": amount_json(option.parked.coming_back.amount),
                "minimum_days": option.parked.minimum_days,
                "days_charged": option.days_charged,
                "total": amount_json(option.total),
            }
            for option in advice.options
        ],
    }
