"""Checks before anything is made: each judges one answer, and gives its remedy.

``examine`` asks; what begins with ``judge_`` is pure. A check that cannot be made is "unknown".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from roost.errors import AccessError, RoostError, command_line
from roost.model.finding import Finding
from roost.model.resources import Shape, State, Wanted
from roost.providers.aws import machine_role
from roost.providers.aws.account_checks import asked, many
from roost.providers.aws.client import Calls
from roost.providers.aws.codes import row_of
from roost.providers.aws.dry_runs import Answer, answer_of, dry_runs
from roost.providers.aws.failures import code_of, kind_of, translated
from roost.providers.aws.images.lookup import describe_own, disk_size, image_source, too_small
from roost.providers.aws.network import Network, judge_routes, network_of
from roost.providers.aws.permissions import SPOT_ROLE
from roost.providers.aws.quotas import Clients, check_addresses, check_machines, needed
from roost.providers.aws.volume_quotas import check_volumes

if TYPE_CHECKING:
    from roost.spec import Spec

# --- what a file wants ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The case to examine: a spec, all that it wants, and what exists of it; ``file`` for hints."""

    spec: Spec
    wanted: Wanted
    have: State
    region: str
    file: str

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The kinds of machine, each once."""
        return tuple(dict.fromkeys(g.shape for g in self.wanted.groups if g.count))


def examine_case(clients: Clients, case: Case) -> Iterator[Finding]:
    """Yield all that can be known before anything is made."""
    network: Network | None = None
    try:
        with translated("look for the network"):
            network = network_of(Calls(clients("ec2")), case.spec.aws, case.spec.access)
    except RoostError as error:
        access = isinstance(error, AccessError)
        yield Finding(
            check="network", verdict="problem", text=error.what, mend=error.next, access=access
        )
    if network is not None:
        yield asked("network", partial(_routes, clients, network))
        yield from many("type", partial(_types, clients, case, network))
    yield from many("image", partial(_images, clients, case))
    yield from many("quota", partial(_quotas, clients, case))
    if any(shape.spot for shape in case.shapes):
        yield asked("spot", partial(_spot, clients))
    yield from examine_role(clients, case.spec, case.file)
    yield from examine_key(clients, case.spec)
    if network is not None:
        yield from many("permission", partial(_permissions, clients, case, network))


def _routes(clients: Clients, network: Network) -> Finding:
    mine = [{"Name": "vpc-id", "Values": [network.vpc]}]
    found = Calls(clients("ec2")).every("describe_route_tables", "RouteTables", Filters=mine)
    return judge_routes(found, network)


def _types(clients: Clients, case: Case, network: Network) -> Iterator[Finding]:
    names = sorted({shape.type for shape in case.shapes})
    found = Calls(clients("ec2")).every(
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": names}],
    )
    offered = {(one["InstanceType"], one["Location"]) for one in found}
    return (judge_offers(name, offered, network.zones, case.region) for name in names)


def judge_offers(
    name: str, offered: set[tuple[str, str]], zones: tuple[str, ...], region: str
) -> Finding:
    """Judge whether one of the zones has the type."""
    among = [zone for zone in zones if (name, zone) in offered]
    if among:
        return Finding(check="type", verdict="ok", text=f"{name}: {', '.join(among)}")
    others = sorted(zone for kind, zone in offered if kind == name)
    mend = (
        f"zones = {others} in [aws]".replace("'", '"')
        if others
        else "another type: " + command_line("roost", "prices", "--region", region)
    )
    text = f"{name} is not offered in {', '.join(zones)}"
    return Finding(check="type", verdict="problem", text=text, mend=mend)


def _images(clients: Clients, case: Case) -> Iterator[Finding]:
    named = {(s.image, s.arch): image_source(s.image, s.arch) for s in case.shapes}
    parameters = sorted({source.parameter for source in named.values() if source})
    missing: set[str] = set()
    if parameters:
        answer = clients("ssm").get_parameters(Names=parameters)
        missing = set(answer.get("InvalidParameters", ()))
    for (image, arch), source in named.items():
        if source is not None:
            yield judge_image(f"{image} ({arch})", source.parameter not in missing, case.region)
            continue
        found = describe_own(Calls(clients("ec2")), [(image, arch)]).get((image, arch))
        smallest = min(s.disk_gib for s in case.shapes if s.image == image)
        size = disk_size(found) if found else 0
        if found and size > smallest:
            text = too_small(found["ImageId"], size, smallest)
            mend = f'disk = "{size}GB" in the file'
            yield Finding(check="image", verdict="problem", text=text, mend=mend)
            continue
        title = f"{image}: {found['ImageId']}, {found.get('Name', '')}" if found else image
        yield judge_image(title if "/" in image else image, bool(found), case.region)


def judge_image(title: str, there: bool, region: str) -> Finding:
    """Judge whether the region has the system."""
    if there:
        return Finding(check="image", verdict="ok", text=title)
    return Finding(
        check="image",
        verdict="problem",
        text=f"{region} has no image {title}",
        mend='another image in the file: "ubuntu-24.04", "debian-12", or an AMI of this region',
    )


def _quotas(clients: Clients, case: Case) -> Iterator[Finding]:
    yield from check_machines(clients, needed(case.wanted, case.have), case.region)
    yield from check_addresses(clients, case.wanted, case.have, case.region)
    yield from check_volumes(clients, case.wanted, case.have, case.region)


def _spot(clients: Clients) -> Finding:
    from botocore.exceptions import ClientError

    try:
        clients("iam").get_role(RoleName=SPOT_ROLE.rpartition("/")[2])
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        return Finding(
            check="spot",
            verdict="unknown",
            text="not used in this account yet; EC2 makes its role at the first use, if you may",
            mend="aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
        )
    return Finding(check="spot", verdict="ok", text="the account has EC2's role for spot")


def examine_role(clients: Clients, spec: Spec, file: str) -> Iterator[Finding]:
    """Check that the instance profile of the file exists, and that the file names one it needs.

    One request, where the file names one; none otherwise.
    """
    profile = spec.aws.instance_profile if spec.aws else None
    if profile is not None:
        yield asked("role", partial(_role, clients, profile, file))
    elif machine_role.needs_profile(spec):
        yield machine_role.missing(spec, file)


def _role(clients: Clients, profile: str, file: str) -> Finding:
    from botocore.exceptions import ClientError

    name = machine_role.name_of(profile)
    try:
        found = clients("iam").get_instance_profile(InstanceProfileName=name)
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return machine_role.absent(profile, file)
        if kind_of(error) == "access":
            return machine_role.not_allowed(profile, file)
        raise
    return machine_role.judge_profile(profile, found["InstanceProfile"])


AWS_KEY = "alias/aws/ebs"
"""The key that AWS keeps for each account: whoever may make a disk may use it."""


def examine_key(clients: Clients, spec: Spec) -> Iterator[Finding]:
    """Check the key that new disks are encrypted with. At most two requests."""
    yield asked("encryption", partial(_key, clients, spec.aws.kms_key if spec.aws else None))


def _key(clients: Clients, named: str | None) -> Finding:
    from botocore.exceptions import ClientError

    key = named or str(clients("ec2").get_ebs_default_kms_key_id()["KmsKeyId"])
    whose = "of the file" if named else "the account's default"
    if key.endswith(AWS_KEY):
        return Finding(check="encryption", verdict="ok", text=f"{key}, {whose}")
    try:
        state = str(clients("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        state = "not there"
    return judge_key(f"{key}, {whose}", state)


def judge_key(what: str, state: str) -> Finding:
    """Judge whether disks can be encrypted with a key: EC2 ends machines at once otherwise."""
    if state == "Enabled":
        return Finding(check="encryption", verdict="ok", text=what)
    return Finding(
        check="encryption",
        verdict="problem",
        text=f"the key {what}, is {state}: machines with its disks would end at once",
        mend="`kms_key` in [aws] with a key that is enabled; or: aws kms enable-key --key-id KEY",
        access=True,
    )


def _permissions(clients: Clients, case: Case, network: Network) -> Iterator[Finding]:
    for call, words in dry_runs(
        case.wanted, case.spec.tags, network, case.spec.aws.kms_key if case.spec.aws else None
    ):
        answer = answer_of(clients("ec2"), call, words)
        yield judge_dry_run(call, answer, case.file)
        if answer.done:  # it would do the others, too
            return


def judge_dry_run(call: str, answer: Answer, file: str) -> Finding:
    """Judge EC2's answer to a call with ``DryRun``: whether the permission for it is there."""
    code = answer.code
    action = "ec2:" + "".join(word.capitalize() for word in call.split("_"))
    if code == "DryRunOperation":
        return Finding(check="permission", verdict="ok", text=action)
    if row_of(code).kind == "access":
        return Finding(
            check="permission",
            verdict="problem",
            text=f"{action} is not allowed",
            mend=command_line("roost", "iam", file)
            + "   (the policy that allows it, and how to put it in place)",
            access=True,
        )
    if answer.left:
        text = (
            f"{action}: the endpoint knows no dry runs and did it; it is still there: {answer.left}"
        )
        return Finding(check="permission", verdict="problem", text=text, mend="delete it by hand")
    why = f"EC2 does not say ({code})"
    if answer.done:
        why = "the endpoint knows no dry runs and did it; what it made is deleted again"
    return Finding(check="permission", verdict="unknown", text=f"{action}: {why}")
