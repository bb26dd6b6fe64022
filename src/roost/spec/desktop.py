"""A desktop: one machine with a screen in the browser."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from roost.spec.common import Common
from roost.spec.machine import Machine, Power
from roost.spec.pixinsight import PixInsight
from roost.spec.scipion import Scipion
from roost.spec.stages import MOST_STAGES, Stage
from roost.spec.table import around, wrong
from roost.spec.values import Package


class Desk(Common):
    """The keys of every machine with a desktop that is seen from elsewhere: also of each seat."""

    machine: Machine = Field(
        description="The machine of the desktop, or of each seat: what it must have, or its exact "
        "type."
    )
    protocol: Literal["novnc", "dcv"] = Field(
        "novnc", description="How the desktop is seen: noVNC in a browser, or Amazon DCV."
    )
    apt: tuple[Package, ...] = Field((), description="System packages beside the desktop's own.")
    pixinsight: PixInsight | None = Field(
        None, description="PixInsight, from your own download and with your own licence."
    )
    scipion: Scipion | None = Field(
        None, description="Scipion for cryo-EM, with its plugins and their programs."
    )

    @field_validator("protocol")
    @classmethod
    def _made_for_it(cls, found: str, info: ValidationInfo) -> str:
        machine: Machine | None = info.data.get("machine")
        if found == "dcv" and machine is not None and machine.image.startswith("debian"):
            raise wrong(
                f"Amazon DCV is not made for {machine.image}",
                hint='protocol = "novnc", or image = "ubuntu-24.04" in [machine]',
            )
        access = info.data.get("access")
        if found == "dcv" and access is not None and access.makes_gateway and access.https:
            raise wrong(
                "Amazon DCV has no page behind a gateway",
                hint='protocol = "novnc", or no https in [access]',
            )
        return found

    @field_validator("pixinsight")
    @classmethod
    def _runs_there(cls, found: PixInsight | None, info: ValidationInfo) -> PixInsight | None:
        machine: Machine | None = info.data.get("machine")
        if found is not None and machine is not None and _arch(machine, info) == "arm64":
            raise wrong("PixInsight is made for x86_64 only", hint="choose another machine")
        return found


class Desktop(Desk):
    """One machine, its volumes, and a desktop that is seen from elsewhere."""

    kind: Literal["desktop"] = Field(description="What it is.", examples=["desktop"])
    stages: tuple[Stage, ...] = Field(
        (),
        max_length=MOST_STAGES,
        exclude_if=lambda found: not found,  # records of before have no such key
        description="Stages of work in their order, for `roost stages` and `roost stage`.",
    )

    @field_validator("stages")
    @classmethod
    def _on_one_disk(cls, found: tuple[Stage, ...], info: ValidationInfo) -> tuple[Stage, ...]:
        """Refuse stages of one name, and what the machine's disk does not start on."""
        machine: Machine | None = info.data.get("machine")
        for number, stage in enumerate(found):
            if stage.name in {other.name for other in found[:number]}:
                raise wrong("another stage has this name", at=(number, "name"))
            if machine is not None and _arch(stage.needs, info) != _arch(machine, info):
                raise wrong(
                    f"[machine] is {_arch(machine, info)}, and this stage"
                    f" {_arch(stage.needs, info)}: one disk does not start on both",
                    hint=f'arch = "{_arch(machine, info)}"',
                    at=(number, "needs"),
                )
        return found


def _arch(machine: Power, info: ValidationInfo) -> str:
    here = around(info)
    if not machine.exact or here is None or here.types is None:
        return machine.arch or "x86_64"
    return here.types.arch(machine.exact[0])
