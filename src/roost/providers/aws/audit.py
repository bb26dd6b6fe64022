"""All resources of a region that are roost's, whether or not their record still exists.

A fixed number of calls: the tags say which kinds of resource are roost's, and only those are
described. `found` has also what costs nothing, so that `down` can show that nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

from roost.cost.bill import Addresses, Instances, Number, Snapshots, Volumes
from roost.cost.inventory import Found, Inventory
from roost.errors import CloudError, RoostError, command_line
from roost.providers.aws import s3_copies, tags
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import translated
from roost.providers.aws.optional import OPTIONAL, Unknowns

Clients = Callable[[str], Any]
"""boto3's client of a service, in one region."""
Described = Mapping[str, list[Any]]
"""Lists as EC2 describes them, by its own names of resource types."""

LISTS: dict[str, tuple[str, str, dict[str, list[str]]]] = {
    "instance": ("describe_instances", "Reservations", {}),
    "volume": ("describe_volumes", "Volumes", {}),
    "snapshot": ("describe_snapshots", "Snapshots", {"OwnerIds": ["self"]}),
    "image": ("describe_images", "Images", {"Owners": ["self"]}),
    "elastic-ip": ("describe_addresses", "Addresses", {}),
    "launch-template": ("describe_launch_templates", "LaunchTemplates", {}),
    "network-interface": ("describe_network_interfaces", "NetworkInterfaces", {}),
    "placement-group": ("describe_placement_groups", "PlacementGroups", {}),
    "security-group": ("describe_security_groups", "SecurityGroups", {}),
    "key-pair": ("describe_key_pairs", "KeyPairs", {}),
}
"""How a kind is described, and where it is in the answer."""
FREE = {
    "launch-template": "LaunchTemplateId",
    "network-interface": "NetworkInterfaceId",
    "placement-group": "GroupId",
    "security-group": "GroupId",
    "key-pair": "KeyPairId",
}
"""What costs nothing, and its id."""
PASSING = frozenset({"fleet", "spot-instances-request", "security-group-rule"})
"""Nothing by themselves: the instances and the firewall are."""
GIB = 2**30
MOST_AT_ONCE = 16


def sweep(
    clients: Clients, region: str, name: str | None = None, unknowns: Unknowns | None = None
) -> Inventory:
    """Return all that carries roost's tag (or that of one name); without a name, with the hints.

    At most 13 calls. Raises roost's errors for botocore's.
    """
    calls = Calls(clients("ec2"), unknowns or Unknowns())
    with translated(f"look for what costs in {region}"):
        mine = [{"Name": "key", "Values": [tags.NAME]}]
        if name is not None:
            mine.append({"Name": "value", "Values": [name]})
        tagged = calls.every("describe_tags", "Tags", Filters=mine)
        described = _described(calls, {t["ResourceType"] for t in tagged}, name)
        hints = () if name is not None else _hints(calls, region)
    notes = tuple(_parked(described))
    return Inventory(region, inventory(described, tagged, region), hints, notes)


def sweep_all(clients: Callable[[str], Clients], regions: Iterable[str]) -> tuple[Inventory, ...]:
    """Return the inventory of every region, all at once; one that refuses is there, as unknown."""
    places = tuple(regions)

    def one(region: str) -> Inventory:
        try:
            return sweep(clients(region), region)
        except RoostError as error:
            return Inventory(region, unknown=error.what)

    with ThreadPoolExecutor(max(1, min(MOST_AT_ONCE, len(places)))) as pool:
        return tuple(pool.map(one, places))


def regions(clients: Clients) -> tuple[str, ...]:
    """Return every region that is switched on in this account."""
    with translated("list the regions"):
        answer = clients("ec2").describe_regions()
    return tuple(sorted(one["RegionName"] for one in answer["Regions"]))


def _described(calls: Calls, kinds: set[str], name: str | None) -> Described:
    key = "tag-key" if name is None else f"tag:{tags.NAME}"
    mine = [{"Name": key, "Values": [tags.NAME if name is None else name]}]
    asked = {
        kind: (calls.optional if call in OPTIONAL else calls.every)(
            call, field, Filters=mine, **owned
        )
        for kind, (call, field, owned) in LISTS.items()
        if kind in kinds
    }
    return {kind: found for kind, found in asked.items() if found is not None}


def _parked(described: Described) -> Iterator[str]:
    """Yield the data that the records say is in the user's buckets."""
    for record in described.get("launch-template", ()):
        name = _name(record)
        try:
            for copy in s3_copies.in_tags(record.get("Tags")):
                yield f"data of {name} {copy.name}: {copy.place}, {copy.used_gib:g} GiB"
        except CloudError as error:
            yield f"{name}: {error.what}"


def _hints(calls: Calls, region: str) -> tuple[Found, ...]:
    free = [{"Name": "status", "Values": ["available"]}]
    volumes = calls.every("describe_volumes", "Volumes", Filters=free)
    return unused(volumes, calls.optional("describe_addresses", "Addresses") or (), region)


# --- pure: from what EC2 describes to what is paid for -------------------------------------------


def inventory(
    described: Described, tagged: Iterable[Mapping[str, str]], region: str
) -> tuple[Found, ...]:
    """Return all that is roost's; one of a kind that is not described has no price."""
    records = {_name(one) for one in described.get("launch-template", ())}
    found = [
        *_machines(described, region),
        *(_volume(one, region) for one in described.get("volume", ()) if _is_there(one)),
        *(_snapshot(one, region) for one in described.get("snapshot", ())),
        *_images(described, region),
        *(_address(one, region) for one in described.get("elastic-ip", ())),
        *(
            Found(kind=kind, ids=(one[key],), what=_words(kind), region=region, name=_name(one))
            for kind, key in FREE.items()
            for one in described.get(kind, ())
        ),
        *(
            _unheard_of(tag, region)
            for tag in tagged
            if tag["ResourceType"] not in described and tag["ResourceType"] not in PASSING
        ),
    ]
    return tuple(_judged(one, records) for one in found)


def unused(
    volumes: Iterable[Mapping[str, Any]], addresses: Iterable[Mapping[str, Any]], region: str
) -> tuple[Found, ...]:
    """Return volumes on no machine and addresses of none that are not roost's."""
    found = [_volume(one, region) for one in volumes if _is_there(one)]
    found += [_address(one, region) for one in addresses if "AssociationId" not in one]
    ends = {
        "volume": ("delete-volume", "--volume-id"),
        "elastic-ip": ("release-address", "--allocation-id"),
    }
    return tuple(
        _with_end(one, command_line("aws", "ec2", *ends[one.kind], one.ids[0], "--region", region))
        for one in found
        if not one.name
    )


def _judged(found: Found, records: set[str]) -> Found:
    """Add the command that ends it; mark it as an orphan if no record has its name."""
    if found.name == tags.IMAGES:
        return _with_end(found, command_line("roost", "image", "ls", "--region", found.region))
    orphan = found.name not in records
    command = command_line("roost", "down", found.name, "--region", found.region)
    return _with_end(found, command, orphan=orphan)


def _with_end(found: Found, end: str, *, orphan: bool = False) -> Found:
    return replace(found, end=end, orphan=orphan)


def _machines(described: Described, region: str) -> list[Found]:
    fixed = {one.get("InstanceId") for one in described.get("elastic-ip", ())}
    return [
        _machine(one, region, fixed=one["InstanceId"] in fixed)
        for reservation in described.get("instance", ())
        for one in reservation["Instances"]
        if one["State"]["Name"] not in ("terminated", "shutting-down")
    ]


def _machine(one: Mapping[str, Any], region: str, *, fixed: bool) -> Found:
    """Price a running machine: it pays for its public address, unless that is an Elastic IP."""
    state = one["State"]["Name"]
    running = state in ("pending", "running")
    spot = one.get("InstanceLifecycle") == "spot"
    machine = Instances(one["InstanceType"], region, 1, spot)
    address = "PublicIpAddress" in one and not fixed
    return Found(
        kind="instance",
        ids=(one["InstanceId"],),
        what=f"{one['InstanceType']} {state}{' (spot)' if spot else ''}",
        region=region,
        name=_name(one),
        items=(machine, Addresses(region)) if address else (machine,),
        running=running,
    )


def _volume(one: Mapping[str, Any], region: str) -> Found:
    kind, size = one["VolumeType"], int(one["Size"])
    attached = "attached" if one.get("Attachments") else "attached to nothing"
    held = tags.read(one.get("Tags"))
    called = f' "{held[tags.NODE]}"' if tags.HOLDER in held and tags.NODE in held else ""
    return Found(
        kind="volume",
        ids=(one["VolumeId"],),
        what=f"{kind} volume{called} of {size} GB, {attached}",
        region=region,
        name=_name(one),
        items=(Volumes(size, region, kind, 1, one.get("Iops"), one.get("Throughput")),),
    )


def _is_there(volume: Mapping[str, Any]) -> bool:
    return volume["State"] not in ("deleting", "deleted")


def _snapshot(one: Mapping[str, Any], region: str) -> Found:
    tier = one.get("StorageTier", "standard")
    gb = _stored(one)
    node = tags.read(one.get("Tags")).get(tags.NODE, "")
    of = f' of "{node}"' if node else ""
    kind = "archived snapshot" if tier == "archive" else "snapshot"
    return Found(
        kind="snapshot",
        ids=(one["SnapshotId"],),
        what=f"{kind}{of}, at most {gb} GB",
        region=region,
        name=_name(one),
        # The archive holds the whole of it; the standard tier what changed since the one before.
        items=(Snapshots(gb, region, 1, tier, tier == "archive" and _measured(one)),),
    )


def _measured(snapshot: Mapping[str, Any]) -> bool:
    return bool(snapshot.get("FullSnapshotSizeInBytes"))


def _stored(snapshot: Mapping[str, Any]) -> Number:
    """Return the most that it can hold, in GB: all its written blocks, or its volume's size."""
    full = snapshot.get("FullSnapshotSizeInBytes")
    if not full:
        return int(snapshot["VolumeSize"])
    gb = (Decimal(full) / GIB).quantize(Decimal("0.01"))
    return int(gb) if gb == int(gb) else gb


def _images(described: Described, region: str) -> list[Found]:
    """Price images by their snapshots; those that carry the tag are counted already."""
    counted = {one["SnapshotId"] for one in described.get("snapshot", ())}
    found = []
    for one in described.get("image", ()):
        disks = [mapping.get("Ebs", {}) for mapping in one.get("BlockDeviceMappings", ())]
        sizes = [d["VolumeSize"] for d in disks if d.get("SnapshotId", "") not in {*counted, ""}]
        found.append(
            Found(
                kind="image",
                ids=(one["ImageId"],),
                what=f'image "{one.get("Name", "")}"',
                region=region,
                name=_name(one),
                items=tuple(Snapshots(int(size), region) for size in sizes),
            )
        )
    return found


def _address(one: Mapping[str, Any], region: str) -> Found:
    used = "AssociationId" in one
    return Found(
        kind="elastic-ip",
        ids=(one["AllocationId"],),
        what=f"Elastic IP {one['PublicIp']} {'in use' if used else 'idle'}",
        region=region,
        name=_name(one),
        items=(Addresses(region, elastic=True),),
        running=used,
    )


def _unheard_of(tag: Mapping[str, str], region: str) -> Found:
    return Found(
        kind=tag["ResourceType"],
        ids=(tag["ResourceId"],),
        what=_words(tag["ResourceType"]),
        region=region,
        name=tag["Value"],
        priced=False,
    )


def _words(kind: str) -> str:
    return kind.replace("-", " ")


def _name(one: Mapping[str, Any]) -> str:
    return tags.read(one.get("Tags")).get(tags.NAME, "")
