"""Roost's nouns from a site's descriptions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from roost.model import nodes
from roost.model.owner import Foreign
from roost.model.resources import (
    SURPLUS,
    Address,
    Instance,
    InstanceState,
    SecurityGroup,
    Shape,
    Volume,
    VolumeState,
)
from roost.providers.callers import Caller
from roost.providers.openstack import firewall, marks
from roost.providers.openstack.failures import fault_of

Described = Mapping[str, Any]
SERVER_STATES: dict[str, InstanceState] = {
    "ACTIVE": "running",
    "BUILD": "pending",
    "ERROR": "failed",
    "HARD_REBOOT": "pending",
    "MIGRATING": "pending",
    "PASSWORD": "running",
    "PAUSED": "stopped",
    "REBOOT": "pending",
    "REBUILD": "pending",
    "RESCUE": "failed",
    "RESIZE": "pending",
    "REVERT_RESIZE": "pending",
    "SHELVED": "stopped",
    "SHELVED_OFFLOADED": "stopped",
    "SHUTOFF": "stopped",
    "SUSPENDED": "stopped",
    "VERIFY_RESIZE": "stopped",
}
RUNS = 1
"""Nova's power state of a machine that runs."""
GONE = ("DELETED", "SOFT_DELETED")
"""A server that is no more; a site may keep it for a while for its administrators."""
FREE = ("SHELVED_OFFLOADED", "SHELVED")
"""States in which a stopped machine costs nothing at most sites."""
TASKS: tuple[tuple[str, InstanceState], ...] = (
    ("deleting", "deleting"),
    ("soft-deleting", "deleting"),
    ("powering-off", "stopping"),
    ("shelving", "stopping"),
    ("suspending", "stopping"),
    ("pausing", "stopping"),
    ("powering-on", "pending"),
    ("unshelving", "pending"),
    ("resuming", "pending"),
    ("unpausing", "pending"),
    ("spawning", "pending"),
    ("rebuild", "pending"),
    ("reboot", "pending"),
    ("resize", "pending"),
    ("image_", "stopping"),
)
"""What a server is on its way to, by how the name of its task begins."""
VOLUME_STATES: dict[str, VolumeState] = {
    "creating": "creating",
    "downloading": "creating",
    "restoring-backup": "creating",
    "available": "available",
    "reserved": "attached",
    "attaching": "attached",
    "in-use": "attached",
    "detaching": "detaching",
    "deleting": "deleting",
    "error": "failed",
    "error_deleting": "failed",
    "error_restoring": "failed",
    "error_extending": "failed",
    "error_managing": "failed",
    "error_backing-up": "failed",
}
BEING_CHANGED = ("extending", "retyping", "uploading", "backing-up", "maintenance", "managing")


# --- servers -------------------------------------------------------------------------------------


def instances(
    described: Iterable[Described], unshelvable: Collection[str] = ()
) -> tuple[Instance, ...]:
    """Return all machines, the head first; ``unshelvable`` are those that cannot be shelved.

    Of two with one name that which is on its way out is the surplus one, or else the younger.
    """
    there = sorted(
        described, key=lambda one: (state_of(one) == "deleting", str(one.get("created")))
    )
    found: dict[str, Instance] = {}
    for one in there:
        instance = _instance(one)
        billed = instance.state == "stopped" and one.get("status") not in FREE
        instance = replace(instance, billed=billed and instance.id not in unshelvable)
        name = _free(instance.name, found)
        found[name] = replace(instance, name=name)
    return tuple(sorted(found.values(), key=_order))


def _order(instance: Instance) -> tuple[int, int, str]:
    return (marks.ROLES.index(instance.role), nodes.number_of(instance.name), instance.name)


def _instance(described: Described) -> Instance:
    mark, held = marks.read_server(described), marks.metadata(described)
    fixed, floating = addresses_of(described)
    state = state_of(described)
    return Instance(
        name=mark.node,
        role=mark.role,  # type: ignore[arg-type]
        shape=_shape(described),
        fingerprint=held.get(marks.PRINT, ""),
        id=str(described["id"]),
        state=state,
        address=floating or fixed,
        private=fixed,
        note=_note(described, state),
        started=marks.seconds(described.get("OS-SRV-USG:launched_at")),
        unsaved="" if described.get("image", "") else "it boots from a volume",
    )


def state_of(described: Described) -> InstanceState:
    """Return the state; a task on its way counts more than what is left behind."""
    status, task = str(described.get("status", "")), str(described.get("OS-EXT-STS:task_state"))
    if status != "ERROR":
        for begin, state in TASKS:
            if task.startswith(begin) and not (begin == "image_" and status != "SHELVED"):
                return state
    if status == "VERIFY_RESIZE" and described.get("OS-EXT-STS:power_state") == RUNS:
        return "running"
    return SERVER_STATES.get(status, "unknown")


def _note(described: Described, state: InstanceState) -> str:
    status = str(described.get("status", ""))
    if state == "failed":
        return fault_of(described)
    if state == "stopped" and status not in FREE:
        return f"{status}: most sites bill it as if it ran"
    return status if state == "unknown" else ""


def never_ran(described: Described) -> bool:
    """Tell whether the site could not make a server: it is in ERROR, and there was no machine."""
    return described.get("status") == "ERROR" and not described.get("OS-SRV-USG:launched_at")


def addresses_of(described: Described) -> tuple[str | None, str | None]:
    """Return the address of a server on its network, and its floating one; IPv4 first."""
    found: dict[str, list[tuple[int, str]]] = {"fixed": [], "floating": []}
    networks = described.get("addresses")
    for listed in networks.values() if isinstance(networks, dict) else ():
        for one in listed if isinstance(listed, list) else ():
            kind = str(one.get("OS-EXT-IPS:type", "fixed"))
            found.setdefault(kind, []).append((int(one.get("version", 4)), str(one.get("addr"))))
    fixed, floating = (
        min(found[kind])[1] if found[kind] else None for kind in ("fixed", "floating")
    )
    return fixed, floating


def flavor_of(described: Described) -> Mapping[str, Any]:
    """Return the flavor of a server, as Nova describes it there."""
    flavor = described.get("flavor")
    return flavor if isinstance(flavor, dict) else {}


def _shape(described: Described) -> Shape:
    flavor = flavor_of(described)
    image = described.get("image")
    return Shape(
        type=str(flavor.get("original_name", "")),
        cpus=int(flavor.get("vcpus", 0)),
        memory_gib=round(int(flavor.get("ram", 0)) / 1024, 3),
        image=str(image.get("id", "")) if isinstance(image, dict) else "",
        disk_gib=float(flavor.get("disk", 0)),
    )


# --- volumes -------------------------------------------------------------------------------------


def volumes(
    described: Iterable[Described],
    names: Mapping[str, str],
    unchanged: Mapping[str, str] | None = None,
) -> tuple[Volume, ...]:
    """Return the data volumes; ``names`` has the names of instances by their ids.

    ``unchanged`` says why volumes cannot be changed now, by their ids.
    """
    found: dict[str, Volume] = {}
    for one in sorted(described, key=lambda v: str(v.get("created_at"))):
        held = marks.metadata(one)
        attachments = [a for a in one.get("attachments") or () if isinstance(a, dict)]
        on = [names.get(str(a.get("server_id")), "") for a in attachments]
        name = _free(held[marks.NODE], found)
        state, word = _volume_state(one, bool(attachments))
        found[name] = Volume(
            name=name,
            size_gib=float(one.get("size", 0)),
            type=str(one.get("volume_type") or ""),
            holder=on[0] if on and on[0] else held.get(marks.HOLDER, ""),
            mount=held.get(marks.MOUNT, ""),
            slot=int(held.get(marks.SLOT, 0)),
            snapshot=_made_from(one),
            adopted=marks.ADOPTED in held,
            id=str(one["id"]),
            state=state,
            attached_at=max((marks.seconds(a.get("attached_at")) for a in attachments), default=0),
            note=word or (unchanged or {}).get(str(one["id"]), ""),
        )
    return tuple(sorted(found.values(), key=lambda v: v.name))


def _made_from(described: Described) -> str:
    """Return the id of the image, or snapshot, that a volume was made from; "" for none."""
    held = described.get("volume_image_metadata")
    image = held.get("image_id") if isinstance(held, dict) else None
    return str(image or described.get("snapshot_id") or "")[:100]


def _volume_state(described: Described, attached: bool) -> tuple[VolumeState, str]:
    """Return the state, and Cinder's own word where a person must know it."""
    word = str(described.get("status", ""))
    if word in BEING_CHANGED:
        return "attached" if attached else "creating", ""
    state = VOLUME_STATES.get(word, "unknown")
    return state, word if state in ("failed", "unknown") else ""


# --- what Neutron has ----------------------------------------------------------------------------


def addresses(floats: Iterable[Described], holders: Mapping[str, str]) -> tuple[Address, ...]:
    """Return the floating addresses; of two with one name the second is surplus.

    ``holders`` has the names of instances by their addresses on their network.
    """
    found: dict[str, Address] = {}
    for one in sorted(floats, key=lambda f: (not f.get("port_id"), str(f.get("created_at")))):
        _, node = marks.read_description(one.get("description"))
        name = _free(node, found)
        on = holders.get(str(one.get("fixed_ip_address") or ""), "") if one.get("port_id") else ""
        found[name] = Address(
            name=name,
            holder=on or node,
            id=str(one["id"]),
            ip=str(one.get("floating_ip_address") or "") or None,
            attached=bool(on),
        )
    return tuple(found.values())


def at_their_floats(
    instances: Iterable[Instance], addresses: Iterable[Address]
) -> tuple[Instance, ...]:
    """Return the machines as Neutron says where they are reached; Nova hears of it later."""
    found = {a.holder: a.ip for a in addresses if a.attached and a.ip}
    return tuple(replace(i, address=found.get(i.name, i.address)) for i in instances)


def security_groups(described: Iterable[Described], caller: Caller) -> tuple[SecurityGroup, ...]:
    """Return security groups with their rules; ``caller`` is who looks."""
    named: dict[str, Described] = {}
    for one in described:
        _, node = marks.read_description(one.get("description"))
        named[_free(node, named)] = one
    names = {str(one["id"]): name for name, one in named.items()}
    return tuple(
        SecurityGroup(name=name, rules=firewall.rules(one, caller, names), id=str(one["id"]))
        for name, one in named.items()
    )


# --- what all have -------------------------------------------------------------------------------


def sort_servers(
    described: Iterable[Described], name: str
) -> tuple[list[dict[str, Any]], list[Foreign]]:
    """Return the servers that are roost's and the name's, and what only carries its mark."""
    ours: list[dict[str, Any]] = []
    others: list[Foreign] = []
    for one in described:
        if one.get("status") in GONE or marks.metadata(one).get(marks.NAME) != name:
            continue
        wrong = marks.read_server(one).wrong
        if wrong:
            others.append(Foreign(kind="instance", id=str(one.get("id")), why=wrong))
        else:
            ours.append(dict(one))
    return ours, others


def sort_volumes(
    described: Iterable[Described], name: str
) -> tuple[list[dict[str, Any]], list[Foreign]]:
    """Return the volumes that are roost's and the name's, and what only carries its mark."""
    ours: list[dict[str, Any]] = []
    others: list[Foreign] = []
    for one in described:
        held = marks.metadata(one)
        if held.get(marks.NAME) != name:
            continue
        wrong = marks.problem_of_volume(held)
        if wrong:
            others.append(Foreign(kind="volume", id=str(one.get("id")), why=wrong))
        else:
            ours.append(dict(one))
    return ours, others


def _free(name: str, found: Mapping[str, object]) -> str:
    """Return ``name``; a second resource of that name gets a mark, and is surplus."""
    while name in found:
        name += SURPLUS
    return name
