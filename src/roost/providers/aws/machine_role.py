"""The role of the machines: their permissions on AWS, with no credentials of yours. Pure.

An instance profile hands a role to a machine. It is made once, by whoever may, and the file names
it; roost only passes it on. AWS's console gives role and profile one name, and so does roost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from roost.errors import command_line
from roost.model.finding import Finding
from roost.parking.modes import ParkMode
from roost.providers.aws import tags

if TYPE_CHECKING:
    from roost.spec import Spec

PATH = "/roost/"
"""Where role and profile are made: `roost iam` without a file lets roles of this path be passed."""
PARTITIONS = (("us-gov-", "aws-us-gov"), ("cn-", "aws-cn"))
"""The beginnings of regions that are a part of AWS of their own."""
TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
"""Who may take the role: machines, and nobody else."""
START = "ssm:StartSession"
SESSIONS = [
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
]
"""What the agent of Session Manager does, as AWS's policy AmazonSSMManagedInstanceCore has it."""
PRINTS = "prints a role for it, and the commands that make it"


# --- names ----------------------------------------------------------------------------------------


def partition_of(region: str | None) -> str:
    """Return the part of AWS that a region is in, as its ARNs begin: ``"aws-us-gov"``."""
    return next((p for start, p in PARTITIONS if (region or "").startswith(start)), "aws")


def in_partition(document: dict[str, Any], region: str | None) -> dict[str, Any]:
    """Return a policy with the ARNs and services of the region's partition of AWS."""
    partition = partition_of(region)
    text = json.dumps(document).replace("arn:aws:", f"arn:{partition}:")
    if partition == "aws-cn":
        text = text.replace('"ec2.amazonaws.com"', '"ec2.amazonaws.com.cn"')
    moved: dict[str, Any] = json.loads(text)
    return moved


def name_of(profile: str) -> str:
    """Return the profile's name, from the name or ARN in the file."""
    return profile.rpartition("/")[2]


def roles_of(profile: str) -> tuple[str, ...]:
    """Return the ARNs that its role can have: it has the profile's name, in whatever path."""
    return _everywhere(profile, "role")


def profiles_of(profile: str) -> tuple[str, ...]:
    """Return the ARNs that the profile can have."""
    return (profile,) if profile.startswith("arn:") else _everywhere(profile, "instance-profile")


def _everywhere(profile: str, kind: str) -> tuple[str, ...]:
    head = profile.partition(":instance-profile/")[0] if ":" in profile else "arn:aws:iam::*"
    return (f"{head}:{kind}/{name_of(profile)}", f"{head}:{kind}/*/{name_of(profile)}")


# --- what the machines may ------------------------------------------------------------------------


def needs_profile(spec: Spec) -> bool:
    """Tell whether its machines need a role, and the file names none."""
    needs = _dcv(spec) or spec.uses_s3 or _by_session(spec)
    return needs and spec.cloud == "aws" and not (spec.aws and spec.aws.instance_profile)


def missing(spec: Spec, file: str) -> Finding:
    """Return the finding for a spec that ``needs_profile``."""
    if _by_session(spec):
        return Finding(
            check="role",
            verdict="problem",
            text='reach = "ssm" and no instance_profile in [aws]: nobody could reach the machines',
            mend=command_line("roost", "iam", file, "--machine") + f"   ({PRINTS})",
        )
    why = []
    if _dcv(spec):
        why.append("Amazon DCV cannot read its licence, and runs as a trial of 30 days")
    if spec.uses_s3:
        why.append(
            "what it copies to S3 or from it is copied with your credentials, lent each time"
        )
    what = 'protocol = "dcv"' if _dcv(spec) else "data in S3"
    return Finding(
        check="role",
        verdict="warning",
        text=f"{what} and no instance_profile in [aws]: {'; '.join(why)}",
        mend=command_line("roost", "iam", file, "--machine") + f"   ({PRINTS})",
    )


def _by_session(spec: Spec) -> bool:
    return spec.access.reach == "ssm"


def _dcv(spec: Spec) -> bool:
    return spec.kind != "cluster" and spec.protocol == "dcv"


def machine_policy(spec: Spec, region: str) -> dict[str, Any] | None:
    """Return the least policy of the machines' role; None where they need none.

    DCV's licence is an object in a bucket of AWS. Of the buckets in ``[data]`` only the prefixes
    that the file names are listed, read or written; what is written is also read, to check it.
    Objects are deleted only where volumes are parked: what a volume has no more goes there too.
    Uploads that were cut short are found to go on with: IAM can limit that by the bucket only.
    """
    partition = partition_of(region)
    pulled = [_place(pull.source) for pull in spec.data.pull]
    pushed = [_place(push.target) for push in spec.data.push]
    parked = _parked(spec)
    written = [*pushed, *parked]
    s3 = f"arn:{partition}:s3:::"
    found = [
        *([_allow("Sessions", SESSIONS, ["*"])] if _by_session(spec) else []),
        *([_allow("Dcv", ["s3:GetObject"], [f"{s3}dcv-license.{region}/*"])] if _dcv(spec) else []),
        *_listing(s3, [*pulled, *written]),
        *_objects("Read", ["s3:GetObject"], s3, [*pulled, *written]),
        *_objects("Write", WRITE, s3, written),
        *_objects("Delete", ["s3:DeleteObject"], s3, parked),
        *([_allow("Unended", [UNENDED], sorted({s3 + b for b, _ in written}))] if written else []),
    ]
    return {"Version": "2012-10-17", "Statement": found} if found else None


def session_statements(spec: Spec, region: str) -> list[dict[str, Any]]:
    """Return what a user needs to reach the machines by Session Manager: for SSH, and no more.

    AWS's command makes these calls, and not roost. Source: Session Manager's user guide, "Sample
    IAM policies".
    """
    if not _by_session(spec):
        return []
    partition = partition_of(region)
    own = {f"ssm:resourceTag/{tags.NAME}": spec.name}
    machines = _allow("SessionsOnItsMachines", [START], [f"arn:{partition}:ec2:*:*:instance/*"])
    document = f"arn:{partition}:ssm:*::document/AWS-StartSSHSession"
    session = f"arn:{partition}:ssm:*:*:session/${{aws:username}}-*"
    only = {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}
    return [
        machines | {"Condition": {"StringEquals": own, **only}},
        _allow("SessionsForSsh", [START], [document]),
        _allow("OwnSessions", ["ssm:ResumeSession", "ssm:TerminateSession"], [session]),
    ]


def parked_statements(spec: Spec, region: str) -> list[dict[str, Any]]:
    """Return what a user needs to look at volumes parked in S3, before something is deleted.

    To list the copies, to read the trees that say what must be there, and to see whether a bucket
    keeps versions or deletes objects by itself. Who may not is told that it is unknown.
    """
    partition = partition_of(region)
    s3 = f"arn:{partition}:s3:::"
    places = _parked(spec)
    if not places:
        return []
    buckets = sorted({s3 + bucket for bucket, _ in places})
    looking = ["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"]
    listing = [{**one, "Sid": f"Parked{one['Sid']}"} for one in _listing(s3, places)]
    return [
        *listing,
        *_objects("ParkedTrees", ["s3:GetObject"], s3, places),
        _allow("ParkedBuckets", looking, buckets),
    ]


def _parked(spec: Spec) -> list[Place]:
    """Return the places that its volumes are parked in."""
    return [
        _place(f"{volume.park_to.rstrip('/')}/{spec.name}")
        for volume in spec.volumes
        if volume.park is ParkMode.S3 and volume.park_to is not None
    ]


WRITE = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
UNENDED = "s3:ListBucketMultipartUploads"

Place = tuple[str, str]
"""A bucket, and what the keys begin with: ``""`` or ``"raw/"``."""


def _place(url: str) -> Place:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    return bucket, f"{prefix}/" if prefix else ""


def _literal(text: str) -> str:
    """Escape what IAM would take for a wildcard or a variable."""
    return re.sub(r"[*?$]", lambda sign: f"${{{sign[0]}}}", text)


def _listing(s3: str, places: Iterable[Place]) -> list[dict[str, Any]]:
    """Return a statement for each bucket, as each has prefixes of its own."""
    prefixes: dict[str, set[str]] = {}
    for bucket, prefix in places:
        prefixes.setdefault(bucket, set()).add(f"{_literal(prefix)}*")
    found = []
    for number, (bucket, among) in enumerate(sorted(prefixes.items()), 1):
        statement = _allow(f"List{number}", ["s3:ListBucket"], [f"{s3}{bucket}"])
        if "*" not in among:
            statement["Condition"] = {"StringLike": {"s3:prefix": sorted(among)}}
        found.append(statement)
    return found


def _objects(
    sid: str, actions: list[str], s3: str, places: Iterable[Place]
) -> list[dict[str, Any]]:
    arns = sorted({f"{s3}{bucket}/{_literal(prefix)}*" for bucket, prefix in places})
    return [_allow(sid, actions, arns)] if arns else []


def _allow(sid: str, actions: list[str], arns: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arns}


def commands(profile: str, file: str) -> list[str]:
    """Return the aws commands that make role and profile, with the policy in ``file``."""
    name = name_of(profile)
    path = profile.partition(":instance-profile")[2].removesuffix(name) or PATH
    trust = json.dumps(TRUST, separators=(",", ":"))
    return [
        command_line(
            *("aws", "iam", "create-role", "--path", path, "--role-name", name),
            *("--assume-role-policy-document", trust),
        ),
        command_line(
            *("aws", "iam", "put-role-policy", "--role-name", name, "--policy-name", "roost"),
            *("--policy-document", f"file://{file}"),
        ),
        command_line(
            *("aws", "iam", "create-instance-profile", "--path", path),
            *("--instance-profile-name", name),
        ),
        _join(name, name),
    ]


def _join(profile: str, role: str) -> str:
    return command_line(
        *("aws", "iam", "add-role-to-instance-profile"),
        *("--instance-profile-name", profile, "--role-name", role),
    )


# --- is it there? ---------------------------------------------------------------------------------


def absent(profile: str, file: str) -> Finding:
    """Return the finding that the account has no such profile."""
    return _problem(
        f"the account has no instance profile {name_of(profile)}",
        command_line("roost", "iam", file, "--machine") + f"   ({PRINTS})",
    )


def not_allowed(profile: str, file: str) -> Finding:
    """Return the finding that roost may not ask whether it exists; the launch will show it."""
    return Finding(
        check="role",
        verdict="unknown",
        text=f"whether the instance profile {name_of(profile)} is there: "
        "iam:GetInstanceProfile is not allowed",
        mend=command_line("roost", "iam", file)
        + "   (the policy that allows it, and how to put it in place)",
    )


def judge_profile(profile: str, described: Mapping[str, Any]) -> Finding:
    """Judge whether a profile, as IAM describes it, hands a role to machines."""
    name = name_of(profile)
    if profile.startswith("arn:") and described["Arn"] != profile:
        return _problem(
            f"{profile} is not there; in this account {name} is {described['Arn']}",
            f'instance_profile = "{name}" in [aws], or the account that has it',
        )
    if not described["Roles"]:
        return _problem(f"the instance profile {name} has no role", _join(name, name))
    (role,) = described["Roles"]
    title, arn = role["RoleName"], role["Arn"]
    if not _trusts_machines(role.get("AssumeRolePolicyDocument")):
        trust = json.dumps(TRUST, separators=(",", ":"))
        return _problem(
            f"machines may not take the role {title} of the instance profile {name}",
            command_line(
                "aws",
                "iam",
                "update-assume-role-policy",
                "--role-name",
                title,
                "--policy-document",
                trust,
            ),
        )
    if title != name:
        return Finding(
            check="role",
            verdict="warning",
            text=f"the role of the instance profile {name} has another name: {arn}",
            mend=f"iam:PassRole must be for that one: in the policy of `roost iam`, put {arn}",
        )
    return Finding(check="role", verdict="ok", text=arn)


def _trusts_machines(document: Any) -> bool:
    """Tell whether EC2 may take the role; conditions and the like are left to AWS."""
    return document is None or "ec2.amazonaws.com" in json.dumps(document)


def _problem(text: str, mend: str) -> Finding:
    return Finding(check="role", verdict="problem", text=text, mend=mend, access=True)
