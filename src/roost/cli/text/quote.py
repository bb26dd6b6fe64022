"""What `roost quote` prints: ``schema/output/quote-astro.schema.json``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from roost.cli.output import table
from roost.cli.text.money import amount_json, section_json

if TYPE_CHECKING:
    from roost.cost.needs import Needs
    from roost.cost.quotes import Quote, Rule, Task


def quote_text(quote: Quote, prices: str) -> str:
    """Write the disk, the stages, the cost, the rules, and what to put into a file."""
    work, best = quote.work, quote.advice.best
    disk = [(one.what, f"{one.gib:,.1f}", one.basis) for one in work.disk]
    stages = [
        (
            task.name,
            _needs(task.needs),
            _short(task.hours),
            best.machine(task.name).type,
            f"{best.machine(task.name).usd:.4f}",
            task.basis,
        )
        for task in work.tasks
    ]
    costs = [(f"machines, {_short(best.hours)} h", str(best.cost))]
    costs += [(f"{one.item}: {one.basis}", str(one.amount)) for one in quote.stored.lines]
    costs += [("in all", str(quote.total))]
    if quote.total_on_one is not None and quote.advice.one is not None:
        type_ = quote.advice.one.legs[0].machine.type
        costs += [(f"on one machine for all ({type_})", str(quote.total_on_one))]
    return "\n".join(
        [
            work.title,
            "",
            table(("DISK", "GiB", "BECAUSE"), disk, frozenset({1})),
            f"a volume of {work.volume_gb:,} GB, with {_margin(quote)} times that sum",
            "",
            table(STAGES, stages, frozenset({2, 4})),
            "",
            table(("COST", "USD"), costs, frozenset({1})),
            "",
            *_rules(work.rules),
            "",
            "In a desktop's file (then: roost stages FILE):",
            *(f"  {line}".rstrip() for line in _file(quote)),
            "",
            f"on demand, Linux, before tax; {prices}. The hours are estimates by these rules, not"
            " promises: halve and double them before you decide.",
        ]
    )


STAGES = ("STAGE", "NEEDS", "HOURS", "MACHINE", "USD/HOUR", "BECAUSE")


def _margin(quote: Quote) -> str:
    return _short(next(rule.value for rule in quote.work.rules if rule.key == "margin"))


def _needs(needs: Needs) -> str:
    gpu = f", {needs.gpus} GPU of {_gpu_gb(needs)} GB" if needs.gpu_memory_gib else ""
    return f"{needs.cpus} CPUs, {needs.memory_gib:g} GB{gpu}"


def _gpu_gb(needs: Needs) -> str:
    return f"{(needs.gpu_memory_gib or 0) * 2**30 / 1e9:.4g}"


def _short(number: Decimal) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _rules(rules: tuple[Rule, ...]) -> list[str]:
    """Write the rules, and below them their sources by number."""
    sources = list(dict.fromkeys(rule.source for rule in rules if rule.source))

    def who(rule: Rule) -> str:
        if rule.yours:
            return "you"
        return f"[{sources.index(rule.source) + 1}]" if rule.source else "assumed"

    rows = [(rule.key, _short(rule.value), rule.says, who(rule)) for rule in rules]
    return [
        *table(("RULE", "NUMBER", "IS", "FROM"), rows, frozenset({1})).splitlines(),
        *(f"[{number}] {source}" for number, source in enumerate(sources, 1)),
        "--set RULE=NUMBER puts your own in its place",
    ]


def _file(quote: Quote) -> list[str]:
    """Return the tables of a file: the first stage's machine, the volume, the stages."""
    tasks = quote.work.tasks
    lines = ["[machine]", *_keys(tasks[0]), "", "[[volumes]]", 'name = "data"']
    lines += [f'size = "{quote.work.volume_gb}GB"']
    for task in tasks:
        lines += ["", "[[stages]]", f'name = "{task.name}"']
        lines += [f"needs = {{ {', '.join(_keys(task))} }}"]
        lines += [f"hours = {_short(max(task.hours, Decimal('0.01')))}"]
    return lines


def _keys(task: Task) -> list[str]:
    needs = task.needs
    keys = [f"cpus = {needs.cpus}", f'memory = "{needs.memory_gib:g}GB"']
    if needs.gpu_memory_gib:
        keys += [f"gpus = {needs.gpus}", f'gpu_memory = "{_gpu_gb(needs)}GB"']
    return keys


def as_data(quote: Quote) -> dict[str, object]:
    """Return the quote, for programs."""
    work, best = quote.work, quote.advice.best
    one = quote.total_on_one
    return {
        "title": work.title,
        "region": quote.region,
        "days": quote.days,
        "volume_gb": work.volume_gb,
        "disk": [{"what": part.what, "basis": part.basis, "gib": part.gib} for part in work.disk],
        "stages": [
            {
                "name": task.name,
                "cpus": task.needs.cpus,
                "memory_gib": task.needs.memory_gib,
                "gpus": task.needs.gpus or 0,
                "gpu_memory_gib": task.needs.gpu_memory_gib,
                "hours": task.hours,
                "basis": task.basis,
                "type": best.machine(task.name).type,
                "usd_per_hour": best.machine(task.name).usd,
            }
            for task in work.tasks
        ],
        "hours": best.hours,
        "machines": amount_json(best.cost),
        "stored": section_json(quote.stored),
        "total": amount_json(quote.total),
        "total_on_one_machine": None if one is None else amount_json(one),
        "rules": [
            {
                "rule": rule.key,
                "number": rule.value,
                "is": rule.says,
                "source": rule.source or None,
                "yours": rule.yours,
            }
            for rule in work.rules
        ],
    }
