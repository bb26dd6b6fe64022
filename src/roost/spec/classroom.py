"""A classroom: one machine for each seat."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roost.spec.common import Common
from roost.spec.machine import Machine

MOST_SEATS = 10_000


class Classroom(Common):
    """As many equal machines as there are seats; volumes are made once for each."""

    kind: Literal["classroom"] = Field(description="What it is.", examples=["classroom"])
    seats: int = Field(ge=1, le=MOST_SEATS, description="How many machines.", examples=[20])
    machine: Machine = Field(
        description="The machine of each seat: what it must have, or its exact type."
    )
