"""Roost's nouns from EC2's descriptions. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from roost.model import nodes
from roost.model.nodes import launched
from roost.model.resources import (
    STATELESS,
    SURPLUS,
    Address,
    CopyState,
    Image,
    Instance,
    InstanceState,
    KeyPair,
    SecurityGroup,
    Shape,
    Snapshot,
    Tier,
    Volume,
    VolumeState,
)
from roost.providers.aws import marks, tags
from roost.providers.aws.access import rules
from roost.providers.callers import Caller

Described = Mapping[str, Any]
INSTANCE_STATES: dict[str, InstanceState] = {
    "pending": "pending",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "shutting-down": "deleting",
}
STOPPED = {
    "Client.InstanceInitiatedShutdown": "it stopped itself",
    "Client.UserInitiatedShutdown": "it was told to stop",
    "Server.ScheduledStop": "EC2 stopped it, for maintenance",
    "Server.SpotInstanceShutdown": "EC2 took the spot machine back",
}
"""Why a machine is off, by EC2's code. Source: EC2 API reference, StateReason."""
STOPPED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
"""When, in EC2's StateTransitionReason."""
TERMINATED = "terminated"
"""A terminated instance is no more, though EC2 describes it for another hour."""
VOLUME_STATES: dict[str, VolumeState] = {
    "creating": "creating",
    "available": "available",
    "in-use": "attached",
    "deleting": "deleting",
    "error": "failed",
}
DELETED = "deleted"
"""A volume that is no more, and is described for a moment."""
ATTACHMENT_STATES: dict[str, VolumeState] = {
    "attaching": "attached",
    "attached": "attached",
    "detaching": "detaching",
    "detached": "detaching",
    "busy": "detaching",
}
BUSY = "busy"
"""A volume that is to be detached, while the machine still uses it."""
SNAPSHOT_STATES: dict[str, CopyState] = {
    "pending": "pending",
    "completed": "completed",
    "error": "failed",
    "recoverable": "unusable",
    "recovering": "pending",
}
"""A recoverable snapshot is in the Recycle Bin."""
IMAGE_STATES: dict[str, CopyState] = {
    "pending": "pending",
    "transient": "pending",
    "available": "completed",
    "failed": "failed",
    "error": "failed",
    "invalid": "failed",
    "disabled": "unusable",
}
DEREGISTERED = "deregistered"
"""An image that is no more."""
RESTORING = ("permanent-restore-in-progress", "temporary-restore-in-progress")


def instances(reservations: Iterable[Described]) -> tuple[Instance, ...]:
    """Return all instances that are not gone, the head first.

    Of two with one name that which is on its way out is the surplus one, or else the younger.
    """
    there = [
        _instance(described)
        for reservation in reservations
        for described in reservation["Instances"]
        if described["State"]["Name"] != TERMINATED and not marks.problem("instance", described, "")
    ]
    there.sort(key=lambda one: (one.state == "deleting", one.started or 0))
    found: dict[str, Instance] = {}
    for one in there:
        name = _free(one.name, found)
        found[name] = replace(one, name=name)
    return tuple(sorted(found.values(), key=_order))


def _order(instance: Instance) -> tuple[int, int, str]:
    return (marks.ROLES.index(instance.role), nodes.number_of(instance.name), instance.name)


def _instance(described: Described) -> Instance:
    word = described["State"]["Name"]
    held = tags.read(described.get("Tags"))
    names = launched(held[tags.NODE])
    state = INSTANCE_STATES.get(word, "unknown")
    reason = _why_stopped(described) if state == "stopped" else ""
    return Instance(
        name=names[int(described.get("AmiLaunchIndex", 0))],
        role=held[tags.ROLE],  # type: ignore[arg-type]
        shape=_shape(described),
        fingerprint=held.get(tags.PRINT, ""),
        id=described["InstanceId"],
        state=state,
        address=described.get("PublicIpAddress") or described.get("PrivateIpAddress"),
        private=described.get("PrivateIpAddress"),
        note=word if state == "unknown" else reason,
        started=_seconds(described.get("LaunchTime")),
        aside=tags.ASIDE in held,
    )


def _why_stopped(described: Described) -> str:
    """Return who stopped it, and when; EC2's own words where they are other ones."""
    reason = described.get("StateReason", {})
    text = STOPPED.get(reason.get("Code", ""), reason.get("Message", ""))
    at = STOPPED_AT.search(described.get("StateTransitionReason") or "")
    return f"{text} ({at[1]} UTC)" if at and text else text


def _shape(described: Described) -> Shape:
    cpus = described.get("CpuOptions", {})
    return Shape(
        type=described["InstanceType"],
        cpus=int(cpus.get("CoreCount", 0)) * int(cpus.get("ThreadsPerCore", 1)),
        memory_gib=0,
        arch=described.get("Architecture", "x86_64"),
        image=described.get("ImageId", ""),
        spot=described.get("InstanceLifecycle") == "spot",
        machine_role=described.get("IamInstanceProfile", {}).get("Arn", ""),
    )


def ended(reservations: Iterable[Described]) -> frozenset[str]:
    """Return the ids of the instances that are no more, and may hold on to volumes for a moment."""
    every = (one for reservation in reservations for one in reservation["Instances"])
    return frozenset(one["InstanceId"] for one in every if one["State"]["Name"] == TERMINATED)


def volumes(
    described: Iterable[Described], names: Mapping[str, str], ended: Collection[str] = ()
) -> tuple[Volume, ...]:
    """Return the data volumes; ``names`` has the names of instances by their ids.

    What is attached to an instance that has ``ended`` is about to be free.
    """
    found: dict[str, Volume] = {}
    for one in described:
        held = tags.read(one.get("Tags"))
        if one["State"] == DELETED or tags.HOLDER not in held:
            continue  # the disk that an instance boots from has no holder of its own
        attachments = one.get("Attachments", ())
        state, note = _volume_state(one)
        on = [names.get(a["InstanceId"], "") for a in attachments]
        if state == "attached" and any(a["InstanceId"] in ended for a in attachments):
            state = "detaching"
        name = _free(held[tags.NODE], found)
        found[name] = Volume(
            name=name,
            size_gib=float(one["Size"]),
            type=one["VolumeType"],
            holder=on[0] if on and on[0] else held[tags.HOLDER],
            mount=held.get(tags.MOUNT, ""),
            iops=one.get("Iops"),
            throughput=one.get("Throughput"),
            slot=int(held.get(tags.SLOT, 0)),
            snapshot=one.get("SnapshotId") or "",
            adopted=tags.ADOPTED in held,
            id=one["VolumeId"],
            state=state,
            attached_at=max((_seconds(a.get("AttachTime")) for a in attachments), default=0),
            note=note,
        )
    return tuple(sorted(found.values(), key=lambda v: v.name))


def _volume_state(described: Described) -> tuple[VolumeState, str]:
    """Return the state, and EC2's own word where a person must know it."""
    state = VOLUME_STATES.get(described["State"], "unknown")
    if state != "attached":
        return state, described["State"] if state in ("failed", "unknown") else ""
    words = [a.get("State", "attached") for a in described.get("Attachments", ())]
    states = {word: ATTACHMENT_STATES.get(word, "unknown") for word in words}
    for word, of_attachment in states.items():
        if of_attachment == "unknown" or word == BUSY:
            return of_attachment, word
    return ("detaching" if "detaching" in states.values() else "attached"), ""


def snapshots(described: Iterable[Described], tiers: Mapping[str, str]) -> tuple[Snapshot, ...]:
    """Return copies of data volumes; ``tiers`` has the tier changes in progress, by snapshot id."""
    return tuple(
        Snapshot(
            name=one["SnapshotId"],
            volume=held[tags.NODE],
            source=one["VolumeId"],
            size_gib=float(one["VolumeSize"]),
            state=(state := SNAPSHOT_STATES.get(one["State"], "unknown")),
            note=_word(state, one["State"]),
            sealed=held[tags.SEALED] == "yes",
            taken=_seconds(one["StartTime"]),
            used_gib=_gib(one.get("FullSnapshotSizeInBytes")),
            tier=_tier(one.get("StorageTier", "standard"), tiers.get(one["SnapshotId"], "")),
        )
        for one in described
        if tags.SEALED in (held := tags.read(one.get("Tags")))
    )


def _word(state: CopyState, word: str) -> str:
    """Return EC2's own word for a state where a person must know it."""
    return word if state in ("unusable", "unknown") else ""


def _tier(tier: str, status: str) -> Tier:
    if status == "archival-in-progress" and tier != "archive":
        return "archiving"
    if status in RESTORING and tier == "archive":
        return "restoring"
    return "archived" if tier == "archive" else "standard"


def images(described: Iterable[Described], snapshots: Iterable[Described]) -> tuple[Image, ...]:
    """Return the copies of the disks that instances boot from.

    An image's disk is a snapshot of its own; one whose image is gone counts as a failed image.
    """
    found = [
        _image(one["ImageId"], held, one["State"], one["CreationDate"])
        for one in described
        if tags.SOURCE in (held := tags.read(one.get("Tags"))) and one["State"] != DEREGISTERED
    ]
    sources = {image.source for image in found}
    for one in snapshots:
        held = tags.read(one.get("Tags"))
        if tags.SOURCE in held and held[tags.SOURCE] not in sources:
            found.append(_image(one["SnapshotId"], held, "failed", one["StartTime"]))
    return tuple(found)


def _image(one: str, held: Mapping[str, str], word: str, at: datetime | str) -> Image:
    state = IMAGE_STATES.get(word, "unknown")
    taken = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Image(
        name=one,
        instance=held[tags.NODE],
        source=held[tags.SOURCE],
        type=held.get(tags.TYPE, ""),
        state=state,
        taken=_seconds(taken),
        note=_word(state, word),
    )


def _gib(size: int | None) -> float | None:
    """Return the size of the data in GiB; EC2 knows it once the snapshot is completed."""
    return round(size / 2**30, 3) if size else None


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0


def _free(name: str, found: Mapping[str, object]) -> str:
    """Return ``name``; a second resource of that name gets a mark, and is surplus."""
    while name in found:
        name += SURPLUS
    return name


def security_groups(described: Iterable[Described], caller: Caller) -> tuple[SecurityGroup, ...]:
    """Return security groups with their rules; ``caller`` is who looks."""
    named: dict[str, Described] = {}
    for one in described:
        named[_free(tags.read(one.get("Tags"))[tags.NODE], named)] = one
    names = {str(one["GroupId"]): name for name, one in named.items()}
    return tuple(
        SecurityGroup(name=name, rules=rules(one, caller, names), id=one["GroupId"])
        for name, one in named.items()
    )


def key_pairs(described: Iterable[Described]) -> tuple[KeyPair, ...]:
    """Return the public keys that were imported."""
    return tuple(KeyPair(name=tags.read(one.get("Tags"))[tags.NODE]) for one in described)


def addresses(described: Iterable[Described], names: Mapping[str, str]) -> tuple[Address, ...]:
    """Return the Elastic IPs; of two with one name the second is surplus, and named so."""
    found: dict[str, Address] = {}
    for one in described:
        held = tags.read(one.get("Tags"))
        name = _free(held[tags.NODE], found)
        on = names.get(one.get("InstanceId", ""), "")
        found[name] = Address(
            name=name,
            holder=on or held.get(tags.HOLDER, held[tags.NODE]),
            id=one["AllocationId"],
            ip=one.get("PublicIp"),
            attached=bool(on),
        )
    return tuple(found.values())


def zone_of(described: Mapping[Any, Iterable[Described]]) -> str | None:
    """Return the zone in which the name is: that of its data, or else of its machines.

    Workers and gateways count last: they can be in another zone, where theirs had no room.
    """
    for volume in described.get("volume", ()):
        if tags.HOLDER in tags.read(volume.get("Tags")):
            return str(volume["AvailabilityZone"])
    there = [
        instance
        for reservation in described.get("instance", ())
        for instance in reservation["Instances"]
        if instance["State"]["Name"] in INSTANCE_STATES
    ]
    there.sort(key=lambda one: tags.read(one.get("Tags")).get(tags.ROLE) in STATELESS)
    return str(there[0]["Placement"]["AvailabilityZone"]) if there else None


def devices(described: Mapping[Any, Iterable[Described]], instance_id: str) -> set[str]:
    """Return the device names that an instance has in use."""
    return {
        attachment["Device"]
        for volume in described.get("volume", ())
        for attachment in volume.get("Attachments", ())
        if attachment["InstanceId"] == instance_id
    }
