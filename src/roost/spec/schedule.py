"""The times at which machines stop by themselves, and their budget."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from roost.spec.table import Table, wrong
from roost.spec.values import Moment, Span

MOST_USD = 1_000_000_000


def _usd(found: Any) -> Decimal:
    """Convert a number as it is written; refuse a text."""
    if type(found) not in (int, float):
        raise wrong("the wrong kind of value", allowed="a number")
    return Decimal(str(found))


Usd = Annotated[
    Decimal,
    BeforeValidator(_usd),
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": MOST_USD}),
]


class Schedule(Table):
    """Held by the machine itself, so that a closed laptop costs nothing."""

    idle: Span | None = Field(
        None, description="Stop after this long without a user, load or a job."
    )
    end: Moment | None = Field(None, description="Stop at this time; with its time zone.")


class Budget(Table):
    """A warning at 80 %, and an end at 100 %."""

    usd: Usd = Field(gt=0, le=MOST_USD, description="US dollars, before tax.", examples=[50])
    at_end: Literal["stop", "park"] = Field("stop", description="What happens at 100 %.")
