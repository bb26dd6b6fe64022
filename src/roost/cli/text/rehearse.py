"""The report of ``roost rehearse``: ``schema/output/rehearse.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roost.cli.text.doctor import COLORS, finding_text
from roost.cli.text.money import amount_json

if TYPE_CHECKING:
    from roost.app.rehearse import Rehearsal, Tried


def report_text(report: Rehearsal) -> str:
    """Write what was tried on one seat, what all seats need, and what they cost."""
    planned, spec = report.planned, report.spec
    count = f"{spec.seats} seats" + (f" and {spec.spares} spare" if spec.spares else "")
    gate = ", behind a gateway" if spec.access.makes_gateway else ""
    lines = [
        click.style(f"Rehearsal of {spec.name}: {count}{gate}", bold=True),
        f"{report.begun:%Y-%m-%d %H:%M} UTC, on {planned.rules.place(spec)}",
        "",
        f"One seat, made as {report.name}:",
        *map(_tried, report.tried),
    ]
    if report.timings:
        lines += ["", "Its set-up, part by part:"]
        lines += [f"{one.seconds:8.1f} s  {one.node}: {one.text}" for one in report.timings]
    lines += ["", "All seats:", *map(finding_text, report.checks), *_price(report), ""]
    lines.append(f"The rehearsal has cost {report.spent}.")
    lines.append(f"STILL THERE: {', '.join(report.left)}" if report.left else "Nothing is left.")
    if report.problem is not None:
        lines.append(f"It failed: {report.problem.what}")
    if report.interrupted:
        lines.append("It was interrupted.")
    return "\n".join(lines)


def _tried(one: Tried) -> str:
    verdict = click.style(f"{one.verdict:8}", fg=COLORS[one.verdict])
    return f"{verdict}{one.seconds:8.1f} s  {one.what}: {one.text}"


def _price(report: Rehearsal) -> list[str]:
    cost = report.planned.cost
    if cost is None:
        return ["What they cost is unknown."]
    hours = f"{cost.hours.hours_running:g} h running within {cost.hours.hours_existing:g} h"
    return [
        f"They cost {cost.running.amount} an hour while they run; {hours}: {cost.use.amount}",
        *(f"  - {note}" for note in cost.notes),
    ]


def as_data(report: Rehearsal) -> dict[str, Any]:
    """Return the same for programs."""
    cost, spec = report.planned.cost, report.spec
    price = None
    if cost is not None:
        price = {
            "per_hour": amount_json(cost.running.amount),
            "hours_running": float(cost.hours.hours_running),
            "hours_existing": float(cost.hours.hours_existing),
            "use": amount_json(cost.use.amount),
            "notes": list(cost.notes),
        }
    return {
        "class": spec.name,
        "name": report.name,
        "begun": report.begun,
        "ok": report.ok,
        "seats": spec.seats,
        "spares": spec.spares,
        "tried": [
            {"what": t.what, "verdict": t.verdict, "seconds": round(t.seconds, 1), "text": t.text}
            for t in report.tried
        ],
        "set_up": [
            {"node": t.node, "text": t.text, "seconds": round(t.seconds, 1)} for t in report.timings
        ],
        "checks": [
            {"check": f.check, "verdict": f.verdict, "text": f.text, "mend": f.mend}
            for f in report.checks
        ],
        "price": price,
        "spent": report.spent,
        "left": list(report.left),
        "problem": report.problem.what if report.problem else None,
        "interrupted": report.interrupted,
    }
