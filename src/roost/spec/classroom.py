"""A classroom: a desktop for each seat."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from roost.spec.common import Common
from roost.spec.desktop import Desk

MOST_SEATS = 10_000


class Seats(Common):
    """How many there are; a table of its own, so that a record has this key where it always had."""

    seats: int = Field(ge=1, le=MOST_SEATS, description="How many machines.", examples=[20])


class Classroom(Desk, Seats):
    """As many equal desktops as there are seats; volumes are made once for each."""

    kind: Literal["classroom"] = Field(description="What it is.", examples=["classroom"])

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what records of before do not have, where it is as it would be without."""
        found: dict[str, Any] = handler(self)
        same = {"protocol": "novnc", "apt": []}
        return {key: value for key, value in found.items() if same.get(key, self) != value}
