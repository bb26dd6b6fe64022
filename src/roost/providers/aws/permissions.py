"""The least IAM policy for a spec, made of one table of all calls that the program makes. Pure.

What can be limited is limited by the tag ``roost``: what is made must be given it in the same call
(``aws:RequestTag``), and what is changed or deleted must carry it (``aws:ResourceTag``). Which
action knows which of these keys is from AWS's Service Authorization Reference ("Actions, resources,
and condition keys for Amazon EC2"). A call that is missing here fails ``tests/aws/test_iam.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from roost.providers.aws import machine_role, tags
from roost.providers.aws.statements import ANY, arns_of, in_region, of_image, statement, tagged

if TYPE_CHECKING:
    from roost.spec import Spec

Need = Literal["volume", "fixed address", "spot", "role", "bill"]
"""What a spec must ask for, so that a permission is needed at all; no spec asks for the bill."""
NEEDS: frozenset[Need] = frozenset(("volume", "fixed address", "spot", "role"))
SIZE_LIMIT = 6_144
"""Characters of a managed policy; IAM does not count white space."""

PUBLIC_PARAMETERS = "arn:aws:ssm:*::parameter/aws/service/*"
QUOTAS = ("arn:aws:servicequotas:*:*:ec2/*", "arn:aws:servicequotas:*:*:ebs/*")
KMS_KEYS = "arn:aws:kms:*:*:key/*"
KMS_NAMES = (KMS_KEYS, "arn:aws:kms:*:*:alias/*")
SPOT_ROLE = "arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
MACHINE_ROLES = f"arn:aws:iam::*:role{machine_role.PATH}*"
MACHINE_PROFILES = f"arn:aws:iam::*:instance-profile{machine_role.PATH}*"
"""Where no file names a profile: those that were made as `roost iam --machine` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One action (``service:Action``) and how far it can be limited.

    ``verbs`` are the commands that make the call. ``makes`` are EC2's types of resource that it
    makes, with the tag; ``uses`` those that are there and need not be roost's; ``own`` means that
    what it is about must carry the tag; ``on`` are ARNs of other services. With none of these it
    only looks, and IAM cannot limit it. ``by`` is the call in which AWS checks an action that is
    no call of ours. ``free`` needs no permission. ``need``: only where the spec wants it.
    """

    action: str
    verbs: str
    makes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    own: bool = False
    on: tuple[str, ...] = ()
    by: str = ""
    free: bool = False
    need: Need | None = None

    @property
    def limit(self) -> str:
        """The limit of the call, for people."""
        if self.makes:
            return "makes only what it tags"
        if self.own:
            return "only what carries the tag"
        return ", ".join(self.on) or ("needs no permission" if self.free else "none: it only looks")


CALLS: tuple[Call, ...] = (
    # Calls that only read. EC2's Describe calls know no resources, so nothing can limit them; and
    # `roost audit` must be able to see what was forgotten anywhere.
    Call(action="ec2:DescribeAddresses", verbs="every command"),
    Call(action="ec2:DescribeImages", verbs="up doctor"),
    Call(action="ec2:DescribeInstances", verbs="every command"),
    Call(action="ec2:DescribeInstanceStatus", verbs="ls show up"),
    Call(action="ec2:DescribeInstanceTypeOfferings", verbs="doctor resize"),
    Call(action="ec2:DescribeInstanceTypes", verbs="resize"),
    Call(action="ec2:DescribeKeyPairs", verbs="every command"),
    Call(action="ec2:DescribeLaunchTemplates", verbs="ls"),
    Call(action="ec2:DescribeLaunchTemplateVersions", verbs="every command"),
    Call(action="ec2:DescribeNetworkInterfaces", verbs="audit"),
    Call(action="ec2:DescribePlacementGroups", verbs="audit"),
    Call(action="ec2:DescribeRegions", verbs="doctor"),
    Call(action="ec2:DescribeRouteTables", verbs="up doctor"),
    Call(action="ec2:DescribeSecurityGroups", verbs="every command"),
    Call(action="ec2:DescribeSnapshots", verbs="every command"),
    Call(action="ec2:DescribeSnapshotTierStatus", verbs="park resume show"),
    Call(action="ec2:DescribeSubnets", verbs="up doctor"),
    Call(action="ec2:DescribeTags", verbs="every command"),
    Call(action="ec2:DescribeVolumes", verbs="every command"),
    Call(action="ec2:DescribeVolumesModifications", verbs="up resume"),
    Call(action="sts:GetCallerIdentity", verbs="every command", free=True),
    Call(action="ec2:GetEbsDefaultKmsKeyId", verbs="doctor"),
    Call(action="kms:DescribeKey", verbs="doctor up", on=KMS_NAMES),
    Call(action="ce:GetCostAndUsage", verbs="cost --billed", need="bill"),
    Call(action="servicequotas:GetServiceQuota", verbs="up doctor", on=QUOTAS),
    # Calls that create. RunInstances also uses a firewall and a key; they were made a moment
    # before, and IAM may not know their tags yet.
    Call(
        action="ec2:RunInstances",
        verbs="up start scale",
        makes=("instance", "volume", "network-interface"),
        uses=("image", "subnet", "security-group", "key-pair"),
    ),
    Call(action="ssm:GetParameters", verbs="up doctor", on=(PUBLIC_PARAMETERS,)),
    # A volume that comes back is made of a snapshot, which carries the tag.
    Call(action="ec2:CreateVolume", verbs="up resume", makes=("volume",), own=True, need="volume"),
    Call(action="ec2:CreateSnapshot", verbs="park", makes=("snapshot",), own=True, need="volume"),
    Call(action="ec2:CreateImage", verbs="park image", makes=("image", "snapshot"), own=True),
    # The image that is copied is judged, too; in its own region, which may be another one.
    Call(action="ec2:CopyImage", verbs="image", makes=("image", "snapshot"), uses=("image",)),
    Call(action="ec2:CreateSecurityGroup", verbs="up", makes=("security-group",), uses=("vpc",)),
    Call(action="ec2:ImportKeyPair", verbs="up", makes=("key-pair",)),
    Call(action="ec2:CreateLaunchTemplate", verbs="up", makes=("launch-template",)),
    Call(action="ec2:AllocateAddress", verbs="up", makes=("elastic-ip",), need="fixed address"),
    # Calls that change or delete. Deleting is always allowed: it covers older files' resources.
    Call(action="ec2:CreateLaunchTemplateVersion", verbs="up scale park", own=True),
    Call(action="ec2:AuthorizeSecurityGroupIngress", verbs="up start", own=True),
    Call(action="ec2:RevokeSecurityGroupIngress", verbs="up start", own=True),
    Call(action="ec2:StartInstances", verbs="up start", own=True),
    Call(action="ec2:StopInstances", verbs="stop", own=True),
    Call(action="ec2:AttachVolume", verbs="up", own=True, need="volume"),
    Call(action="ec2:AssociateAddress", verbs="up start", own=True, need="fixed address"),
    Call(action="ec2:RebootInstances", verbs="restart", own=True),
    Call(action="ec2:ModifyInstanceAttribute", verbs="resize", own=True),
    Call(action="ec2:ModifyImageAttribute", verbs="image", own=True),
    Call(action="ec2:ModifySnapshotAttribute", verbs="image", own=True),
    Call(action="ec2:ModifyVolume", verbs="resize up", own=True, need="volume"),
    Call(action="ec2:ModifySnapshotTier", verbs="park", own=True, need="volume"),
    Call(action="ec2:RestoreSnapshotTier", verbs="resume", own=True, need="volume"),
    Call(action="ec2:CreateTags", verbs="up stop park down", own=True),
    Call(action="ec2:DeleteTags", verbs="down", own=True),
    Call(action="ec2:GetConsoleOutput", verbs="logs", own=True),
    Call(action="ec2:TerminateInstances", verbs="down scale stop", own=True),
    Call(action="ec2:DisassociateAddress", verbs="down", own=True),
    Call(action="ec2:ReleaseAddress", verbs="down", own=True),
    Call(action="ec2:DeleteVolume", verbs="down", own=True),
    Call(action="ec2:DeleteSnapshot", verbs="park down", own=True),
    Call(action="ec2:DeregisterImage", verbs="resume down image", own=True),
    Call(action="ec2:DeleteSecurityGroup", verbs="down", own=True),
    Call(action="ec2:DeleteKeyPair", verbs="down", own=True),
    Call(action="ec2:DeleteLaunchTemplate", verbs="down", own=True),
    # Actions that AWS itself checks, or does for us, in one of these calls.
    Call(
        action="iam:PassRole",
        verbs="up start scale",
        on=(MACHINE_ROLES,),
        by="ec2:RunInstances",
        need="role",
    ),
    *(
        Call(
            action=f"kms:{action}",
            verbs="up resume park",
            on=(KMS_KEYS,),
            by="ec2:RunInstances",
        )
        for action in (
            *("CreateGrant", "Decrypt", "GenerateDataKeyWithoutPlaintext"),
            *("ReEncryptFrom", "ReEncryptTo"),
        )
    ),
    Call(action="iam:GetInstanceProfile", verbs="up doctor", on=(MACHINE_PROFILES,), need="role"),
    Call(
        action="iam:CreateServiceLinkedRole",
        verbs="the first spot machine of an account",
        on=(SPOT_ROLE,),
        by="ec2:RunInstances",
        need="spot",
    ),
    Call(action="iam:GetRole", verbs="doctor", on=(SPOT_ROLE,), need="spot"),
)
"""Every call that the program makes. Tagging what is made (ec2:CreateTags) follows from it, too."""

TAG = "ec2:CreateTags"

OF_IMAGES = (
    *("ec2:CreateImage", "ec2:CreateTags", "ec2:DeleteSecurityGroup", "ec2:DeleteSnapshot"),
    *("ec2:DeregisterImage", "ec2:GetConsoleOutput", "ec2:ModifyImageAttribute"),
    *("ec2:ModifySnapshotAttribute", "ec2:TerminateInstances"),
)
"""What `roost image` changes: images outlive the name they were made of, and have another tag."""

MAKING_IMAGES = tuple(
    f"ec2:{call}" for call in ("CopyImage", "CreateImage", "CreateSecurityGroup", "RunInstances")
)
"""What makes images, and the helper that cleans them."""
OPERATOR = ("ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances")
"""What an operator may do; the last one in AWS's console."""


def needs_of(spec: Spec) -> frozenset[Need]:
    """Return the entries of ``NEEDS`` that a spec asks for."""
    asked: dict[Need, bool] = {
        "volume": bool(spec.volumes),
        "fixed address": spec.access.address == "fixed" or spec.access.makes_gateway,
        "spot": spec.kind == "cluster" and bool(spec.workers.spot),
        "role": profile_of(spec) is not None,
    }
    return frozenset(need for need, wanted in asked.items() if wanted)


def profile_of(spec: Spec) -> str | None:
    """Return the instance profile that the file names."""
    return spec.aws.instance_profile if spec.aws else None


def kms_arns(key: str | None) -> tuple[str, ...]:
    """Return the keys that disks may be encrypted with: of an alias, AWS alone knows which."""
    if key is None or "alias/" in key:
        return (KMS_KEYS,)
    return (
        (key,) if key.startswith("arn:") else (f"arn:aws:kms:*:*:key/{key.removeprefix('key/')}",)
    )


def calls_for(
    needs: Iterable[Need], profile: str | None = None, key: str | None = None
) -> tuple[Call, ...]:
    """Return the rows of the table that these needs call for; for this profile and key only."""
    wanted = set(needs)
    on: dict[tuple[str, ...], tuple[str, ...]] = {(KMS_KEYS,): kms_arns(key)}
    if profile is not None:
        on |= {
            (MACHINE_ROLES,): machine_role.roles_of(profile),
            (MACHINE_PROFILES,): machine_role.profiles_of(profile),
        }
    return tuple(
        replace(call, on=on.get(call.on, call.on))
        for call in CALLS
        if call.need is None or call.need in wanted
    )


def policy(
    name: str,
    region: str | None,
    needs: Iterable[Need],
    adopted: Iterable[str] = (),
    profile: str | None = None,
    key: str | None = None,
    *,
    others: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the least policy. ``ANY`` name: every name; ``region`` None: every region.

    ``others`` are further names that the same user may make and delete: a class's rehearsal.

    ``profile`` is the instance profile whose role alone may be given to machines; ``key`` the key
    of KMS that alone may encrypt disks, else any that EC2 uses.

    ``adopted`` are ids of volumes of before roost that the spec takes in: those alone may be given
    the tag although roost did not make them, unless they are another name's already.
    """
    calls = [call for call in calls_for(needs, profile, key) if not call.free]
    makes = [call for call in calls if call.makes]
    tagging = [call.action.partition(":")[2] for call in calls if call.makes]
    statements = [
        statement(
            "LookingCannotBeLimited",
            [c.action for c in calls if not (c.makes or c.uses or c.own or c.on)],
            ["*"],
        ),
        statement(
            "ChangeOnlyWhatCarriesTheTag",
            [c.action for c in calls if c.own and c.action != TAG],
            ["*"],
            tagged("aws:ResourceTag", name, *others),
            in_region(region),
        ),
        statement(
            "ChangeItsImage",
            OF_IMAGES if name != ANY else (),
            ["*"],
            of_image("aws:ResourceTag", name),
            tagged("aws:RequestTag", tags.IMAGES, if_there=True),
            in_region(region),
        ),
        # Who tags what is roost's must not make it another name's.
        statement(
            "TagOnlyAsTheSameName",
            [c.action for c in calls if c.own and c.action == TAG],
            ["*"],
            tagged("aws:ResourceTag", name, *others),
            tagged("aws:RequestTag", name, *others, if_there=True),
            in_region(region),
        ),
        statement(
            "MakeOnlyWhatIsTagged",
            [c.action for c in makes],
            arns_of(kind for c in makes for kind in c.makes),
            tagged("aws:RequestTag", name, *others),
            in_region(region),
        ),
        statement(
            "MakeItsImage",
            MAKING_IMAGES if name != ANY else (),
            ["arn:aws:ec2:*:*:*/*"],
            of_image("aws:RequestTag", name),
            in_region(region),
        ),
        statement(
            "TagOnlyInMaking",
            ["ec2:CreateTags"],
            ["arn:aws:ec2:*:*:*/*"],
            tagged("aws:RequestTag", name, tags.IMAGES, *others),
            {"StringEquals": {"ec2:CreateAction": sorted(tagging)}},
            in_region(region),
        ),
        # Each on its own: what one of them uses, another one makes.
        *(
            statement(
                f"{call.action.partition(':')[2]}Uses",
                [call.action],
                arns_of(call.uses),
                in_region(region),
            )
            for call in calls
            if call.uses
        ),
        *_adopting(name, sorted(adopted), region),
        *_elsewhere(calls),
    ]
    kept = [one for one in statements if one["Action"]]
    return machine_role.in_partition({"Version": "2012-10-17", "Statement": kept}, region)


def operator_policy(name: str, region: str | None) -> dict[str, Any]:
    """Return the policy to look, start, stop and reboot, and nothing else."""
    looking = [c.action for c in CALLS if c.action.startswith("ec2:Describe")]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            statement("LookingCannotBeLimited", looking, ["*"]),
            statement(
                "OnlyWhatCarriesTheTag",
                OPERATOR,
                ["arn:aws:ec2:*:*:instance/*"],
                tagged("aws:ResourceTag", name),
                in_region(region),
            ),
        ],
    }
    return machine_role.in_partition(document, region)


def size(found: dict[str, Any]) -> int:
    """Return how IAM counts a policy against ``SIZE_LIMIT``: without white space."""
    return len(json.dumps(found, separators=(",", ":")))


def _adopting(name: str, volumes: list[str], region: str | None) -> list[dict[str, Any]]:
    if not volumes:
        return []
    return [
        statement(
            "TakeInVolumesOfBefore",
            ["ec2:CreateTags"],
            [f"arn:aws:ec2:*:*:volume/{volume}" for volume in volumes],
            tagged("aws:RequestTag", name),
            {"Null": {f"aws:ResourceTag/{tags.NAME}": "true"}},
            in_region(region),
        )
    ]


def _elsewhere(calls: list[Call]) -> list[dict[str, Any]]:
    """Return the statements for other services: one for each set of ARNs."""
    by_arns: dict[tuple[str, ...], list[str]] = {}
    for call in calls:
        if call.on:
            by_arns.setdefault(call.on, []).append(call.action)
    found = [statement("", actions, arns) for arns, actions in by_arns.items()]
    for one in found:
        if "iam:PassRole" in one["Action"]:
            # To machines only, and no service that could do more with the role.
            one["Condition"] = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        if "kms:Decrypt" in one["Action"]:  # by EC2 for its disks, never by the user
            one["Condition"] = {"StringLike": {"kms:ViaService": "ec2.*"}}
    return found
