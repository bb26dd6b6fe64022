"""What the owner of an account is billed for a name, as the account's own bill says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """The bill of one name, from ``since`` until before ``until``.

    ``amount`` is None where that is unknown: ``why``, and what to do, ``mend``. ``estimated``: it
    can still change.
    """

    since: date
    until: date
    amount: Decimal | None = None
    currency: str = "USD"
    estimated: bool = False
    why: str = ""
    mend: str = ""
