"""The output of ``roost show``: ``schema/output/show.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.app.lifecycle import instance_json
from roost.cli.output import table
from roost.cli.text.limits import differences, last_stops, limits_json, limits_text
from roost.cli.text.money import amount_json
from roost.cli.text.running import coming_stops
from roost.errors import command_line
from roost.model.summary import count_workers
from roost.plan.recorded import lost_backups
from roost.units import format_size

if TYPE_CHECKING:
    from roost.app.show import Shown
    from roost.model.resources import Role, State

DISKS = ("DISK", "WHAT", "SIZE", "STATE", "ON", "ID")


def resources_text(shown: Shown) -> str:
    """Write its machines, its disks and its address, as far as it has them."""
    disks = _disks(shown)
    parts = [
        _machines(shown.state) if shown.state.instances else "",
        table(DISKS, disks, frozenset({2})) if disks else "",
        f"owner: {shown.state.owner.text}" if shown.state.owner else "",
        "\n".join((*_workers(shown), *shown.follows_text)),
        limits_text(shown.stops),
        _price(shown),
        shown.address or "",
    ]
    return "\n\n".join(part for part in parts if part)


def _price(shown: Shown) -> str:
    """Write what it costs an hour now, and has cost."""
    cost = shown.cost
    if cost is None:
        return ""
    if isinstance(cost, str):
        return f"an hour, as it is now: unknown ({cost})"
    return f"an hour, as it is now: {cost.per_hour.amount}; so far: {cost.spent}"


def hints(shown: Shown) -> list[str]:
    """Return what to type next, where machines are missing or failed, or data is not restored."""
    name, lines = shown.state.name, []
    if not shown.state.instances:
        up = command_line("roost", "up", name)
        lines.append(f"{name} has no machines now: `{up}` makes them, or brings them back")
    lines += [f"volume {volume}: {text}" for volume, text in shown.unfilled.items()]
    lines += [
        f"{b.subject}: its copy, {b.description}, {b.trouble or 'is gone'}"
        for b in lost_backups(shown.state)
    ]
    lines += [one.text for one in shown.state.foreign]
    lines += [
        f"{i.name}: {i.health}; {_way_out(i.role, name)}" for i in shown.state.instances if i.health
    ]
    lines += [*differences(name, shown.stops), *last_stops(shown.stops), *shown.off_because]
    lines += coming_stops(name, {s.node: s.machine for s in shown.stops if s.machine})
    if any(i.state == "failed" for i in shown.state.instances):
        lines.append(
            f"`{command_line('roost', 'up', name)}` mends what failed,"
            f" `{command_line('roost', 'logs', name)}` says why"
        )
    return lines


def _way_out(role: Role, name: str) -> str:
    """Return what moves a machine to other hardware."""
    if role == "worker":
        return f"`{command_line('roost', 'up', name)}` puts another in its place"
    stop, start = command_line("roost", "stop", name), command_line("roost", "start", name)
    return f"`{stop}` and `{start}` move it to other hardware, with all that is on its disks"


def as_data(shown: Shown) -> dict[str, object]:
    """Return all of it, for programs."""
    known = None if isinstance(shown.cost, str) else shown.cost
    return {
        "name": shown.state.name,
        "kind": shown.kind,
        "cloud": shown.cloud,
        "address": shown.address,
        "owner": _owner(shown.state),
        "instances": [instance_json(i) for i in shown.state.instances],
        "follows": _follows(shown),
        "limits": limits_json(shown.stops),
        "per_hour": None if known is None else amount_json(known.per_hour.amount),
        "spent_at_most": None if known is None else amount_json(known.spent.most.amount),
        **_disks_json(shown),
    }


def _follows(shown: Shown) -> dict[str, object] | None:
    """Return the range in which the number of workers follows the work; None where it does not."""
    wish = shown.follows
    if wish is None:
        return None
    workers = count_workers(shown.state.instances)
    return {
        "workers": workers,
        "minimum": wish.minimum,
        "maximum": wish.maximum,
        "by": wish.by,
    }


def _workers(shown: Shown) -> tuple[str, ...]:
    """Return how many workers of its range are there: ``"workers: 2 of 0..8"``."""
    wish = shown.follows
    if wish is None:
        return ()
    return (f"workers: {count_workers(shown.state.instances)} of {wish.minimum}..{wish.maximum}",)


def _owner(state: State) -> dict[str, str] | None:
    """Return whose it is; None where nobody is noted."""
    return {"caller": state.owner.caller, "key": state.owner.key} if state.owner else None


def _machines(state: State) -> str:
    rows = [
        (
            i.name,
            i.state,
            i.shape.type,
            str(i.shape.cpus or "-"),
            format_size(round(i.shape.memory_gib, 1)) if i.shape.memory_gib else "-",
            i.note,
        )
        for i in state.instances
    ]
    header = ("INSTANCE", "STATE", "TYPE", "THREADS", "MEMORY", "NOTE")
    return table(header, rows, frozenset({3, 4}))


def _disks(shown: Shown) -> list[tuple[str, ...]]:
    """Return rows of volumes, and of the copies of present and former ones."""
    state = shown.state
    rows: list[tuple[str, ...]] = [
        (
            v.name,
            "volume",
            f"{v.size_gib:g} GiB",
            f"{v.state}, data not all back" if v.name in shown.unfilled else v.state,
            v.holder,
            v.id,
        )
        for v in state.volumes
    ]
    rows += [
        (s.name, "in S3", f"{s.used_gib:g} GiB", "proven" if s.sealed else "older", "", s.place)
        for s in state.s3_copies
    ]
    rows += [
        (
            s.volume,
            "snapshot" if s.tier == "standard" else f"snapshot, {s.tier}",
            f"{s.size_gib:g} GiB",
            s.state,
            "",
            s.name,
        )
        for s in state.snapshots
    ]
    rows += [(i.instance, "image", "", i.state, "", i.name) for i in state.images]
    rows += [(b.name, b.kind, f"{b.size_gib:g} GiB", "lost", "", b.id) for b in lost_backups(state)]
    rows += [
        (a.name, "address", "", "attached" if a.attached else "kept", a.holder, a.ip or a.id)
        for a in state.addresses
    ]
    return rows


def _disks_json(shown: Shown) -> dict[str, object]:
    state = shown.state
    return {
        "volumes": [
            {
                "name": v.name,
                "size_gib": v.size_gib,
                "type": v.type or None,
                "state": v.state,
                "holder": v.holder,
                "id": v.id,
            }
            for v in state.volumes
        ],
        "snapshots": [
            {
                "id": s.name,
                "volume": s.volume,
                "size_gib": s.size_gib,
                "state": s.state,
                "tier": s.tier,
            }
            for s in state.snapshots
        ],
        "stored": [
            {
                "volume": s.name,
                "place": s.place,
                "region": s.region,
                "endpoint": s.endpoint,
                "size_gib": s.size_gib,
                "used_gib": s.used_gib,
                "sealed": s.sealed,
            }
            for s in state.s3_copies
        ],
        "unfilled": sorted(shown.unfilled),
        "images": [{"id": i.name, "instance": i.instance, "state": i.state} for i in state.images],
        "addresses": [
            {"name": a.name, "ip": a.ip, "attached": a.attached} for a in state.addresses
        ],
    }
