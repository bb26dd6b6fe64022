"""The prices of one OpenStack site, in its own unit, read from a TOML file. Pure but for reading.

```toml
unit = "SU"                  # required: what the site counts in; at most 8 letters
source = "our price list"    # required: what each line shows
date = 2026-01-31            # the day of the source
hours_per_month = 730        # default 730

[flavors]                    # per hour while it runs; or { running = 4, stopped = 2, shelved = 0 }
"m3.small" = 2
[states]                     # shares of that, for flavors that say none of their own
stopped = 0.5                # off, and its host keeps its place
shelved = 0
[volumes]                    # per GB-month; `any` is for every type that is not named
any = 0.1
[snapshots]                  # per GB-month
any = 0.1
[images]                     # per GB-month
any = 0.1
[addresses]                  # per hour, in use or not
floating = 0.2
```

Every table is optional. What is not in it is unknown, and never 0; 0 means that it is free.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, Literal

from roost.catalogue import Catalogue, Rate
from roost.catalogue.facts import Unit
from roost.cost.quotation import HOURS_PER_MONTH
from roost.cost.rates import Price, Unknown

State = Literal["running", "stopped", "shelved"]
STATES: tuple[State, ...] = ("running", "stopped", "shelved")
TABLES: Mapping[str, tuple[str, ...] | None] = {  # None: any name may stand there
    "flavors": None,
    "states": ("stopped", "shelved"),
    "volumes": None,
    "snapshots": ("any",),
    "images": ("any",),
    "addresses": ("floating",),
}
HEAD = ("unit", "source", "date", "hours_per_month")
UNIT = re.compile(r"[A-Za-z][A-Za-z-]{0,7}")
MOST_NAMES, LONGEST, LARGEST = 1000, 200, 200_000
HIGHEST = Decimal(1_000_000_000)
SHIPPED = Path(__file__).parent / "sites"
"""The lists that come with roost: a site's published prices, with their source."""
NONE_NAMED = "the file names no prices of its site ([openstack] prices)"

Number = Mapping[str, Decimal]


class WrongPricesError(ValueError):
    """What is wrong with a list of prices."""


@dataclass(frozen=True, slots=True)
class SitePrices:
    """What a site charges, by the tables of its file; ``flavors`` by name and state.

    ``off`` is the state that machines stop in: one that powers itself off is not shelved.
    """

    unit: str = "USD"
    source: str = ""
    date: date | None = None
    hours_per_month: Decimal = HOURS_PER_MONTH
    flavors: Mapping[str, Number] = field(default_factory=dict)
    states: Number = field(default_factory=dict)
    volumes: Number = field(default_factory=dict)
    snapshots: Number = field(default_factory=dict)
    images: Number = field(default_factory=dict)
    addresses: Number = field(default_factory=dict)
    off: Literal["stopped", "shelved"] = "shelved"

    def flavor(self, name: str, state: State = "running") -> Price:
        """Return the price of an hour of a machine in a state.

        A ledger remembers a machine that is off as ``m3.small:stopped`` or ``m3.small:shelved``.
        """
        kind, _, ending = name.rpartition(":")
        if kind and ending in ("stopped", "shelved"):
            return self.flavor(kind, "stopped" if ending == "stopped" else "shelved")
        said = self.flavors.get(name, {})
        if state in said:
            return self._rate(said[state], "hour")
        if "running" in said and state in self.states:
            return self._rate(said["running"] * self.states[state], "hour")
        return self._unknown(f"{name} {state}")

    def gb(self, table: Literal["volumes", "snapshots", "images"], kind: str = "any") -> Price:
        """Return the price of a GB-month."""
        said: Number = getattr(self, table)
        found = said.get(kind, said.get("any"))
        what = table if kind == "any" else f"{kind} {table}"
        return self._unknown(what) if found is None else self._rate(found, "GB-month")

    def address(self) -> Price:
        """Return the price of an hour of a floating address, used or not."""
        found = self.addresses.get("floating")
        return self._unknown("floating addresses") if found is None else self._rate(found, "hour")

    def _rate(self, amount: Decimal, unit: Unit) -> Rate:
        return Rate(amount, unit, self.source, self.date, self.unit)

    def _unknown(self, what: str) -> Unknown:
        return Unknown(f"no price of {what} in {self.source}" if self.source else NONE_NAMED)

    def to_facts(self) -> dict[str, Any]:
        """Return it as a record keeps it: numbers as texts, which JSON does not round."""
        facts: dict[str, Any] = {"unit": self.unit, "source": self.source}
        if self.date is not None:
            facts["date"] = self.date.isoformat()
        if self.hours_per_month != HOURS_PER_MONTH:
            facts["hours_per_month"] = str(self.hours_per_month)
        for table in TABLES:
            if held := getattr(self, table):
                facts[table] = _texts(held)
        return facts


def _texts(held: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _texts(v) if isinstance(v, Mapping) else str(v) for k, v in held.items()}


@cache
def no_catalogue() -> Catalogue:
    """Return the catalogue of a cloud of which roost ships no facts."""
    return Catalogue("openstack", date.min, "", date.min, "", {}, (), {})


def shipped() -> tuple[str, ...]:
    """Return the names of the lists that come with roost."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def named(prices: str, folder: Path) -> SitePrices:
    """Return a list that comes with roost, or that of a file, relative to ``folder``.

    Raises WrongPricesError, OSError.
    """
    if prices in shipped():
        return read(SHIPPED / f"{prices}.toml")
    if not prices.endswith(".toml"):
        known = ", ".join(shipped())
        raise WrongPricesError(f"no such list; there are {known}, or the path of a .toml file")
    return read(folder / Path(prices).expanduser())


def read(path: Path) -> SitePrices:
    """Read a list. Raises WrongPricesError, OSError."""
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise WrongPricesError("it is larger than any price list")
    try:
        return parse(tomllib.loads(data.decode(), parse_float=Decimal))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise WrongPricesError(f"it is not TOML: {error}") from None


def parse(facts: Mapping[str, Any]) -> SitePrices:
    """Return the prices that a file, or a record, says. Raises WrongPricesError."""
    for key in facts:
        if key not in (*HEAD, *TABLES):
            raise WrongPricesError(f"{key}: no such key; there are {', '.join((*HEAD, *TABLES))}")
    unit, source = facts.get("unit"), facts.get("source")
    if not isinstance(unit, str) or not UNIT.fullmatch(unit):
        raise WrongPricesError('unit: what the site counts in is needed, as "EUR" or "SU"')
    if not isinstance(source, str) or not 0 < len(source) <= LONGEST:
        raise WrongPricesError("source: a text is needed: where the prices are from")
    tables: dict[str, Any] = {table: _table(table, facts.get(table, {})) for table in TABLES}
    hours = _number("hours_per_month", facts.get("hours_per_month", HOURS_PER_MONTH))
    if not 600 <= hours <= 800:
        raise WrongPricesError("hours_per_month: a number from 600 to 800 is needed")
    return SitePrices(
        unit=unit, source=source, date=_day(facts.get("date")), hours_per_month=hours, **tables
    )


def _day(found: Any) -> date | None:
    try:
        day = date.fromisoformat(found) if isinstance(found, str) else found
    except ValueError:
        day = ""
    if day is None or (isinstance(day, date) and not isinstance(day, datetime)):
        return day
    raise WrongPricesError("date: a day is needed, as 2026-01-31")


def _table(table: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping) or len(found) > MOST_NAMES:
        raise WrongPricesError(f"{table}: a table of prices is needed")
    names = TABLES[table]
    prices: dict[str, Any] = {}
    for name, value in found.items():
        where = f"{table}.{name}"[:LONGEST]
        if names is not None and name not in names:
            raise WrongPricesError(f"{where}: no such key; there are {', '.join(names)}")
        if table != "flavors":
            prices[name] = _number(where, value)
            continue
        states = value if isinstance(value, Mapping) else {"running": value}
        if not states or not set(states) <= set(STATES):
            raise WrongPricesError(f"{where}: a price, or one for each of {', '.join(STATES)}")
        prices[name] = {state: _number(where, one) for state, one in states.items()}
    return prices


def _number(where: str, found: Any) -> Decimal:
    """Return a price; a record has it as a text."""
    try:
        number = Decimal(found) if type(found) in (int, Decimal, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not 0 <= number <= HIGHEST:
        raise WrongPricesError(f"{where}: a number of 0 or more is needed; leave out the unknown")
    return number
