"""A plan and its cost as ``roost plan --json`` prints them: ``schema/output/plan.schema.json``.

What is not known is null and never 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.cli.text.money import amount_json, section_json
from roost.model.steps import Create, Delete, describe, subjects, verb

if TYPE_CHECKING:
    from roost.app.plan import Planned
    from roost.cost.parking import Parked
    from roost.model.resources import Group, Volume
    from roost.model.steps import Step

Data = dict[str, Any]


def as_data(planned: Planned) -> Data:
    """Return the whole document."""
    spec, plan, wanted = planned.spec, planned.plan, planned.wanted
    return {
        "name": spec.name,
        "kind": spec.kind,
        "cloud": spec.cloud,
        "region": planned.rules.price_region(spec),
        "steps": [_step(step) for step in plan.steps],
        "waiting": plan.waiting,
        "notes": plan.notes,
        "instances": [_group(group) for group in wanted.groups],
        "volumes": [_volume(volume) for volume in wanted.volumes],
        "addresses": [address.name for address in wanted.addresses],
        "cost": _cost(planned),
        "change": _change(planned),
    }


def _change(planned: Planned) -> Data | None:
    """Return what an hour costs now, and after `up`; null where no machine is there."""
    if planned.change is None:
        return None
    return {
        when: {
            "running_hour": amount_json(cost.running.amount),
            "stopped_hour": amount_json(cost.stopped.amount),
        }
        for when, cost in zip(("now", "then"), planned.change, strict=True)
    }


def _step(step: Step) -> Data:
    return {
        "verb": verb(step),
        "kind": step.kind if isinstance(step, Create | Delete) else None,
        "names": subjects(step),
        "text": describe(step),
        "reason": step.reason,
    }


def _group(group: Group) -> Data:
    """Return a group; a shape without CPUs has no description: p2.xlarge, a site's flavor."""
    shape = group.shape
    return {
        "role": group.role,
        "count": group.count,
        "type": shape.type,
        "cpus": shape.cpus or None,
        "memory_gib": shape.memory_gib or None,
        "gpus": shape.gpus if shape.cpus else shape.gpus or None,
        "arch": shape.arch,
        "image": shape.image or None,
        "disk_gib": shape.disk_gib or None,
        "spot": shape.spot,
        "instance_profile": shape.machine_role or None,
    }


def _volume(volume: Volume) -> Data:
    return {
        "name": volume.name,
        "size_gib": volume.size_gib,
        "type": volume.type or None,
        "instance": volume.holder,
        "mount": volume.mount,
        "iops": volume.iops,
        "throughput": volume.throughput,
    }


def _cost(planned: Planned) -> Data:
    spec, cost = planned.spec, planned.cost
    if cost is None:
        free = not planned.rules.rents
        return {"known": free, "usd": 0 if free else None}
    return {
        "known": all(part.amount.known for part in (cost.use, cost.running, cost.stopped)),
        "usd": amount_json(cost.use.amount)["usd"],
        "running_hour": section_json(cost.running),
        "stopped_hour": section_json(cost.stopped),
        "use": section_json(cost.use),
        "parked_month": [_parked(way) for way in cost.parked],
        "hours_running": cost.hours.hours_running,
        "hours_existing": cost.hours.hours_existing,
        "hours_per_month": cost.hours_per_month,
        "day": cost.day,
        "budget_usd": spec.budget.usd if spec.budget else None,
        "notes": cost.notes,
    }


def _parked(way: Parked) -> Data:
    return {
        "mode": way.mode,
        "storage_class": way.storage_class,
        "minimum_days": way.minimum_days,
        "note": way.mode.summary,
        "storage": section_json(way.per_month),
        "coming_back": section_json(way.coming_back),
    }
