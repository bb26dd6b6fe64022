"""The account's limits: vCPUs by class of machine, and addresses. Pure but for asking.

Those of volumes are in ``volume_quotas.py``: only `roost doctor` looks at them.

EC2 counts the vCPUs of running machines, on demand and spot apart, in classes by the letters that
begin a type's name ("On-Demand Instance quotas" and "Spot Instance quotas" in EC2's user guide).
The codes are Service Quotas' own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roost.errors import QuotaError, command_line
from roost.model.finding import Finding
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import code_of, kind_of, translated

if TYPE_CHECKING:
    from roost.model.resources import Instance, State, Wanted

Clients = Callable[[str], Any]

STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
CLASSES: dict[str, str] = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), STANDARD),
    "dl": "DL",
    "f": "F",
    **dict.fromkeys(("g", "gr", "vt"), "G and VT"),
    "hpc": "HPC",
    "inf": "Inf",
    "p": "P",
    "trn": "Trn",
    "u": "High Memory",
    "x": "X",
}
"""The letters that begin a type's name (``m7i.xlarge``: m), and the class that it counts in."""
ON_DEMAND = {
    STANDARD: "L-1216C47A",
    "DL": "L-6E869C2A",
    "F": "L-74FC7D96",
    "G and VT": "L-DB2E81BA",
    "HPC": "L-F7808C92",
    "High Memory": "L-43DA4232",
    "Inf": "L-1945791B",
    "P": "L-417A185B",
    "Trn": "L-2C3B7624",
    "X": "L-7295265B",
}
SPOT = {
    STANDARD: "L-34B43A08",
    "DL": "L-85EED4F7",
    "F": "L-88CF9481",
    "G and VT": "L-3819A6DF",
    "Inf": "L-B5D1601B",
    "P": "L-7212CCBC",
    "Trn": "L-6B0D517C",
    "X": "L-E3A00192",
}
NEWER_P = re.compile(r"p([5-9]|\d\d)")
"""AWS has counted these as spot in a quota of their own, and in that of all P: roost cannot say."""


@dataclass(frozen=True, slots=True, order=True)
class Quota:
    """One limit of Service Quotas."""

    code: str
    title: str
    service: str = "ec2"

    def page(self, region: str) -> str:
        """Return the address of the page where to ask for more."""
        console = f"https://{region}.console.aws.amazon.com"
        return f"{console}/servicequotas/home/services/{self.service}/quotas/{self.code}"


ADDRESSES = Quota("L-0263D0A3", "EC2-VPC Elastic IPs")


def quota_of(type_name: str, spot: bool) -> Quota | None:
    """Return the quota that a type counts in; None where roost does not know it."""
    letters = re.match(r"[a-z]+", type_name)
    kind = CLASSES.get(letters.group()) if letters else None
    if kind is None or (spot and NEWER_P.match(type_name)):
        return None
    code = (SPOT if spot else ON_DEMAND).get(kind)
    title = f"All {kind} Spot Instance Requests" if spot else f"Running On-Demand {kind} instances"
    return Quota(code, title) if code else None


# --- what is needed, and what is in use -----------------------------------------------------------


def needed(wanted: Wanted, have: State, *, firm: bool = False) -> Counter[tuple[str, bool]]:
    """Count the machines that `up` will launch or start, by type and whether they are spot.

    Of those that may be others, the first choice counts. ``firm``: only those without which `up`
    fails: as many as are enough, and of those that may be no other type nor on demand.
    """
    found: Counter[tuple[str, bool]] = Counter()
    live = [i for i in have.instances if i.state != "deleting"]
    for group in wanted.groups:
        shape, count = group.shape, group.count
        if firm and (shape.others or shape.or_on_demand):
            continue
        if firm and group.least is not None:
            count = min(count, group.least)
        mine = sorted((i for i in live if i.role == group.role), key=_counted, reverse=True)[:count]
        found[shape.type, shape.spot] += count - len(mine)
        found.update((i.shape.type, i.shape.spot) for i in mine if not _counted(i))
    return +found


def _counted(instance: Instance) -> bool:
    """Tell whether EC2 counts it already."""
    return instance.state in ("pending", "running")


def in_use(
    reservations: Iterable[Mapping[str, Any]], vcpus: Callable[[str], int | None]
) -> Counter[Quota]:
    """Count the vCPUs of the running machines of a region, by the quota that they count in.

    ``vcpus`` has the vCPUs of a type. EC2 counts those, whatever part of them is switched off.
    """
    found: Counter[Quota] = Counter()
    for reservation in reservations:
        for described in reservation["Instances"]:
            if described["State"]["Name"] not in ("pending", "running"):
                continue
            kind = described["InstanceType"]
            quota = quota_of(kind, described.get("InstanceLifecycle") == "spot")
            if quota is not None:
                found[quota] += vcpus(kind) or _described_vcpus(described)
    return found


def _described_vcpus(described: Mapping[str, Any]) -> int:
    options = described.get("CpuOptions", {})
    return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))


def judge_vcpus(
    machines: Mapping[tuple[str, bool], int],
    used: Mapping[Quota, int],
    limits: Mapping[Quota, float | str],
    region: str,
    vcpus: Callable[[str], int | None],
) -> tuple[Finding, ...]:
    """Judge whether these machines may run beside those in use.

    ``limits`` has a quota's value, or why it could not be read.
    """
    asked: Counter[Quota] = Counter()
    found: list[Finding] = []
    for (kind, spot), count in sorted(machines.items()):
        quota, each = quota_of(kind, spot), vcpus(kind)
        if quota is None or each is None:
            why = "which quota they count in" if quota is None else "how many vCPUs they have"
            text = f"{count} x {kind}{' spot' if spot else ''}: roost does not know {why}"
            found.append(Finding(check="quota", verdict="unknown", text=text, mend=_all(region)))
        else:
            asked[quota] += count * each
    for quota, need in sorted(asked.items()):
        found.append(_judge(quota, need, used.get(quota, 0), limits[quota], region, "vCPUs"))
    return tuple(found)


def judge_addresses(need: int, used: int, limit: float | str, region: str) -> Finding:
    """Judge whether so many Elastic IPs may be had beside those in use."""
    return _judge(ADDRESSES, need, used, limit, region, "addresses")


def _judge(
    quota: Quota, need: int, used: int, limit: float | str, region: str, unit: str
) -> Finding:
    if isinstance(limit, str):
        text = (
            f"{quota.title}: needs {need} {unit}, {used} are in use; the limit is unknown: {limit}"
        )
        return Finding(check="quota", verdict="unknown", text=text, mend=quota.page(region))
    text = f"{quota.title}: needs {need} {unit}, {used} of {limit:g} are in use"
    if used + need <= limit:
        return Finding(check="quota", verdict="ok", text=text)
    mend = f"ask for {used + need} or more: {quota.page(region)}"
    return Finding(check="quota", verdict="problem", text=text, mend=mend, access=True)


def _all(region: str) -> str:
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas"


# --- asking ---------------------------------------------------------------------------------------


def limit_of(clients: Clients, quota: Quota) -> float | str:
    """Return a quota's value in the account and region; or why it cannot be read: no problem.

    Raises CredentialsError.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    quotas = clients("service-quotas")
    try:
        answer = quotas.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
    except ClientError as error:
        if kind_of(error) in ("clock", "credentials", "region"):
            with translated("read the quotas"):
                raise
        return f"Service Quotas does not say ({code_of(error)})"
    except BotoCoreError as error:
        return f"Service Quotas does not say ({type(error).__name__})"
    return float(answer["Quota"]["Value"])


def running(clients: Clients) -> list[Any]:
    """Return what EC2 counts: the reservations of all running machines of the region. One call."""
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    with translated("see what is in use"):
        return Calls(clients("ec2")).every("describe_instances", "Reservations", Filters=states)


def check_before(clients: Clients, wanted: Wanted, have: State, region: str) -> tuple[Finding, ...]:
    """Check that the account lets all that is missing run.

    Asks nothing where nothing is missing. One request for what is in use, and one for each quota,
    and two more where several fixed addresses are missing. What a request says itself, before
    anything that costs, is not asked for: whether there is one address, and whether the first
    machine of a name may run, where it alone counts in its quota. What cannot be known, and what is
    not enough but does not stop `up` (there may be fewer, or others), is in the answer, to be said.
    Raises QuotaError with all that is in the way, CredentialsError.
    """
    machines, firmly = needed(wanted, have), needed(wanted, have, firm=True)
    if (itself := _said_by_its_launch(wanted, have, machines)) is not None:
        del machines[itself], firmly[itself]
    counted = _counts(clients, machines)
    firm = _judged(firmly, counted, region)
    several = len(missing_addresses(wanted, have)) > 1
    addresses = check_addresses(clients, wanted, have, region) if several else ()
    problems = [one for one in (*firm, *addresses) if one.verdict == "problem"]
    if problems:
        lines = "".join(f"\n  {one.text}\n    {one.mend}" for one in problems)
        raise QuotaError(
            f"the account's quotas in {region} do not allow {wanted.name}:{lines}",
            exists=have.conditions,
            next=command_line("roost", "up", wanted.name)
            + ", when AWS has said yes   (or fewer, or smaller ones)",
        )
    found = (*_judged(machines, counted, region), *addresses)
    return tuple(one for one in found if one.verdict != "ok")


def _said_by_its_launch(
    wanted: Wanted, have: State, machines: Counter[tuple[str, bool]]
) -> tuple[str, bool] | None:
    """Return the head of a new cluster, if no other machine counts in its quota; it comes first."""
    if have.instances or wanted.volumes or wanted.addresses or len(machines) < 2:
        return None
    head = (wanted.groups[0].shape.type, wanted.groups[0].shape.spot)
    others = [quota_of(*kind) for kind in machines if kind != head]
    alone = machines[head] == wanted.groups[0].count and quota_of(*head) not in others
    return head if alone else None


def check_machines(
    clients: Clients, machines: Counter[tuple[str, bool]], region: str
) -> tuple[Finding, ...]:
    """Check that so many machines, by type and spot, may run. Nothing is asked for none."""
    return _judged(machines, _counts(clients, machines), region)


Counts = tuple[Mapping[Quota, int], Mapping[Quota, float | str]]
"""What is in use, and the limits (or why they are not known)."""


def _counts(clients: Clients, machines: Counter[tuple[str, bool]]) -> Counts:
    if not machines:
        return {}, {}
    used = in_use(running(clients), vcpus_of)
    quotas = {quota_of(kind, spot) for kind, spot in machines}
    return used, {quota: limit_of(clients, quota) for quota in sorted(filter(None, quotas))}


def _judged(
    machines: Counter[tuple[str, bool]], counted: Counts, region: str
) -> tuple[Finding, ...]:
    used, limits = counted
    return judge_vcpus(machines, used, limits, region, vcpus_of)


def missing_addresses(wanted: Wanted, have: State) -> set[str]:
    """Return the names of the fixed addresses that are wanted and not there."""
    return {a.name for a in wanted.addresses} - {a.name for a in have.addresses}


def check_addresses(
    clients: Clients, wanted: Wanted, have: State, region: str
) -> tuple[Finding, ...]:
    """Check that the missing fixed addresses may be had. Nothing is asked for none."""
    missing = missing_addresses(wanted, have)
    if not missing:
        return ()
    with translated("see what is in use"):
        there = Calls(clients("ec2")).optional("describe_addresses", "Addresses")
    if there is None:
        text = f"{ADDRESSES.title}: needs {len(missing)}, and how many are in use is unknown"
        mend = ADDRESSES.page(region)
        return (Finding(check="quota", verdict="unknown", text=text, mend=mend),)
    limit = limit_of(clients, ADDRESSES)
    return (judge_addresses(len(missing), len(there), limit, region),)


def vcpus_of(type_name: str) -> int | None:
    """Return the vCPUs of a type, from the catalogue that comes with roost."""
    from roost.catalogue import load

    found = load().instance_type(type_name)
    return found.vcpus if found else None
