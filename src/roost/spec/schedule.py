"""When machines stop by themselves, and what they may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from roost.spec.table import Table
from roost.spec.values import Moment, Span

Usd = Annotated[Decimal, PlainSerializer(float, return_type=float)]


class Schedule(Table):
    """Held by the machine itself, so that a closed laptop costs nothing."""

    idle: Span | None = Field(
        None, description="Stop after this long without a user, load or a job."
    )
    end: Moment | None = Field(None, description="Stop at this time; with its time zone.")


class Budget(Table):
    """A warning at 80 %, and an end at 100 %."""

    usd: Usd = Field(gt=0, description="US dollars, before tax.")
    at_end: Literal["stop", "park"] = Field("stop", description="What happens at 100 %.")
