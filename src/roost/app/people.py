"""Who sits where, as far as this computer has the table that the file names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import RoostError, command_line
from roost.model import nodes

if TYPE_CHECKING:
    from roost.spec.classroom import Classroom
    from roost.spec.people import Person


@dataclass(frozen=True, slots=True)
class People:
    """The people of a class; ``known``: the table was read, or the file names none."""

    people: tuple[Person, ...] = ()
    known: bool = True

    def at(self, node: str) -> Person | None:
        """Return who has a seat (``"seat-7"``)."""
        number = nodes.number_of(node)
        return next((one for one in self.people if one.seat == number), None)


def people_of(spec: Classroom, allowed: frozenset[Path], tell: Callable[[str], None]) -> People:
    """Read the table of a class. Raises RoostError where there is something wrong in it.

    The record lies with the cloud, and others can write it: a path in it is read only if `roost up`
    was given it on this computer.
    """
    from roost.spec.people import read_people

    if spec.people is None:
        return People()
    if spec.people.absolute() not in allowed or not spec.people.is_file():
        tell(f"{spec.people} is not here: names are not known, and seats keep the keys they have")
        return People(known=False)
    try:
        return People(read_people(spec.people, spec.seats))
    except ValueError as error:
        again = command_line("roost", "up", spec.name)
        raise RoostError(f"{spec.people}: {error}", next=f"mend it, then: {again}") from None
