"""A machine: an exact type, or what it must have."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from roost.catalogue import load
from roost.cost.machines import cheapest, why_none
from roost.cost.needs import Needs
from roost.spec.table import Surroundings, Table, around, did_you_mean, wrong
from roost.spec.values import Size, Text
from roost.spec.volume import check_ebs_size

NEEDS = ("cpus", "memory", "gpus", "gpu", "gpu_memory", "arch")
MOST_CPUS, MOST_GPUS = 100_000, 1_000
SMALLEST_DISK_GIB = 8
"""The size of the images of IMAGES."""
IMAGES = ("ubuntu-24.04", "debian-12", "debian-13")


class Machine(Table):
    """What one machine is. Say its exact ``type``, or what it needs: never both."""

    type: Text | None = Field(
        None,
        description="The cloud's exact name of the machine (EC2 instance type, OpenStack flavor).",
        examples=["m7i.xlarge", "g4dn.xlarge"],
    )
    cpus: int = Field(2, ge=1, le=MOST_CPUS, description="CPUs (vCPUs) at least.")
    memory: Size = Field(8.0, description="Memory at least.")
    gpus: int | None = Field(None, ge=1, le=MOST_GPUS, description="GPUs at least.")
    gpu: Text | None = Field(None, description="The GPU's model.", examples=["T4", "A10G", "L4"])
    gpu_memory: Size | None = Field(None, description="Memory of each GPU, as it is sold.")
    arch: Literal["x86_64", "arm64"] | None = Field(
        None, description="The processor's kind; x86_64 unless said otherwise."
    )
    image: Text = Field(
        "ubuntu-24.04",
        description=f"The system: {', '.join(IMAGES)}, or the cloud's own id of an image.",
        examples=list(IMAGES),
    )
    disk: Size = Field(30.0, description="The disk that it boots from.")

    @field_validator("type")
    @classmethod
    def _known_type(cls, found: str | None, info: ValidationInfo) -> str | None:
        here = around(info)
        if found is not None and here is not None and here.types_are_aws:
            check_type(found, here.region)
        return found

    @field_validator("gpu")
    @classmethod
    def _known_gpu(cls, found: str | None, info: ValidationInfo) -> str | None:
        here = around(info)
        if found is None or here is None or not here.types_are_aws:
            return found
        known = {gpu.name for t in load().instance_types() for gpu in t.gpus}
        if not any(found.casefold() in name.casefold() for name in known):
            allowed = ", ".join(sorted(known))
            raise wrong("AWS has no such GPU", allowed=allowed, hint=did_you_mean(found, known))
        return found

    @field_validator("image")
    @classmethod
    def _known_image(cls, found: str, info: ValidationInfo) -> str:
        here = around(info)
        if here is None or here.cloud != "aws" or found in IMAGES:
            return found
        if not re.fullmatch(r"ami-[0-9a-f]{8,17}", found):
            allowed = f'{", ".join(IMAGES)}, or an AMI: "ami-..."'
            raise wrong("no such image", allowed=allowed, hint=did_you_mean(found, IMAGES))
        return found

    @field_validator("disk")
    @classmethod
    def _whole_disk(cls, found: float, info: ValidationInfo) -> float:
        here = around(info)
        if here is not None and here.cloud == "aws" and not float(found).is_integer():
            raise wrong("EBS counts in whole GB", allowed=f'"{found // 1 + 1:g}GB"')
        return found

    @model_validator(mode="after")
    def _possible(self, info: ValidationInfo) -> Self:
        asked = [key for key in NEEDS if key in self.model_fields_set]
        if self.exact and asked:
            key = '"type"' if self.type else '"types"'
            raise wrong(
                f"{key} says all of a machine: {', '.join(asked)} beside it would not count",
                hint=f"keep {key}, or what the machine must have",
                at=(asked[0],),
            )
        here = around(info)
        if here is not None and here.cloud == "aws":
            check_ebs_size(self.disk, "gp3", at="disk")
            if self.disk < SMALLEST_DISK_GIB:
                allowed = f'at least "{SMALLEST_DISK_GIB}GB"'
                raise wrong("too small for the system", allowed=allowed, at=("disk",))
        if not self.exact and here is not None and here.types_are_aws:
            _check_needs(self, here)
        return self

    @model_serializer(mode="wrap")
    def _without_what_does_not_count(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if not self.exact:
            return found
        return {key: value for key, value in found.items() if key not in NEEDS}

    def needs(self) -> Needs:
        """What the machine must have. A GPU sold as "24GB" counts its GB in powers of ten."""
        gpu = self.gpu_memory
        return Needs(
            cpus=self.cpus,
            memory_gib=self.memory,
            gpus=self.gpus,
            gpu_name=self.gpu,
            gpu_memory_gib=gpu * 1e9 / 2**30 if gpu else None,
            # Images and scientific packages are for x86_64 unless the file says otherwise.
            arch=self.arch or "x86_64",
            spot=self.on_spot,
        )

    @property
    def exact(self) -> tuple[str, ...]:
        """The exact types to try, in order; none where the file says what the machine must have."""
        return (self.type,) if self.type is not None else ()

    @property
    def on_spot(self) -> bool:
        """Whether it is asked for as a spot machine, which the cloud may take back."""
        return False


def check_type(found: str, region: str | None, at: tuple[str | int, ...] = ()) -> None:
    """The type exists, and the region has it. ``at`` is its place below the key it is said in."""
    catalogue = load()
    if found not in catalogue.type_names and found not in catalogue.undescribed:
        raise wrong(
            "AWS has no such instance type",
            hint=did_you_mean(found, (*catalogue.type_names, *catalogue.undescribed))
            or "`roost prices` lists those that fit",
            at=at,
        )
    prices = catalogue.region(region) if region else None
    if prices is None or found in catalogue.undescribed:
        return
    if prices.offered(found) is False:
        elsewhere = [
            code
            for code in catalogue.regions
            if (other := catalogue.region(code)) is not None and other.offered(found)
        ]
        hint = f"these have it: {', '.join(elsewhere)}"
        raise wrong(f"{region} does not have it", hint=hint, at=at)


def arch_of(name: str) -> str:
    """The processor's kind of an instance type; x86_64 where AWS does not describe the type."""
    found = load().instance_type(name)
    return found.architectures[-1] if found else "x86_64"


def _check_needs(machine: Machine, here: Surroundings) -> None:
    catalogue = load()
    if here.region not in catalogue.regions:
        return  # the region is wrong, and that is said where it stands
    assert here.region is not None
    if not cheapest(catalogue, here.region, machine.needs(), limit=1):
        raise wrong("no machine has all this", hint=why_none_of(machine, here.region))


def why_none_of(machine: Machine, region: str) -> str:
    """What stands in the way, and the most there is."""
    return why_none(load(), region, machine.needs()).reason
