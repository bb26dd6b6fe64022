"""A classroom: one machine for each seat."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roost.spec.common import Common
from roost.spec.machine import Machine

MOST_SEATS = 10_000


class Classroom(Common):
    """As many equal machines as there are seats; volumes are made once for each."""

    kind: Literal["classroom"] = Field(description="A desktop, a cluster or a classroom.")
    seats: int = Field(ge=1, le=MOST_SEATS, description="How many machines.")
    machine: Machine = Field(description="The machine of each seat.")
