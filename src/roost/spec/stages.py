"""The stages of work on a desktop, one after the other, each with what its machine needs."""

from __future__ import annotations

from pydantic import Field

from roost.spec.machine import Power
from roost.spec.table import Table
from roost.spec.values import Name

MOST_STAGES = 20


class Stage(Table):
    """One stage: `roost stages FILE` says whether a machine of its own pays."""

    name: Name = Field(
        description="What it is called: `roost stage NAME STAGE` changes the machine for it.",
        examples=["picking"],
    )
    needs: Power = Field(
        description="What its machine must have, or its exact type: keys as in `[machine]`.",
        examples=[{"cpus": 8, "memory": "32GB"}],
    )
    hours: float = Field(
        gt=0, le=10_000, description="How long it takes, about.", examples=[12, 0.5]
    )
