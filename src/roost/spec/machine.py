"""A machine: an exact type, or what it must have."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from roost.cost.needs import Needs
from roost.spec.table import Table, around, wrong
from roost.spec.values import SYSTEMS, Size, Text

NEEDS = ("cpus", "memory", "gpus", "gpu", "gpu_memory", "arch")
DISK = ("disk_type", "disk_iops", "disk_throughput")
MOST_CPUS, MOST_GPUS = 100_000, 1_000


class Power(Table):
    """How strong a machine is. Say its exact ``type``, or what it needs: never both."""

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

    @field_validator("type")
    @classmethod
    def _known_type(cls, found: str | None, info: ValidationInfo) -> str | None:
        here = around(info)
        if found is not None and here is not None and here.types is not None:
            here.types.check(found, here.region)
        return found

    @field_validator("gpu")
    @classmethod
    def _known_gpu(cls, found: str | None, info: ValidationInfo) -> str | None:
        here = around(info)
        if found is not None and here is not None and here.types is not None:
            here.types.check_gpu(found)
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
        if not self.exact and here is not None and here.types is not None:
            here.types.check_needs(self.needs(), here.region)
        return self

    @model_serializer(mode="wrap")
    def _without_what_does_not_count(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if not self.exact:
            return found
        return {key: value for key, value in found.items() if key not in NEEDS}

    def needs(self, *, burstable: bool = True) -> Needs:
        """Return the requirements of the machine. A GPU sold as "24GB" counts in powers of ten.

        ``burstable``: its CPUs rest most of the day, as a desktop's.
        """
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
            burstable=burstable,
        )

    @property
    def exact(self) -> tuple[str, ...]:
        """The exact types to try, in order; none where the file says what the machine must have."""
        return (self.type,) if self.type is not None else ()

    @property
    def on_spot(self) -> bool:
        """True if it is requested as a spot machine, which the cloud may take back."""
        return False


class Machine(Power):
    """One machine. Say its exact ``type``, or what it needs: never both."""

    image: Text = Field(
        "ubuntu-24.04",
        description=f"The system: {', '.join(SYSTEMS)}, or the cloud's own id of an image; on AWS "
        'also the newest of an owner by a pattern of its name: "self/scipion*".',
        examples=list(SYSTEMS),
    )
    disk: Size = Field(30.0, description="The disk that it boots from.")
    disk_type: Text | None = Field(
        None,
        exclude_if=lambda found: found is None,  # records of before have no such key
        description="The type of that disk, as of a volume; gp3 on AWS by default.",
        examples=["gp3", "io2"],
    )
    disk_iops: int | None = Field(
        None,
        ge=100,
        le=256_000,
        exclude_if=lambda found: found is None,
        description="Provisioned IOPS of that disk (gp3, io1, io2).",
    )
    disk_throughput: int | None = Field(
        None,
        ge=125,
        le=2_000,
        exclude_if=lambda found: found is None,
        description="Provisioned MiB/s of that disk (gp3).",
    )

    @field_validator("image")
    @classmethod
    def _known_image(cls, found: str, info: ValidationInfo) -> str:
        here = around(info)
        if here is not None and here.rules is not None:
            here.rules.check_image(found)
        return found

    @field_validator("disk")
    @classmethod
    def _possible_disk(cls, found: float, info: ValidationInfo) -> float:
        here = around(info)
        if here is not None and here.rules is not None and here.rules.disks is not None:
            here.rules.disks.check_root(found)
        return found

    @model_validator(mode="after")
    def _possible_disk_type(self, info: ValidationInfo) -> Self:
        here = around(info)
        speed = (self.disk_type, self.disk_iops, self.disk_throughput)
        if here is None or here.rules is None or speed == (None, None, None):
            return self
        if not here.rules.rents:
            return self  # as its disk: it counts only where the file goes to a cloud
        if here.rules.disks is None:
            key = next(key for key in DISK if getattr(self, key) is not None)
            raise wrong(f"{here.rules.title} takes none", hint="leave it out", at=(key,))
        here.rules.disks.check_boot(self.disk, *speed, new=not here.recorded)
        return self
