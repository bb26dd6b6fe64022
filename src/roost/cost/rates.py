"""Rates, unknown prices and amounts of money: in USD before tax, or in a site's own unit."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from roost.catalogue import Rate

__all__ = [
    "ZERO",
    "Amount",
    "Line",
    "Price",
    "Rate",
    "Section",
    "Unknown",
    "charge",
    "section",
    "total",
]


DOLLARS = "USD"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A price that is not known, and why. It is never counted as 0."""

    reason: str


Price = Rate | Unknown


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum. `usd` is the part that is known, in US dollars unless `currency` names another.

    `at_least`: something whose price is unknown is missing from `usd`.
    `at_most`: `usd` counts something at its upper bound (a volume's full size, the on-demand price
    of a spot machine).
    """

    usd: Decimal
    at_least: bool = False
    at_most: bool = False
    currency: str = DOLLARS

    def __add__(self, other: "Amount") -> "Amount":
        """Add a sum in the same currency; nothing at all is in any. ValueError for another."""
        held = {one.currency for one in (self, other) if one.usd}
        if len(held) > 1:
            raise ValueError(f"{self} and {other} are no sum")
        named = held or {one.currency for one in (self, other)} - {DOLLARS} or {DOLLARS}
        return Amount(
            self.usd + other.usd,
            self.at_least or other.at_least,
            self.at_most or other.at_most,
            min(named),
        )

    @property
    def known(self) -> bool:
        """True if nothing unknown is missing from it."""
        return not self.at_least

    def __str__(self) -> str:
        if self.at_least and not self.usd:
            return "unknown"
        if self.at_least and self.at_most:
            return f"at most {self._money}, and what is unknown"
        if self.at_least:
            return f"at least {self._money}"
        return f"at most {self._money}" if self.at_most else self._money

    @property
    def _money(self) -> str:
        """$17.71, or 17.71 SU."""
        number = _digits(self.usd)
        return f"${number}" if self.currency == DOLLARS else f"{number} {self.currency}"


ZERO = Amount(Decimal(0))


@dataclass(frozen=True, slots=True)
class Line:
    """One charge: `quantity` x `price` = `amount`.

    `quantity` counts the units of the price and `basis` says where it comes from. `price.source`
    and `price.date` say who named the price.
    """

    item: str
    basis: str
    quantity: Decimal
    price: Price
    amount: Amount
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines and their sum."""

    lines: tuple[Line, ...]
    amount: Amount


def section(lines: Iterable[Line]) -> Section:
    """Return the lines with their sum."""
    kept = tuple(lines)
    return Section(kept, total(line.amount for line in kept))


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum; an unknown part makes it "at least", never less."""
    return sum(amounts, ZERO)


def charge(
    item: str,
    basis: str,
    quantity: Decimal,
    price: Price,
    note: str = "",
    *,
    at_most: bool = False,
) -> tuple[Line, ...]:
    """Return the line of a charge, or no line at all when there is nothing to pay for."""
    if not quantity:
        return ()
    if isinstance(price, Unknown):
        amount = Amount(Decimal(0), at_least=True, at_most=False)
    else:
        bound = at_most and price.usd > 0
        amount = Amount(price.usd * quantity, at_most=bound, currency=price.currency)
    return (Line(item, basis, quantity, price, amount, note),)


def _digits(number: Decimal) -> str:
    """Format 17.71; below one up to four decimals: 0.096, and never less than 0.0001."""
    if number >= 1 or not number:
        return f"{number:,.2f}"
    text = f"{max(number, Decimal('0.0001')):.4f}"
    return f"{text[:-2]}{text[-2:].rstrip('0')}"
