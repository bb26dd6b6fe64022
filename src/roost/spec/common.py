"""The parts that all three kinds share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from roost.parking.modes import ParkMode
from roost.providers.rules import RENTED, cloud_names, clouds_for, every_rules
from roost.spec.access import Access
from roost.spec.aws import Aws
from roost.spec.data import Data
from roost.spec.openstack import OpenStack
from roost.spec.schedule import Budget, Schedule
from roost.spec.setup import MOST_STEPS, MOST_VARIABLES, Setup, Value, Variable
from roost.spec.table import Table, around, choices, one_of, quoted, wrong
from roost.spec.values import Name, Zone
from roost.spec.volume import Volume

MOST_TAGS = 40
"""Clouds take 50 on a resource; roost needs some of them."""


def _cloud_name(found: object) -> str:
    return one_of(found, cloud_names())


def _tag(key: str) -> str:
    """Refuse what a cloud reserves, whichever it is: a file may go to another one."""
    reserved = (*(start for rules in every_rules() for start in rules.reserved_tags), "roost")
    if key.lower().startswith(reserved) or not 0 < len(key) <= 128:
        allowed = f"1 to 128 characters, not beginning with {quoted(reserved, ' or ')}"
        raise wrong("not a key for a tag", allowed=allowed)
    return key


CloudName = Annotated[str, BeforeValidator(_cloud_name)]

TagKey = Annotated[str, AfterValidator(_tag)]
TagValue = Annotated[str, Field(max_length=256)]


class Common(Table):
    """The keys of every file, whatever its kind."""

    name: Name = Field(
        description="What it is called; every command takes this name.", examples=["my-name"]
    )
    kind: str
    cloud: CloudName = Field(
        RENTED,
        description="Where it runs: AWS, or an OpenStack site.",
        json_schema_extra=choices(lambda: clouds_for("desktop")),
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
    env: dict[Variable, Value] = Field(
        {},
        max_length=MOST_VARIABLES,
        exclude_if=lambda found: not found,  # records of before have no such key
        description="Environment variables for everybody on the machines, and for the programs of "
        "a cluster. No secrets: they are kept with the cloud.",
        examples=[{"OMP_NUM_THREADS": "4"}],
    )
    setup: tuple[Setup, ...] = Field(
        (),
        max_length=MOST_STEPS,
        exclude_if=lambda found: not found,
        description="Your own steps of the set-up, in order.",
    )
    folder: SkipJsonSchema[Path] = Path()

    @property
    def uses_s3(self) -> bool:
        """True if its machines copy data to S3, or from it."""
        parked = any(volume.park is ParkMode.S3 for volume in self.volumes)
        return parked or bool(self.data.pull or self.data.push)

    @field_validator("cloud")
    @classmethod
    def _able(cls, found: str, info: ValidationInfo) -> str:
        here = around(info)
        if here is not None and here.rules is not None and not here.rules.runs(here.kind):
            able = quoted(clouds_for(here.kind), " or ")
            raise wrong(
                f"a {here.kind} needs a machine of its own",
                allowed=f"{able}; your own machine can be a Dask cluster",
            )
        return found

    @field_validator("aws", "openstack")
    @classmethod
    def _needed(cls, found: Table | None, info: ValidationInfo) -> Table | None:
        """Refuse a file without the table of its cloud, where that cannot do without."""
        here = around(info)
        rules = here.rules if here is not None else None
        if here is None or rules is None or rules.name != info.field_name:
            return found
        if rules.needs_table and rules.name not in here.tables:
            raise wrong("missing", hint=rules.needs_table)
        return found

    @field_validator("access")
    @classmethod
    def _reachable(cls, found: Access, info: ValidationInfo) -> Access:
        """Refuse a machine that nobody could reach, and more rules than the cloud takes."""
        here = around(info)
        if here is None or here.rules is None or here.recorded:
            return found
        if found.makes_gateway and found.https and here.kind != "classroom":
            page = "leave it out: `roost open` brings the page through the gateway"
            raise wrong("only that of a class has a web page", hint=page, at=("https",))
        if found.reach not in here.rules.reaches:
            allowed = ", ".join(f'"{way}"' for way in here.rules.reaches)
            raise wrong(f"not on {here.rules.title}", allowed=allowed, at=("reach",))
        if here.rules.rents and not found.ssh and found.reach != "ssm":
            hint = 'its set-up comes by SSH: ssh = ["me"]'
            raise wrong("nobody could reach the machines", hint=hint, at=("ssh",))
        asked, most = len(set(found.ssh)) + len(set(found.https)), here.rules.most_rules
        if most is not None and asked >= most:
            raise wrong(
                f"{asked} networks for ssh and https", allowed=f"at most {most - 1} together"
            )
        return found

    @field_validator("budget")
    @classmethod
    def _in_the_unit_of_the_prices(
        cls, found: Budget | None, info: ValidationInfo
    ) -> Budget | None:
        """Refuse a sum that nothing could be counted against."""
        here, table = around(info), info.data.get("openstack")
        if found is None or here is None or here.rules is None or not here.rules.rents:
            return found
        prices = table.price_list if here.rules.regions is None and table is not None else None
        unit = prices["unit"] if prices else found.currency if here.rules.regions is None else "USD"
        if found.currency != unit:
            raise wrong(f"the prices are in {unit}", hint=f'amount = ... with unit = "{unit}"')
        return found

    @field_validator("volumes")
    @classmethod
    def _distinct(cls, found: tuple[Volume, ...], info: ValidationInfo) -> tuple[Volume, ...]:
        here = around(info)
        disks = here.rules.disks if here is not None and here.rules is not None else None
        if disks is not None and len(found) > disks.most:
            raise wrong(f"{len(found)} volumes", allowed=f"at most {disks.most} on a machine")
        for number, volume in enumerate(found):
            before = found[:number]
            if volume.name in {other.name for other in before}:
                raise wrong("another volume has this name", at=(number, "name"))
            if volume.place in {other.place for other in before}:
                key = "mount" if volume.mount else "name"
                raise wrong(f"another volume is mounted at {volume.place}", at=(number, key))
        return found

    @field_validator("setup")
    @classmethod
    def _rented(cls, found: tuple[Setup, ...], info: ValidationInfo) -> tuple[Setup, ...]:
        here = around(info)
        rules = here.rules if here is not None else None
        if found and here and rules and not rules.rents and rules.runs(here.kind):
            raise wrong("roost installs nothing on your own machine", hint="leave it out")
        return found

    @field_validator("tags")
    @classmethod
    def _not_too_many(cls, found: dict[str, str]) -> dict[str, str]:
        if len(found) > MOST_TAGS:
            raise wrong(f"{len(found)} tags", allowed=f"at most {MOST_TAGS}")
        return found

    def to_json(self) -> str:
        """Write the whole spec as its cloud stores it; ``roost.spec.from_json`` reads it."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
