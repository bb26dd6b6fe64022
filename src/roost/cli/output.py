"""Output for people and for programs: data on stdout, everything else on stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import click


def say(text: str) -> None:
    """Print a line of progress on stderr."""
    with read_or_not():
        click.echo(text, err=True)


@contextmanager
def read_or_not() -> Iterator[None]:
    """Continue the work when nobody reads stderr (`roost up |& head`)."""
    try:
        yield
    except BrokenPipeError:
        hush(sys.stderr)


def hush(stream: TextIO) -> None:
    """Discard all further output to a stream whose reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


JSON_WRITTEN = "roost.json_written"
"""In the context of a command that has printed its document."""


def write_json(data: object) -> None:
    """Print one JSON document on stdout."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[JSON_WRITTEN] = True
    click.echo(json.dumps(data, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset | set | tuple):
        return sorted(value) if isinstance(value, frozenset | set) else list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """Align columns, as wide as they must be; those in ``right`` (numbers) are right-aligned."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([click.style(line(header), bold=True), *(line(row) for row in rows)])


def interactive() -> bool:
    """Return whether a person is there to answer questions."""
    return sys.stdin.isatty() and sys.stderr.isatty()
