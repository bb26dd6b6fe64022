"""The project's limits: what is left of each, against what a file needs. Pure but for asking.

OpenStack has no quota of GPUs: a site limits them by who may use their flavors, and by cores. So
the flavors with GPUs that a file needs are counted in machines, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from roost.errors import QuotaError
from roost.model.finding import Finding
from roost.model.resources import Group, Role, State, Wanted
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import LIMITS, CallError
from roost.providers.openstack.flavors import MIB, Flavor


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a project; ``most`` is None without an end."""

    what: str
    used: int
    most: int | None

    @property
    def left(self) -> int | None:
        """What may still be made; None without an end."""
        return None if self.most is None else max(self.most - self.used, 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a site tells, by their names here; what it does not tell is not there."""

    known: Mapping[str, Limit]
    unknown: tuple[str, ...] = ()


NOVA = {
    "instances": ("totalInstancesUsed", "maxTotalInstances"),
    "cores": ("totalCoresUsed", "maxTotalCores"),
    "MiB of memory": ("totalRAMUsed", "maxTotalRAMSize"),
    "key pairs": ("", "maxTotalKeypairs"),
}
CINDER = {
    "volumes": ("totalVolumesUsed", "maxTotalVolumes"),
    "GB of volumes": ("totalGigabytesUsed", "maxTotalVolumeGigabytes"),
}
NEUTRON = {
    "floating addresses": "floatingip",
    "security groups": "security_group",
    "security group rules": "security_group_rule",
    "ports": "port",
}


def find_limits(site: Site) -> Limits:
    """Return the project's limits. Three calls; one that a site refuses leaves some unknown."""
    known: dict[str, Limit] = {}
    unknown: list[str] = []
    for service, names in (("compute", NOVA), ("block-storage", CINDER)):
        try:
            answer = site.get(service, "/limits")
            held = answer["limits"]["absolute"]
            known |= {what: _limit(what, held, *keys) for what, keys in names.items()}
        except (CallError, KeyError, TypeError, ValueError) as error:
            unknown.append(f"{service}: {_said(error)}")
    try:
        held = site.get("network", f"/quotas/{site.project}/details")["quota"]
        for what, key in NEUTRON.items():
            one = held[key]
            used = int(one["used"]) + int(one.get("reserved") or 0)
            known[what] = Limit(what, used, _most(one["limit"]))
    except (CallError, KeyError, TypeError, ValueError) as error:
        unknown.append(f"network: {_said(error)}")
    return Limits(known, tuple(unknown))


def _limit(what: str, held: Mapping[str, Any], used: str, most: str) -> Limit:
    return Limit(what, int(held[used]) if used else 0, _most(held[most]))


def _most(found: Any) -> int | None:
    """Return a limit; -1 is none."""
    return None if int(found) < 0 else int(found)


def _said(error: Exception) -> str:
    return error.said[:100] if isinstance(error, CallError) else "it tells no limits"


# --- what is needed ------------------------------------------------------------------------------


def needed(
    wanted: Wanted, have: State, fitted: Mapping[Role, Flavor], *, firm: bool = False
) -> dict[str, int]:
    """Return what `up` will make more of, by the names of the limits.

    ``fitted`` are the flavors by role. A machine that is off or shelved counts already. ``firm``:
    only as many machines as are enough to go on.
    """
    more: dict[str, int] = dict.fromkeys((*NOVA, *CINDER, *NEUTRON), 0)
    for group in wanted.groups:
        flavor, count = fitted.get(group.role), _missing(group, have, firm=firm)
        more["instances"] += count
        more["ports"] += count
        if flavor is not None:
            more["cores"] += count * flavor.cpus
            more["MiB of memory"] += round(count * flavor.memory_gib * MIB)
            if not flavor.disk_gib:
                more["volumes"] += count
                more["GB of volumes"] += round(count * group.shape.disk_gib)
    there = {volume.name: volume.size_gib for volume in have.volumes}
    for volume in wanted.volumes:
        more["volumes"] += volume.name not in there
        more["GB of volumes"] += max(0, round(volume.size_gib - there.get(volume.name, 0)))
    more["floating addresses"] = max(0, len(wanted.addresses) - len(have.addresses))
    more["security groups"] = max(0, len(wanted.security_groups) - len(have.security_groups))
    return {what: count for what, count in more.items() if count > 0}


def _missing(group: Group, have: State, *, firm: bool = False) -> int:
    live = sum(i.role == group.role and i.state != "deleting" for i in have.instances)
    least = group.least if firm and group.least is not None else group.count
    return max(0, min(least, group.count) - live)


def judge(limits: Limits, more: Mapping[str, int]) -> Iterator[Finding]:
    """Yield a finding for each limit that matters; what a site does not tell is unknown."""
    for what, count in more.items():
        limit = limits.known.get(what)
        if limit is None:
            continue
        held = "no limit" if limit.most is None else f"{limit.used} of {limit.most} are in use"
        if limit.left is None or count <= limit.left:
            yield Finding(check="quota", verdict="ok", text=f"{what}: {count} more; {held}")
            continue
        yield Finding(
            check="quota",
            verdict="problem",
            text=f"{what}: {count} more are needed, and {limit.left} are left ({held})",
            mend=LIMITS,
            access=True,
        )
    for text in limits.unknown:
        yield Finding(check="quota", verdict="unknown", text=text)


def room(limits: Limits, flavor: Flavor) -> int | None:
    """Return for how many machines of a flavor there is room; None where nothing limits them."""
    each = {
        "instances": 1,
        "cores": flavor.cpus,
        "MiB of memory": round(flavor.memory_gib * MIB),
    }
    found = [
        limit.left // count
        for what, count in each.items()
        if count and (limit := limits.known.get(what)) is not None and limit.left is not None
    ]
    return min(found, default=None)


def judge_gpus(
    wanted: Wanted, have: State, fitted: Mapping[Role, Flavor], limits: Limits
) -> Iterator[Finding]:
    """Yield, for each role with GPUs, how many of its machines the project has room for."""
    for group in wanted.groups:
        flavor = fitted.get(group.role)
        if flavor is None or not flavor.gpus:
            continue
        count, most = _missing(group, have), room(limits, flavor)
        limit = "no limit is told" if most is None else f"there is room for {most}"
        yield Finding(
            check="gpu",
            verdict="problem" if most is not None and most < count else "ok",
            text=f"{count} more machines of {flavor.text}: {limit}; a site can have fewer GPUs"
            " free than it allows",
            mend=f"{LIMITS}; or ask for a reservation" if most is not None else None,
            access=True,
        )


def before(site: Site, wanted: Wanted, have: State, fitted: Mapping[Role, Flavor]) -> None:
    """Raise QuotaError, before anything is made, with all that the project lacks for `up`.

    A quota that is met half way leaves disks and addresses behind. What a site does not tell is
    met when it is met.
    """
    more = needed(wanted, have, fitted, firm=True)
    problems = [f for f in judge(find_limits(site), more) if f.verdict == "problem"]
    if problems:
        what = "; ".join(one.text for one in problems)
        raise QuotaError(
            f"the project's quota is too small: {what}", exists=have.conditions, next=LIMITS
        )
