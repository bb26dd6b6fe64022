"""The times at which machines stop by themselves, and their budget."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from roost.spec.table import Table, wrong
from roost.spec.values import Moment, Span

MOST_USD = 1_000_000_000
UNIT = r"^[A-Za-z][A-Za-z-]{0,7}$"


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
    after: Span | None = Field(
        None,
        exclude_if=lambda found: found is None,  # records of before have no such key
        description="Stop this long after each start, whatever it does; `roost extend` lets it go"
        " on.",
        examples=["8h"],
    )


class Budget(Table):
    """A warning at 80 %, and an end at 100 %."""

    usd: Usd | None = Field(
        None, gt=0, le=MOST_USD, description="US dollars, before tax.", examples=[50]
    )
    amount: Usd | None = Field(
        None,
        gt=0,
        le=MOST_USD,
        description="The same in what a site counts in, with `unit`.",
        examples=[5000],
    )
    unit: str | None = Field(
        None,
        pattern=UNIT,
        description="What the site's prices are in ([openstack] prices).",
        examples=["SU", "EUR"],
    )
    at_end: Literal["stop", "park"] = Field("stop", description="What happens at 100 %.")

    @model_validator(mode="after")
    def _one_sum(self) -> Self:
        if (self.usd is None) == (self.amount is None):
            hint = "usd = 50, or: amount = 5000 with unit"
            raise wrong("one sum is needed", allowed="`usd`, or `amount` with `unit`", hint=hint)
        if (self.amount is None) != (self.unit is None):
            raise wrong("`amount` and `unit` belong together", allowed='amount = 5000, unit = "SU"')
        return self

    @property
    def value(self) -> Decimal:
        """The sum, whatever it is in."""
        return self.usd or self.amount or Decimal(0)

    @property
    def currency(self) -> str:
        """What the sum is in: "USD", or a site's own unit."""
        return self.unit or "USD"
