"""What all three kinds share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from roost.parking.modes import ParkMode
from roost.spec.access import Access
from roost.spec.aws import Aws
from roost.spec.data import Data
from roost.spec.openstack import OpenStack
from roost.spec.schedule import Budget, Schedule
from roost.spec.table import Table, around, wrong
from roost.spec.values import Name, Zone
from roost.spec.volume import Volume

CloudName = Literal["local", "aws", "openstack"]
MOST_TAGS = 40
"""EC2 takes 50 on a resource; roost needs some of them."""


def _tag(key: str) -> str:
    if key.lower().startswith(("aws:", "roost")) or not 0 < len(key) <= 128:
        raise wrong(
            "not a key for a tag",
            allowed='1 to 128 characters, not beginning with "aws:" or "roost"',
        )
    return key


TagKey = Annotated[str, AfterValidator(_tag)]
TagValue = Annotated[str, Field(max_length=256)]


class Common(Table):
    """The keys of every file, whatever its kind."""

    name: Name = Field(
        description="What it is called; every command takes this name.", examples=["my-name"]
    )
    kind: str
    cloud: CloudName = Field(
        "aws",
        description="Where it runs: AWS, or an OpenStack site.",
        json_schema_extra={"enum": ["aws", "openstack"]},
    )
    aws: Aws | None = Field(None, validate_default=True, description="Where on AWS.")
    openstack: OpenStack = Field(OpenStack(), description="Where on OpenStack.")
    access: Access = Field(Access(), description="Who may reach it.")
    volumes: tuple[Volume, ...] = Field((), description="Data volumes: disks that outlive it.")
    data: Data = Field(Data(), description="What is copied in and out.")
    schedule: Schedule = Field(Schedule(), description="When it stops by itself.")
    budget: Budget | None = Field(None, description="What it may cost.")
    timezone: Zone | None = Field(
        None, description="The machines' time zone; UTC otherwise.", examples=["Europe/Berlin"]
    )
    tags: dict[TagKey, TagValue] = Field(
        {}, description="Tags on all that is created, for your bill."
    )
    folder: SkipJsonSchema[Path] = Path()

    @property
    def uses_s3(self) -> bool:
        """Whether its machines copy data to S3, or from it."""
        parked = any(volume.park is ParkMode.S3 for volume in self.volumes)
        return parked or bool(self.data.pull or self.data.push)

    @field_validator("cloud")
    @classmethod
    def _able(cls, found: CloudName, info: ValidationInfo) -> CloudName:
        here = around(info)
        if found == "local" and here is not None and here.kind != "cluster":
            raise wrong(
                f"a {here.kind} needs a machine of its own",
                allowed='"aws" or "openstack"; your own machine can be a Dask cluster',
            )
        return found

    @field_validator("aws")
    @classmethod
    def _needed(cls, found: Aws | None, info: ValidationInfo) -> Aws | None:
        here = around(info)
        if found is None and here is not None and here.cloud == "aws" and not here.aws:
            raise wrong("missing", hint='AWS needs [aws] with at least region = "eu-central-1"')
        return found

    @field_validator("volumes")
    @classmethod
    def _distinct(cls, found: tuple[Volume, ...]) -> tuple[Volume, ...]:
        for number, volume in enumerate(found):
            before = found[:number]
            if volume.name in {other.name for other in before}:
                raise wrong("another volume has this name", at=(number, "name"))
            if volume.place in {other.place for other in before}:
                key = "mount" if volume.mount else "name"
                raise wrong(f"another volume is mounted at {volume.place}", at=(number, key))
        return found

    @field_validator("tags")
    @classmethod
    def _not_too_many(cls, found: dict[str, str]) -> dict[str, str]:
        if len(found) > MOST_TAGS:
            raise wrong(f"{len(found)} tags", allowed=f"at most {MOST_TAGS}")
        return found

    def to_json(self) -> str:
        """The whole spec as it travels with its cloud; ``roost.spec.from_json`` reads it."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
