"""A desktop: one machine with a screen in the browser."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roost.spec.common import Common
from roost.spec.machine import Machine
from roost.spec.values import Package


class Desktop(Common):
    """One machine, its volumes, and a desktop that is seen from elsewhere."""

    kind: Literal["desktop"] = Field(description="What it is.", examples=["desktop"])
    machine: Machine = Field(
        description="The machine that it is: what it must have, or its exact type."
    )
    protocol: Literal["novnc", "dcv"] = Field(
        "novnc", description="How the desktop is seen: noVNC in a browser, or Amazon DCV."
    )
    apt: tuple[Package, ...] = Field((), description="System packages beside the desktop's own.")
