"""The user-data of the machines of one launch, from the recorded spec. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from roost.model.resources import Instance, Role, Wanted
from roost.providers.rules import rules_of
from roost.recipes.user_data import Rates, facts_of, machine_json, user_data

if TYPE_CHECKING:
    from roost.spec import Spec


def boot(
    record: str, nodes: str, first: Instance, head: str | None, devices: Sequence[str]
) -> bytes:
    """Return the user-data of a launch of ``nodes`` (``"worker-1..3"``), of which ``first`` is one.

    ``head`` is the head's private address, for workers; ``devices`` the names (slots on OpenStack)
    under which the spec's volumes are attached, in their order. Raises UsageError where it is too
    long.
    """
    from roost.spec import from_json

    spec = from_json(record)
    rules = rules_of(spec.cloud)
    rates = rates_of(spec, {first.role: first.shape.type})
    facts = facts_of(spec, first.role, nodes, devices, rates=rates, head=head)
    return user_data(replace(facts, spot=rules.launch.notices and first.shape.spot), rules)


def limits_of(spec: Spec, role: Role, types: Mapping[Role, str]) -> dict[str, Any]:
    """Return what stops machines of a role by themselves, as they read it.

    ``types`` are those of the machines that are there, by role.
    """
    facts = machine_json(facts_of(spec, role, "", (), rates=rates_of(spec, types)))
    return {key: facts[key] for key in ("idle", "end", "run", "budget") if key in facts}


def rates_of(spec: Spec, types: Mapping[Role, str]) -> Rates | None:
    """Return the cost per hour, for the machine to count by itself.

    ``types`` are those of the machines by role, which count where only the site knew what fits.
    None where there is no budget, or a part has no known price: then nothing can be counted.
    """
    from roost.cost.spent import rate_per_hour
    from roost.model.host import Host
    from roost.plan.bill import bill_for, book_of
    from roost.plan.wanted import wanted_of

    if spec.budget is None or rules_of(spec.cloud).price_region(spec) is None:
        return None
    book = book_of(spec.cloud, spec, datetime.now(UTC).date())

    def rates(part: Spec) -> tuple[float, float] | None:
        wanted = wanted_of(part, Host(0, 0))
        if book.site is not None:
            wanted = _with_types(wanted, types)
        bill = bill_for(part, wanted)
        assert bill is not None
        running, stopped = rate_per_hour(bill, book)
        return None if running is None or stopped is None else (float(running), float(stopped))

    if spec.kind == "classroom":
        seats = spec.seats if spec.access.makes_gateway else 1  # they share what that costs
        all_ = rates(spec.model_copy(update={"seats": seats, "spares": 0}))
        return Rates(running=all_[0] / seats, stopped=all_[1] / seats) if all_ else None
    if spec.kind == "desktop":
        one = rates(spec)
        return Rates(running=one[0], stopped=one[1]) if one else None
    alone = rates(spec.with_workers(count=0))
    more = rates(spec.with_workers(count=1))
    if alone is None or more is None:
        return None
    return Rates(running=alone[0], stopped=alone[1], worker=round(more[0] - alone[0], 6))


def _with_types(wanted: Wanted, types: Mapping[Role, str]) -> Wanted:
    groups = tuple(
        replace(g, shape=replace(g.shape, type=types.get(g.role, g.shape.type)))
        for g in wanted.groups
    )
    return replace(wanted, groups=groups)
