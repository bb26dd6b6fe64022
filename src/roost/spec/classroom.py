"""A classroom: a desktop for each seat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from roost.home import check_name
from roost.spec.common import Common
from roost.spec.desktop import Desk
from roost.spec.people import COLUMNS, read_people
from roost.spec.table import around, project_folder, wrong

MOST_SEATS, MOST_SPARES = 10_000, 100
REHEARSAL, LONGEST_NAME = "-rehearsal", 30


class Seats(Common):
    """How many there are; a table of its own, so that a record has this key where it always had."""

    seats: int = Field(ge=1, le=MOST_SEATS, description="How many machines.", examples=[20])
    spares: int = Field(
        0,
        ge=0,
        le=MOST_SPARES,
        exclude_if=lambda found: not found,  # records of before have no such key
        description="Machines beside these, which nobody has yet: they have the numbers after the "
        "last seat, and cost as much.",
        examples=[1],
    )
    people: Path | None = Field(
        None,
        description="A table (CSV) of who sits where, relative to this file, with the columns "
        f"{', '.join(COLUMNS)}: for handouts, and each key for its own seat. It stays on this "
        "computer.",
        examples=["people.csv"],
    )

    @property
    def machines(self) -> int:
        """How many machines there are, spares included."""
        return self.seats + self.spares

    @field_validator("people")
    @classmethod
    def _readable(cls, found: Path | None, info: ValidationInfo) -> Path | None:
        here, seats = around(info), info.data.get("seats")
        if found is None or here is None or here.recorded or not isinstance(seats, int):
            return found
        path = project_folder(here.folder, str(found).replace("\0", ""))
        try:
            read_people(path, seats)
        except ValueError as error:
            raise wrong(f"{path.name}: {error}") from None
        return path


class Classroom(Desk, Seats):
    """As many equal desktops as there are seats; volumes are made once for each."""

    kind: Literal["classroom"] = Field(description="What it is.", examples=["classroom"])

    @property
    def rehearsal(self) -> str:
        """The name under which it is rehearsed, as long as a name may be."""
        return check_name(self.name[: LONGEST_NAME - len(REHEARSAL)].rstrip("-") + REHEARSAL)

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what records of before do not have, where it is as it would be without."""
        found: dict[str, Any] = handler(self)
        same = {"protocol": "novnc", "apt": []}
        return {key: value for key, value in found.items() if same.get(key, self) != value}
