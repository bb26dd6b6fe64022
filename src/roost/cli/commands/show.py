"""``roost show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, table, write_json
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State


@click.command("show")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Show one name: its instances, how they are, and its address.

    In a cloud, machines that this computer has reached before are asked how far their set-up is.

    \b
    Examples:
      roost show ndvi
      roost show ndvi --json
    """
    session = open_session(place)
    from roost.app.lifecycle import instance_json
    from roost.app.provisioning import set_ups
    from roost.app.resolve import existing, kind_of, locate
    from roost.parking.restore import unfilled
    from roost.ssh.browser import address_of

    cloud = locate(session, name)
    state = set_ups(session, cloud, existing(cloud, name))
    address = address_of(state)
    if as_json:
        write_json(
            {
                "name": name,
                "kind": kind_of(state),
                "cloud": cloud.name,
                "address": address,
                "instances": [instance_json(i) for i in state.instances],
                **_disks_json(state),
            }
        )
        return
    if state.instances:
        click.echo(_machines(state))
    else:
        say(
            f"{name} has no machines now: `{command_line('roost', 'up', name)}`"
            " makes them, or brings them back"
        )
    if disks := _disks(state):
        header = ("DISK", "WHAT", "SIZE", "STATE", "ON", "ID")
        click.echo(("\n" if state.instances else "") + table(header, disks, frozenset({2})))
    if address:
        click.echo(f"\n{address}")
    for volume, text in unfilled(state).items():
        say(f"volume {volume}: {text}")
    if any(i.state == "failed" for i in state.instances):
        say(
            f"`{command_line('roost', 'up', name)}` mends what failed,"
            f" `{command_line('roost', 'logs', name)}` says why"
        )


def _machines(state: State) -> str:
    from roost.units import format_size

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


def _disks(state: State) -> list[tuple[str, ...]]:
    """Volumes, and the copies of what is or was there."""
    from roost.parking.restore import unfilled

    half = unfilled(state)
    rows: list[tuple[str, ...]] = [
        (
            v.name,
            "volume",
            f"{v.size_gib:g} GiB",
            f"{v.state}, data not all back" if v.name in half else v.state,
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
    rows += [
        (a.name, "address", "", "attached" if a.attached else "kept", a.holder, a.ip or a.id)
        for a in state.addresses
    ]
    return rows


def _disks_json(state: State) -> dict[str, object]:
    from roost.parking.restore import unfilled

    return {
        "volumes": [
            {
                "name": v.name,
                "size_gib": v.size_gib,
                "type": v.type,
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
        "unfilled": sorted(unfilled(state)),
        "images": [{"id": i.name, "instance": i.instance, "state": i.state} for i in state.images],
        "addresses": [
            {"name": a.name, "ip": a.ip, "attached": a.attached} for a in state.addresses
        ],
    }
