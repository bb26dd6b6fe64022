"""The account's limits of EBS: how many TiB of a type of volume it may have. Pure but for asking.

The disks that machines boot from count in them like data volumes (EBS's user guide, "Quotas for
Amazon EBS"). The codes are Service Quotas' own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from roost.model.finding import Finding
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import translated
from roost.providers.aws.quotas import Clients, Quota, limit_of
from roost.providers.aws.rules import EbsDisks

if TYPE_CHECKING:
    from roost.model.resources import State, Wanted

TIB = 1024
STORAGE = {
    "gp2": ("L-D18FCD1D", "General Purpose SSD"),
    "gp3": ("L-7A658B76", "General Purpose SSD"),
    "io1": ("L-FD252861", "Provisioned IOPS SSD"),
    "io2": ("L-09BD8365", "Provisioned IOPS SSD"),
    "sc1": ("L-17AF77E8", "Cold HDD"),
    "st1": ("L-82ACEF56", "Throughput Optimized HDD"),
}


def storage_of(kind: str) -> Quota | None:
    """Return the quota that a type of volume counts in; None where roost does not know it."""
    if kind not in STORAGE:
        return None
    code, words = STORAGE[kind]
    return Quota(code, f"Storage for {words} ({kind}) volumes", service="ebs")


def needed_gib(wanted: Wanted, have: State) -> Counter[str]:
    """Return the GiB that `up` will make, by the type of volume: disks of machines, and volumes."""
    found: Counter[str] = Counter()
    there = Counter(i.role for i in have.instances if i.state != "deleting")
    for group in wanted.groups:
        missing = max(0, group.count - there[group.role])
        found[group.shape.disk_type or EbsDisks.root] += missing * round(group.shape.disk_gib)
    sizes = {volume.name: volume.size_gib for volume in have.volumes}
    for one in wanted.volumes:
        if not one.id:
            found[one.type] += max(0, round(one.size_gib - sizes.get(one.name, 0)))
    return +found


def used_gib(described: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return the GiB of all volumes of a region, by their type."""
    found: Counter[str] = Counter()
    for one in described:
        found[str(one.get("VolumeType", ""))] += int(one.get("Size", 0))
    return found


def check_volumes(
    clients: Clients, wanted: Wanted, have: State, region: str
) -> tuple[Finding, ...]:
    """Check that so much may be had. One request for what is there, and one for each type."""
    needed = needed_gib(wanted, have)
    quotas = {kind: quota for kind in sorted(needed) if (quota := storage_of(kind)) is not None}
    if not quotas:
        return ()
    with translated("see what is in use"):
        used = used_gib(Calls(clients("ec2")).every("describe_volumes", "Volumes"))
    return tuple(
        judge_volumes(quota, needed[kind], used[kind], limit_of(clients, quota), region)
        for kind, quota in quotas.items()
    )


def judge_volumes(quota: Quota, need: int, used: int, limit: float | str, region: str) -> Finding:
    """Judge whether so many GiB may be had beside those there are; ``limit`` is in TiB."""
    text = f"{quota.title}: needs {need / TIB:.2f} TiB"
    if isinstance(limit, str):
        text = f"{text}, {used / TIB:.2f} are there; the limit is unknown: {limit}"
        return Finding(check="quota", verdict="unknown", text=text, mend=quota.page(region))
    text = f"{text}, {used / TIB:.2f} of {limit:g} are there"
    if used + need <= limit * TIB:
        return Finding(check="quota", verdict="ok", text=text)
    more = -(-(used + need) // TIB)
    mend = f"ask for {more} or more: {quota.page(region)}"
    return Finding(check="quota", verdict="problem", text=text, mend=mend, access=True)
