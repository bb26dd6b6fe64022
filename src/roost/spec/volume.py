"""A data volume: a disk that outlives its machine."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    Strict,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from roost.parking.modes import ParkMode
from roost.providers.rules import volume_types
from roost.spec.table import UNSAID, Table, around, choices, one_of, wrong
from roost.spec.values import Bucket, Mount, Name, Size, check_free

_PARK_SCHEMA: dict[str, Any] = {"enum": [mode.value for mode in ParkMode], "type": "string"}


class Volume(Table):
    """One data volume. ``roost down`` keeps it unless you type its name."""

    name: Name = Field(description="What it is called.", examples=["data"])
    size: Size = Field(description="How large it is.", examples=["100GB"])
    type: str = Field(
        UNSAID,
        validate_default=True,
        description="Its type. On AWS gp3, which suits nearly all, is the default, and st1 is cheap"
        " for large files; on OpenStack it is one of the site's, by default its own choice.",
        json_schema_extra=choices(volume_types, only=False),
    )
    mount: Mount | None = Field(None, description='Where it is mounted; "/NAME" by default.')
    iops: int | None = Field(
        None, ge=100, le=256_000, description="Provisioned IOPS (gp3, io1, io2)."
    )
    throughput: int | None = Field(None, ge=125, le=2_000, description="Provisioned MiB/s (gp3).")
    id: str | None = Field(
        None,
        pattern=r"^vol-[0-9a-f]{8,17}$",
        description="An EBS volume that is there already: it is attached, and never deleted.",
        examples=["vol-0123456789abcdef0"],
    )
    warm: int | None = Field(
        None,
        ge=100,
        le=300,
        description="Read all of it in at this many MiB/s when it is made from a snapshot, "
        "instead of when it is first needed; AWS charges for it.",
    )
    park: Annotated[ParkMode, Strict(False), WithJsonSchema(_PARK_SCHEMA)] = Field(
        ParkMode.SNAPSHOT,
        description="What `roost park` does with it: keep the volume, a snapshot, an archived "
        "snapshot, a verified copy in S3 - or discard the data (it asks for the name).",
    )
    park_to: Bucket | None = Field(
        None,
        description='Where in S3 it goes with park = "s3": below this, by NAME and volume.',
        examples=["s3://my-bucket/parked"],
    )
    park_class: Literal["STANDARD", "STANDARD_IA", "GLACIER_IR"] = Field(
        "STANDARD",
        description="S3's storage class there: the cheaper ones cost for coming back, and for 30 "
        "or 90 days at least (`roost park NAME --advise`).",
    )

    @property
    def place(self) -> str:
        """The path at which it is mounted."""
        return self.mount or f"/{self.name}"

    @property
    def is_scratch(self) -> bool:
        """True if its data is worthless after a session: `roost park` discards it."""
        return self.park is ParkMode.DISCARD

    @field_validator("type", mode="before")
    @classmethod
    def _known_type(cls, found: object, info: ValidationInfo) -> str:
        here = around(info)
        rules = here.rules if here is not None else None
        disks = rules.disks if rules is not None else None
        if not found:  # also in the record of a cloud that has a default of its own
            return disks.default if disks is not None else ""
        if isinstance(found, str) and rules is not None and rules.rents and disks is None:
            return found  # only the site knows
        return one_of(found, disks.types if disks is not None else volume_types())

    @model_validator(mode="after")
    def _possible(self, info: ValidationInfo) -> Self:
        if self.mount is None:
            check_free(self.place, at=("name",))
        here = around(info)
        is_new = here is not None and not here.recorded
        if is_new and self.park is ParkMode.S3 and self.park_to is None:
            raise wrong(
                'park = "s3" needs park_to', hint='park_to = "s3://BUCKET/PREFIX"', at=("park",)
            )
        if here is not None and here.rules is not None and here.rules.disks is not None:
            disks = here.rules.disks
            disks.check_volume(self.type, self.size, self.iops, self.throughput)
            if is_new:
                disks.check_ratios(self.type, self.size, self.iops, self.throughput)
        return self
