"""Who sits where: a table beside the file, which stays on this computer.

Neither names nor addresses are in the record of a class, or in tags: the record has the path of the
table only. A person's key goes to that person's seat, by ssh.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import PydanticCustomError

from roost.spec.public_keys import one_key

COLUMNS = ("seat", "name", "email", "ssh_key")
LARGEST = 2 * 2**20
LONGEST = 200
"""Characters of a name or an address."""
MOST_PROBLEMS = 20
MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a seat; ``key`` is one line, as OpenSSH has it, or empty."""

    seat: int
    name: str = ""
    email: str = ""
    key: str = ""


def read_people(path: Path, seats: int) -> tuple[Person, ...]:
    """Return who sits where, by seat. Raises ValueError with all that is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("not a text in UTF-8: in Excel, save it as CSV UTF-8") from None
    if len(data) > LARGEST:
        raise ValueError("larger than any class")
    people: dict[int, Person] = {}
    problems: list[str] = []
    for line, row in _rows(text, problems):
        found = _person(row, seats, line, problems)
        if found is None:
            continue
        if found.seat in people:
            problems.append(f"line {line}: seat {found.seat} is taken twice")
        people.setdefault(found.seat, found)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        shown = problems[:MOST_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        raise ValueError("; ".join(shown))
    return tuple(people[seat] for seat in sorted(people))


def _rows(text: str, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the fields of each line that has any; a semicolon is a comma too."""
    head = text.partition("\n")[0]
    between = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between)
    try:
        columns = [one.strip().lower() for one in next(reader, [])]
        unknown = [one for one in columns if one not in COLUMNS]
        if unknown or "seat" not in columns or len(set(columns)) < len(columns):
            said = ", ".join(columns)[:LONGEST]
            problems.append(f"line 1: the columns are {said}; allowed: {', '.join(COLUMNS)}")
            return
        for row in reader:
            fields = [one.strip() for one in row]
            if len(fields) > len(columns):
                problems.append(f"line {reader.line_num}: {len(fields)} fields")
            elif any(fields):
                yield reader.line_num, dict(zip(columns, fields, strict=False))
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}")


def _person(row: dict[str, str], seats: int, line: int, problems: list[str]) -> Person | None:
    number = re.fullmatch(r"(?:seat-)?([1-9][0-9]{0,4})", row["seat"])
    if number is None or int(number[1]) > seats:
        problems.append(f"line {line}: seat {row['seat'][:20]!r} is none of 1 to {seats}")
        return None
    seat, wrong = int(number[1]), len(problems)
    name, email, key = (row.get(one, "") for one in COLUMNS[1:])
    if len(name) > LONGEST or not name.isprintable():
        problems.append(f"line {line}: not a name")
    if email and not MAIL.fullmatch(email):
        problems.append(f"line {line}: {email[:40]!r} is no address of mail")
    if key:
        try:
            key = one_key(key, f"seat-{seat}")
        except PydanticCustomError:
            problems.append(f"line {line}: not a public key of SSH")
    return Person(seat, name, email, key) if len(problems) == wrong else None
