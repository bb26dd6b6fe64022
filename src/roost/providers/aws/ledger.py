"""The history of one name in the tags of the launch template that keeps its record.

Nothing else outlives `stop` and `park`. It is written by one call in front of whatever ends
something; a process killed between the two does no harm (`roost.cost.ledger` says why).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from roost.cost import ledger
from roost.cost.ledger import Copy, Disk, Ledger, Machine, Seen
from roost.cost.spent import There
from roost.model.resources import GATEWAY
from roost.providers.aws import record, tags
from roost.providers.aws.client import Calls
from roost.providers.aws.parse import STOPPED_AT

KEY = "roost:spent:"
"""Begins the keys of the tags that hold the history."""
ON = frozenset({"pending", "running"})
GOING = frozenset({"deleting", "deleted"})
"""Volumes that are described for a while after their end."""

Described = Mapping[Any, Iterable[Mapping[str, Any]]]
"""What EC2 describes of a name: reservations, volumes, snapshots, addresses by roost's kinds."""


# --- pure ---------------------------------------------------------------------------------------


def things(described: Described) -> dict[str, Seen]:
    """Return all that is paid for by the hour, by EC2's ids."""
    found = {i["InstanceId"]: _machine(i) for i in _instances(described)}
    found |= {
        one["VolumeId"]: Seen(
            Disk(one["VolumeType"], int(one["Size"]), one.get("Iops"), one.get("Throughput")),
            _seconds(one["CreateTime"]),
        )
        for one in described.get("volume", ())
        if one["State"] not in GOING
    }
    return found | {
        one["SnapshotId"]: Seen(
            Copy(int(one["VolumeSize"]), one.get("StorageTier", "standard")),
            _seconds(one["StartTime"]),
        )
        for one in described.get("snapshot", ())
    }


def going(described: Described, ended: Iterable[str], *, terminated: bool) -> set[str]:
    """Return the ids of all that ends with `ended`: the disks that go with their machines too."""
    ids = set(ended)
    if not terminated:
        return ids
    mappings = [
        mapping.get("Ebs", {})
        for instance in _instances(described)
        if instance["InstanceId"] in ids
        for mapping in instance.get("BlockDeviceMappings", ())
    ]
    return ids | {ebs["VolumeId"] for ebs in mappings if ebs.get("DeleteOnTermination")}


def in_tags(found: Iterable[Mapping[str, str]] | None) -> Ledger:
    """Return the history in the tags of a launch template."""
    held = tags.read(found)
    return ledger.read(held[key] for key in sorted(held) if key.startswith(KEY))


def as_tags(
    whole: Ledger, seen: Iterable[Seen], before: Iterable[Mapping[str, str]] | None
) -> dict[str, str]:
    """Return the tags to write: as many as there is room for, and those without a use empty."""
    held = tags.read(before)
    old = {key for key in held if key.startswith(KEY)}
    others = sum(not key.startswith((KEY, "aws:")) for key in held)
    texts = ledger.write(whole, seen, tags.MOST - others, tags.LONGEST)
    new = {f"{KEY}{number}": text for number, text in enumerate(texts)}
    return dict.fromkeys(old, "") | new


def _instances(described: Described) -> list[Mapping[str, Any]]:
    return [i for reservation in described.get("instance", ()) for i in reservation["Instances"]]


def _machine(described: Mapping[str, Any]) -> Seen:
    on = described["State"]["Name"] in ON
    spot = described.get("InstanceLifecycle") == "spot"
    said = None if on else STOPPED_AT.search(described.get("StateTransitionReason") or "")
    return Seen(
        Machine(described["InstanceType"], spot),
        _seconds(described["LaunchTime"]),
        on=on,
        ended=said and _seconds(datetime.fromisoformat(said[1]).replace(tzinfo=UTC)),
    )


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


# --- effects ------------------------------------------------------------------------------------


def note(
    calls: Calls,
    name: str,
    described: Described,
    now: datetime,
    ended: Iterable[str] = (),
    *,
    terminated: bool = False,
) -> None:
    """Write down that `ended` (EC2's ids) end now, and all that was seen; two calls.

    `terminated`: they are terminated or deleted, not only stopped. Without a template (after
    `down`, or before the record is there) there is nothing to write to, and nothing happens.
    """
    template = record.template(calls, name)
    if template is None:
        return
    found = things(described)
    ends = going(described, ended, terminated=terminated)
    seen = tuple(found.values())
    whole = ledger.closing(
        in_tags(template.get("Tags")),
        seen,
        [one for ec2_id, one in found.items() if ec2_id in ends],
        _seconds(now),
    )
    new = as_tags(whole, seen, template.get("Tags"))
    if new.items() <= tags.read(template.get("Tags")).items():
        return
    calls.unless_gone(
        calls.ec2.create_tags,
        Resources=[template["LaunchTemplateId"]],
        Tags=[{"Key": key, "Value": value} for key, value in new.items()],
    )


def history(
    calls: Calls, name: str, now: datetime, *, public: bool | None = True
) -> tuple[Ledger, There]:
    """Return the ledger and what exists now of one name: five calls, whatever its size.

    ``public``: its machines have public addresses; None: those that run show whether, as machines
    behind a gateway can be in a private network or not.
    """
    mine = [{"Name": f"tag:{tags.NAME}", "Values": [name]}]
    described: dict[str, list[Any]] = {
        "instance": calls.every("describe_instances", "Reservations", Filters=mine),
        "volume": calls.every("describe_volumes", "Volumes", Filters=mine),
        "snapshot": calls.every("describe_snapshots", "Snapshots", Filters=mine, OwnerIds=["self"]),
    }
    addresses = calls.optional("describe_addresses", "Addresses", Filters=mine) or ()
    template = record.template(calls, name) or {}
    there = things(described)
    began = template.get("CreateTime", now)
    if public is None:
        behind = [i for i in _instances(described) if _is_behind(i)]
        public = not behind or any("PublicIpAddress" in i for i in behind)
    return in_tags(template.get("Tags")), There(
        seen=tuple(there.values()),
        began=_seconds(began),
        now=_seconds(now),
        fixed=tuple(
            # Where machines have none, the one of the gateway is counted by itself.
            _used_since(there.get(a.get("InstanceId", ""))) if public else None
            for a in addresses
        ),
        public=public,
    )


def _is_behind(described: Mapping[str, Any]) -> bool:
    """Tell whether a machine runs that is not the gateway itself."""
    role = tags.read(described.get("Tags")).get(tags.ROLE)
    return role != GATEWAY and described["State"]["Name"] == "running"


def _used_since(machine: Seen | None) -> int | None:
    return machine.since if machine is not None and machine.on else None
