"""The prices of an old quotation, read from a TOML file, so that it can be replayed.

```toml
date = 2022-06-01            # required: which rules held, and what each line shows
source = "training manual"   # required: what each line shows
hours_per_month = 720        # default 730
region = "eu-west-1"         # default: the prices hold in every region

[instances]                  # USD per hour running
"p2.xlarge" = 1.09
[volumes]                    # USD per GB-month; `any` is for every type that is not named
any = 0.133
[snapshots]                  # USD per GB-month; archive_retrieval: USD per GB
standard = 0.05
[s3]                         # USD per GB-month
STANDARD = 0.023
[addresses]                  # USD per hour that is charged by the rule of the date
ipv4 = 0.006
[transfer]                   # USD per GB sent to the internet
out = 0.09
free_gb = 1                  # GB of it a month that are free; default 0
```

Every table is optional; what the quotation does not price is taken from the catalogue.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from roost.errors import Problem, SpecError, UsageError

HOURS_PER_MONTH = Decimal(730)
"""Hours that a month is counted as, unless a quotation counts otherwise: 365 x 24 / 12."""

_HEAD = ("date", "source", "hours_per_month", "region")
_TABLES: Mapping[str, tuple[str, ...] | None] = {  # None: any name may stand there
    "instances": None,
    "volumes": ("any", "gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"),
    "snapshots": ("standard", "archive", "archive_retrieval"),
    "s3": ("STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
    "addresses": ("ipv4",),
    "transfer": ("out", "free_gb"),
}

Prices = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Quotation:
    """The prices quoted on a day, in USD; the units are those of the file's tables."""

    date: date
    source: str
    hours_per_month: Decimal = HOURS_PER_MONTH
    region: str | None = None
    instances: Prices = field(default_factory=dict)
    volumes: Prices = field(default_factory=dict)
    snapshots: Prices = field(default_factory=dict)
    s3: Prices = field(default_factory=dict)
    addresses: Prices = field(default_factory=dict)
    transfer: Prices = field(default_factory=dict)

    def holds_in(self, region: str) -> bool:
        """Return whether its prices are meant for the region."""
        return self.region is None or self.region == region


def read_quotation(path: Path) -> Quotation:
    """Read the quotation in a file; UsageError if it is unreadable, SpecError if it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return parse_quotation(text, str(path))


def parse_quotation(text: str, file: str) -> Quotation:
    """Parse a quotation's TOML text; SpecError names every problem at once. `file` is its name."""
    try:
        facts = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(file, (Problem("", f"not TOML: {error}"),)) from error
    problems = [*_unknown_keys("", facts, (*_HEAD, *_TABLES)), *_head_problems(facts)]
    for table, names in _TABLES.items():
        problems += _table_problems(table, facts.get(table, {}), names)
    if problems:
        raise SpecError(file, tuple(problems))
    return Quotation(
        date=facts["date"],
        source=facts["source"],
        hours_per_month=Decimal(facts.get("hours_per_month", HOURS_PER_MONTH)),
        region=facts.get("region"),
        **{table: _decimals(facts.get(table, {})) for table in _TABLES},
    )


def _head_problems(facts: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if type(facts.get("date")) is not date:
        problems.append(Problem("date", "the day of the quotation is needed, as 2022-06-01"))
    for name, needed in (("source", True), ("region", False)):
        value = facts.get(name)
        if (needed or value is not None) and not (isinstance(value, str) and value):
            problems.append(Problem(name, "a text is needed", found=_shown(value)))
    if "hours_per_month" in facts and not _above_zero(facts["hours_per_month"]):
        found = _shown(facts["hours_per_month"])
        problems.append(Problem("hours_per_month", "a number above 0 is needed", found=found))
    return problems


def _table_problems(table: str, values: Any, names: tuple[str, ...] | None) -> list[Problem]:
    if not isinstance(values, dict):
        return [Problem(table, "a table of prices is needed", found=_shown(values))]
    problems = _unknown_keys(table, values, names) if names is not None else []
    message = "a price in USD above 0 is needed; leave out a price that is not known"
    return problems + [
        Problem(f"{table}.{name}", message, found=_shown(value))
        for name, value in values.items()
        if not _above_zero(value)
    ]


def _unknown_keys(table: str, values: Mapping[str, Any], known: Collection[str]) -> list[Problem]:
    return [
        Problem(
            f"{table}.{name}" if table else name,
            "no such key",
            allowed=", ".join(known),
            hint=_did_you_mean(name, known),
        )
        for name in values
        if name not in known
    ]


def _did_you_mean(name: str, known: Collection[str]) -> str | None:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else None


def _above_zero(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return Decimal(value).is_finite() and value > 0


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)


def _decimals(values: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}
