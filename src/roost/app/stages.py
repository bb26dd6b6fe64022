"""Say which stages of work pay for a machine of their own, and change to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from roost.errors import RoostError, UsageError, command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.app.lifecycle import Running
    from roost.catalogue import Catalogue
    from roost.cost.book import PriceBook
    from roost.cost.rates import Amount
    from roost.cost.stages import Advice, Priced
    from roost.model.resources import Wanted
    from roost.session import Session
    from roost.spec import Spec
    from roost.spec.machine import Power

CHANGE = timedelta(minutes=5)
"""To stop a machine, change its type, start it and reach it again, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Advised:
    """The advice for a file's stages, and the machine with which `roost up` would begin."""

    spec: Spec
    begins_with: str
    advice: Advice
    change: timedelta
    prices: str


def advised(session: Session, target: str | None, change: timedelta = CHANGE) -> Advised:
    """Return the advice for the stages of a file or a name. Raises UsageError without stages."""
    from roost.app.resolve import spec_of

    return advice_for(spec_of(session, target), change)


def advice_for(spec: Spec, change: timedelta = CHANGE) -> Advised:
    """Return the advice for the stages of a spec. Raises UsageError, RoostError."""
    from roost.app.prices import todays_book
    from roost.app.resolve import wanted_for
    from roost.cost.stages import Stage, Terms, advise
    from roost.providers.rules import rules_of

    stages = spec.stages if spec.kind == "desktop" else ()
    if not stages:
        raise UsageError(
            f"{spec.name} has no [[stages]]",
            next="[[stages]] with name, needs = { cpus = 8 } and hours = 12 in a desktop's file",
        )
    region = rules_of(spec.cloud).price_region(spec)
    book = todays_book()
    if region is None or region not in book.catalogue.regions:
        title = rules_of(spec.cloud).title
        raise RoostError(f"roost has no list of the machines of {title}: it cannot compare them")
    wanted = wanted_for(spec)
    hours = Decimal(int(change.total_seconds())) / 3600
    found = advise(
        [
            Stage(
                stage.name,
                Decimal(str(stage.hours)),
                _machines(spec, stage.name, stage.needs, book.catalogue, region),
            )
            for stage in stages
        ],
        Terms(hours, _rest(spec, wanted, book)),
    )
    prices = f"{book.catalogue.source.partition(',')[0]} of {book.catalogue.published}, in {region}"
    return Advised(spec, wanted.groups[0].shape.type, found, change, prices)


def change_to(session: Session, name: str, wanted: str, *, start: bool = True) -> Running:
    """Change a desktop's machine to the one that is advised for a stage."""
    from roost.app.resize import change_machine

    def machine(spec: Spec) -> Mapping[str, str]:
        verdicts = advice_for(spec).advice.verdicts
        by_name = {one.stage.name: one.advised.type for one in verdicts}
        if wanted not in by_name:
            raise UsageError(
                f"{name} has no stage {wanted}; it has: {', '.join(by_name)}",
                next=command_line("roost", "stages", name),
            )
        return {"type": by_name[wanted]}

    return change_machine(session, name, None, machine, start=start)


def _machines(
    spec: Spec, name: str, needs: Power, catalogue: Catalogue, region: str
) -> tuple[Priced, ...]:
    """Return the machines for a stage; all its CPUs are busy, so none is burstable."""
    from roost.cost.machines import why_none
    from roost.cost.stages import Priced, machines_for

    if needs.exact:
        prices = catalogue.region(region)
        rate = prices.instance(needs.exact[0]) if prices is not None else None
        named = [Priced(needs.exact[0], rate)] if rate is not None else []
        found = tuple(named)
        why = f"no price of {needs.exact[0]} in {region}"
    else:
        wanted = needs.needs(burstable=False)
        found = machines_for(catalogue, region, wanted)
        why = "" if found else why_none(catalogue, region, wanted).reason
    if not found:
        raise RoostError(f"stage {name} of {spec.name}: {why}", next="other needs for this stage")
    return found


def _rest(spec: Spec, wanted: Wanted, book: PriceBook) -> Amount:
    """Return what all but the machine costs an hour: disks, volumes, addresses."""
    from roost.cost.bill import Bill, Instances, Use
    from roost.cost.charges import lasting
    from roost.cost.rates import total
    from roost.plan.bill import bill_for

    bill = bill_for(spec, wanted) or Bill()
    rest = Bill(tuple(item for item in bill.items if not isinstance(item, Instances)))
    return total(line.amount for line in lasting(rest, Use(1, 1), book))
