"""A plan and its cost as people read them, in 100 columns."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill
from typing import TYPE_CHECKING

import click

from roost.cli.output import table
from roost.cost.rates import Amount, Unknown
from roost.cost.site_prices import NONE_NAMED
from roost.cost.spent import scaled
from roost.errors import command_line
from roost.model.resources import Instance, Volume
from roost.model.steps import Create, Step, explain
from roost.units import format_size

if TYPE_CHECKING:
    from decimal import Decimal

    from roost.app.plan import Planned
    from roost.cost.estimate import Estimate
    from roost.cost.parking import Parked
    from roost.cost.rates import Line, Rate
    from roost.model.resources import Shape
    from roost.providers.rules import Rules
    from roost.spec import Spec
    from roost.spec.access import Access

WIDTH = 100
MOST_LINES = 6
"""Volumes that are listed one by one."""


# --- what will be done --------------------------------------------------------------------------


def steps_text(planned: Planned) -> str:
    """Return the place, each step in order with its reason, and who may reach the machines."""
    spec, plan = planned.spec, planned.plan
    lines = [
        click.style(f"{spec.name}: a {spec.kind} on {planned.rules.place(spec)}", bold=True),
        "",
    ]
    if plan.done and not planned.have.empty:
        lines.append("It runs as the file says; nothing to do.")
    if plan.steps:
        lines.append("roost up will, in this order:")
    for number, step in enumerate(plan.steps, 1):
        text = explain(step, first=planned.have.empty)
        lines.append(fill(text, WIDTH, initial_indent=f"{number:3}. ", subsequent_indent="     "))
        lines += [f"     {detail}" for detail in _details(step, planned.rules)]
    if plan.waiting:
        lines.append(_note(f"and wait for: {', '.join(plan.waiting)}"))
    rents = planned.rules.rents
    notes = (*plan.notes, *_workers(spec, rents=rents), _reach(spec, rents=rents))
    return "\n".join([*lines, *map(_note, notes)])


def _note(text: str) -> str:
    return fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _details(step: Step, rules: Rules) -> list[str]:
    """Describe a creation: one line for each volume, one for all instances of a batch."""
    if not isinstance(step, Create):
        return []
    if isinstance(step.resources[0], Instance):
        return [_shape(step.resources[0].shape, rules)]
    volumes = [v for v in step.resources if isinstance(v, Volume)]
    lines = [_volume(volume) for volume in volumes]
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "..."]


def _volume(volume: Volume) -> str:
    kind = f" {volume.type}" if volume.type else ""
    parts = [
        f"{volume.name}: {format_size(volume.size_gib)}{kind} at {volume.mount}",
        f"{volume.iops} IOPS" if volume.iops else "",
        f"{volume.throughput} MiB/s" if volume.throughput else "",
    ]
    return ", ".join(part for part in parts if part)


def _shape(shape: Shape, rules: Rules) -> str:
    parts = [
        f"{shape.cpus} CPU" if shape.cpus else "",
        f"{shape.gpus} GPU" if shape.gpus else "",
        format_size(round(shape.memory_gib, 1)) if shape.memory_gib else "",
        _disk(shape, rules),
        shape.image,
        _market(shape),
        f"role by {shape.machine_role.rpartition('/')[2]}" if shape.machine_role else "",
    ]
    others = f" (or {', or '.join(shape.others)})" if shape.others else ""
    return f"{shape.type}{others}: " + ", ".join(part for part in parts if part)


def _market(shape: Shape) -> str:
    if shape.spot and shape.max_price is not None:
        return f"spot, for at most ${shape.max_price:g} an hour each"
    return "spot" if shape.spot else ""


def _disk(shape: Shape, rules: Rules) -> str:
    if not shape.disk_gib:
        return ""
    if rules.disks is None and rules.rents:
        return f"the disk of its type (of {format_size(shape.disk_gib)} where that has none)"
    parts = [
        format_size(shape.disk_gib),
        f"{shape.disk_type} disk" if shape.disk_type else "disk",
        f"with {shape.disk_iops} IOPS" if shape.disk_iops else "",
        f"at {shape.disk_throughput} MiB/s" if shape.disk_throughput else "",
    ]
    return " ".join(part for part in parts if part)


def _workers(spec: Spec, *, rents: bool) -> tuple[str, ...]:
    """Say that the number follows the work, and whose doing that is."""
    if spec.kind != "cluster" or spec.workers.max is None:
        return ()
    least = spec.workers.min or 0
    who = f", while `{command_line('roost', 'follow', spec.name)}` runs" if rents else ""
    return (
        f"the number of workers follows the work, between {least} and {spec.workers.max}{who}; it"
        f" begins with {spec.workers.count}",
    )


def _reach(spec: Spec, *, rents: bool) -> str:
    if not rents:
        return "reached from this machine only (loopback), with a token; Dask speaks TLS"
    if spec.access.makes_gateway:
        return (
            f"the gateway alone is open: ssh from {_sources(spec.access.ssh)}; the others have a"
            " public address for their way out, which lets nobody in (and none where their network"
            " is private and leads out)"
        )
    if spec.access.reach != "public":
        return _reach_without_address(spec.access)
    ssh = _sources(spec.access.ssh) or "no address"
    https = _sources(spec.access.https)
    groups = spec.aws.security_groups if spec.aws else ()
    more = f" but what {', '.join(groups)} lets in" if groups else ""
    rest = f"; https from {https}" if https else "; nothing else is open"
    return f"ssh from {ssh}{rest}{more}"


def _reach_without_address(access: Access) -> str:
    opened = [
        f"{what} from {_sources(sources)}"
        for what, sources in (("ssh", access.ssh), ("https", access.https))
        if sources
    ]
    way = "AWS's Session Manager" if access.jump is None else access.jump
    return (
        f"no public address: reached through {way}; {'; '.join(opened) or 'nothing is open'}; what"
        " the network's way out costs (a NAT gateway) is not counted"
    )


def _sources(networks: Iterable[str]) -> str:
    return ", ".join("your own address" if one == "me" else one for one in networks)


# --- what it costs ------------------------------------------------------------------------------


def cost_text(planned: Planned, details: bool) -> str:
    """Return the cost by the hour, by the month, for the whole use, and parked.

    Where machines are there already, what changes in it; all of it only with ``details``.
    """
    cost = planned.cost
    if cost is None and not planned.rules.rents:
        return "It costs nothing: it is your own machine."
    if cost is None:
        return f"What it costs is unknown: {NONE_NAMED}."
    if planned.change is not None and not details:
        return difference_text(*planned.change)
    blocks = [_rates(cost), _use(cost), _parking(cost)]
    if details:
        blocks.append(_line_by_line(cost))
    notes = [*_budget(planned.spec, cost), *cost.notes, _origin(cost, details)]
    return "\n\n".join([*blocks, "\n".join(map(_note, notes))])


def difference_text(before: Estimate, after: Estimate) -> str:
    """Return what an hour and a month cost now, and then."""
    pairs = (
        ("running", before.running.amount, after.running.amount),
        ("stopped", before.stopped.amount, after.stopped.amount),
    )
    if all(old == new for _, old, new in pairs):
        running, stopped = (new for _, _, new in pairs)
        return f"The price stays: {running} an hour while it runs, {stopped} while it is stopped."
    rows = [
        (state, str(old), str(new), _more(old, new, after.hours_per_month))
        for state, old, new in pairs
    ]
    header = ("WHILE IT IS", "AN HOUR NOW", "AN HOUR THEN", "MORE A MONTH")
    notes = (*after.notes[:1], "all of the cost: the same with --details")
    return "\n\n".join([table(header, rows, frozenset({1, 2, 3})), "\n".join(map(_note, notes))])


def _more(old: Amount, new: Amount, hours: Decimal) -> str:
    """Return the difference of two rates over so many hours: ``"+$21.90"``, ``"-$3.00"``."""
    if not (old.known and new.known):
        return "unknown"
    more = (new.usd - old.usd) * hours
    return f"{'-' if more < 0 else '+'}{Amount(abs(more), currency=new.currency)}"


def _rates(cost: Estimate) -> str:
    rows = [
        (name, str(amount), str(_month(amount, cost)))
        for name, amount in (("running", cost.running.amount), ("stopped", cost.stopped.amount))
    ]
    return table(("WHILE IT IS", "AN HOUR", "A MONTH"), rows, frozenset({1, 2}))


def _month(amount: Amount, cost: Estimate) -> Amount:
    return scaled(amount, cost.hours_per_month)


def _use(cost: Estimate) -> str:
    use = cost.hours
    days = f"{use.hours_existing / 24:g} day{'' if use.hours_existing == 24 else 's'}"
    hours = f"{use.hours_running:g} h running, {use.hours_stopped:g} h stopped"
    return f"{days} of use, {hours}: {click.style(str(cost.use.amount), bold=True)}"


def _parking(cost: Estimate) -> str:
    header = ("PARKED", "A MONTH", "COMING BACK", "MINIMUM", "")
    return table(header, [_parked(way) for way in cost.parked], frozenset({1, 2, 3}))


def _parked(way: Parked) -> tuple[str, str, str, str, str]:
    name = f"s3 {way.storage_class}" if way.storage_class else way.mode
    back = str(way.coming_back.amount) if way.coming_back.lines else ""
    least = f"{way.minimum_days} days" if way.minimum_days else ""
    return (name, str(way.per_month.amount), back, least, way.mode.summary)


def _budget(spec: Spec, cost: Estimate) -> list[str]:
    if spec.budget is None:
        return []
    budget = Amount(spec.budget.value, currency=spec.budget.currency)
    beyond = ", and this use is beyond it" if cost.use.amount.usd > budget.usd else ""
    return [f"the budget is {budget}{beyond}"]


# --- line by line, and where the prices are from ------------------------------------------------


def _line_by_line(cost: Estimate) -> str:
    sources = dict.fromkeys(_source(rate) for rate in _known_rates(cost))
    numbers = {source: number for number, source in enumerate(sources, 1)}
    rows = [_line(line, numbers) for line in cost.use.lines]
    unit = cost.use.amount.currency
    header = ("THE USE", "QUANTITY", f"{unit} PER UNIT", unit, "FROM")
    unknown = {
        f"{line.item}: {line.price.reason}"
        for line in cost.use.lines
        if isinstance(line.price, Unknown)
    }
    notes = {f"{line.item}: {line.note}" for line in cost.use.lines if line.note}
    named = [f"[{number}] {source}" for source, number in numbers.items()]
    below = map(_note, (*named, *sorted(unknown | notes)))
    return "\n".join([table(header, rows, frozenset({3})), *below])


def _line(line: Line, numbers: dict[str, int]) -> tuple[str, str, str, str, str]:
    price, basis = line.price, line.basis.removesuffix(" a month")  # the unit says it again
    if isinstance(price, Unknown):
        return (line.item, basis, "unknown", "unknown", "")
    rate = f"{price.usd.normalize():f}/{price.unit}"
    return (line.item, basis, rate, str(line.amount), f"[{numbers[_source(price)]}]")


def _source(rate: Rate) -> str:
    return f"{rate.source} ({rate.date or 'undated'})"


def _known_rates(cost: Estimate) -> list[Rate]:
    """Return every price that stands behind a number above, those of the use first."""
    sections = [cost.use, *(s for way in cost.parked for s in (way.per_month, way.coming_back))]
    prices = [line.price for section in sections for line in section.lines]
    return [price for price in prices if not isinstance(price, Unknown)]


def _origin(cost: Estimate, details: bool) -> str:
    """Name the sources of the prices and their dates, in one line."""
    if details:
        return "prices: the sources above, each with its date"
    rates = [rate for rate in _known_rates(cost) if rate.usd]
    named = dict.fromkeys(f"{_brief(rate.source)} ({rate.date or 'undated'})" for rate in rates)
    first, *others = named or ("none is known",)
    more = f" and {len(others)} more" if others else ""
    return f"prices: {first}{more}; --details names every source"


def _brief(source: str) -> str:
    """Return the first words of a source: details follow a comma, semicolon or bracket."""
    for mark in (",", ";", " ("):
        source = source.partition(mark)[0]
    return source
