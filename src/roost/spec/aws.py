"""The file's ``[aws]`` table: region, zone and network."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from roost.catalogue import load
from roost.spec.table import Table, did_you_mean, wrong
from roost.spec.values import Text, matching

PROFILE_ARN = r"arn:aws[a-z-]*:iam::[0-9]{12}:instance-profile/([A-Za-z0-9_+=,.@-]+/)*"
PROFILE = rf"^({PROFILE_ARN})?[A-Za-z0-9_+=,.@-]{{1,128}}$"
"""IAM's instance profile. (Paths with other characters, which IAM allows, would be wildcards.)"""


def _profile(found: str) -> str:
    if re.fullmatch(PROFILE, found):
        return found
    near = found.replace(":role/", ":instance-profile/")
    role = near != found and re.fullmatch(PROFILE, near)
    raise wrong(
        "this is a role; a machine is given its instance profile"
        if role
        else "not an instance profile",
        allowed="its name (letters, digits and _+=,.@-; at most 128), or its ARN",
        hint=f'most often that is "{near}"' if role else "",
    )


KMS_KEY = (
    r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?"
    r"(alias/[A-Za-z0-9/_-]{1,250}|(key/)?(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}))$"
)
"""A key of KMS by its id, its ARN or its alias."""
InstanceProfile = Annotated[
    str, AfterValidator(_profile), WithJsonSchema({"type": "string", "pattern": PROFILE})
]


GROUP = r"^sg-[0-9a-f]{8,17}$"


GroupId = Annotated[
    str,
    AfterValidator(
        matching(GROUP, "not the id of a security group", 'like "sg-0123456789abcdef0"')
    ),
    WithJsonSchema({"type": "string", "pattern": GROUP}),
]


class Aws(Table):
    """Profiles, regions and SSO work as they do for boto3 and the AWS CLI."""

    region: str = Field(description="The region.", examples=["eu-central-1", "us-east-1"])
    profile: Text | None = Field(None, description="The profile; boto3's own default otherwise.")
    zones: tuple[str, ...] = Field(
        (), description="Availability zones of the region, in order of preference."
    )
    vpc: str | None = Field(
        None,
        pattern=r"^vpc-[0-9a-f]+$",
        description="A VPC that is there already, of which the public subnets are taken; the "
        "region's default VPC otherwise.",
        examples=["vpc-0123456789abcdef0"],
    )
    subnet: str | None = Field(
        None,
        pattern=r"^subnet-[0-9a-f]+$",
        description="A subnet of the VPC.",
        examples=["subnet-0123456789abcdef0"],
    )
    security_groups: tuple[GroupId, ...] = Field(
        (),
        max_length=3,
        exclude_if=lambda found: not found,  # records of before have no such key
        description="Security groups of the VPC that machines are in besides roost's own, by their"
        " ids; they stay as they are. A machine that is there keeps those that it was made with.",
        examples=[["sg-0123456789abcdef0"]],
    )
    kms_key: str | None = Field(
        None,
        pattern=KMS_KEY,
        description="The key of KMS that new disks are encrypted with, by its id, ARN or alias; "
        "the account's default key for EBS otherwise.",
        examples=["alias/lab"],
    )
    instance_profile: InstanceProfile | None = Field(
        None,
        description="The IAM instance profile of the machines, by its name or ARN; it is there "
        "already. Amazon DCV needs one; `roost iam FILE --machine` prints how to make it.",
        examples=["roost-pixinsight-machine"],
    )

    @field_validator("region")
    @classmethod
    def _known(cls, found: str) -> str:
        regions = load("aws").regions
        if found not in regions:
            allowed = ", ".join(regions)
            raise wrong(
                "AWS has no such region", allowed=allowed, hint=did_you_mean(found, regions)
            )
        return found

    @field_validator("zones")
    @classmethod
    def _of_the_region(cls, found: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        region = info.data.get("region")
        for number, zone in enumerate(found):
            if region and (zone[:-1] != region or not zone[-1:].isalpha()):
                allowed = f'the region and a letter: "{region}a"'
                raise wrong(f"not a zone of {region}", allowed=allowed, at=(number,))
        return found
