"""What all three kinds share."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from roost.spec.access import Access
from roost.spec.aws import Aws
from roost.spec.data import Data
from roost.spec.openstack import OpenStack
from roost.spec.schedule import Budget, Schedule
from roost.spec.table import Table, around, wrong
from roost.spec.values import Name
from roost.spec.volume import Volume

CloudName = Literal["local", "aws", "openstack"]
MOST_TAGS = 40
"""EC2 takes 50 on a resource; roost needs some of them."""


class Common(Table):
    """The keys of every file, whatever its kind."""

    name: Name = Field(description="What it is called; every command takes this name.")
    cloud: CloudName = Field(
        "aws", description="Where it runs: your own machine, AWS, or an OpenStack site."
    )
    aws: Aws | None = Field(None, validate_default=True, description="Where on AWS.")
    openstack: OpenStack = Field(OpenStack(), description="Where on OpenStack.")
    access: Access = Field(Access(), description="Who may reach it.")
    volumes: tuple[Volume, ...] = Field((), description="Data volumes: disks that outlive it.")
    data: Data = Field(Data(), description="What is copied in and out.")
    schedule: Schedule = Field(Schedule(), description="When it stops by itself.")
    budget: Budget | None = Field(None, description="What it may cost.")
    tags: dict[str, str] = Field({}, description="Tags on all that is created, for your bill.")
    folder: SkipJsonSchema[Path] = Path()

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
            raise wrong("missing", allowed='[aws] with at least region = "eu-central-1"')
        return found

    @field_validator("volumes")
    @classmethod
    def _distinct(cls, found: tuple[Volume, ...]) -> tuple[Volume, ...]:
        _none_twice("name", [volume.name for volume in found])
        _none_twice("mount point", [volume.place for volume in found])
        return found

    @field_validator("tags")
    @classmethod
    def _as_clouds_take_them(cls, found: dict[str, str]) -> dict[str, str]:
        if len(found) > MOST_TAGS:
            raise wrong(f"{len(found)} tags", allowed=f"at most {MOST_TAGS}")
        for key, value in found.items():
            if key.lower().startswith(("aws:", "roost")) or not 0 < len(key) <= 128:
                raise wrong(
                    f'"{key}" cannot be a tag',
                    allowed='1 to 128 characters, not beginning with "aws:" or "roost"',
                )
            if len(value) > 256:
                raise wrong(f"the value of {key} is too long", allowed="at most 256 characters")
        return found

    def to_json(self) -> str:
        """The whole spec as it travels with its cloud; ``roost.spec.from_json`` reads it."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def _none_twice(what: str, found: list[str]) -> None:
    twice = sorted({one for one in found if found.count(one) > 1})
    if twice:
        raise wrong(f"two volumes have the {what} {', '.join(twice)}")
