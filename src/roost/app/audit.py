"""All of roost's resources that cost money, in every account that this computer can list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app.prices import todays_book
from roost.errors import UsageError

if TYPE_CHECKING:
    from roost.cost.inventory import Audit, Inventory
    from roost.providers.account import Auditor
    from roost.session import Session


@dataclass(frozen=True, slots=True)
class Audited:
    """The resources that cost money, and the answer of each region."""

    audit: Audit
    inventories: tuple[Inventory, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Each region that could not be looked at, and why."""
        return tuple(f"{i.region}: {i.unknown}" for i in self.inventories if i.unknown)


def audited(session: Session, *, every: bool) -> Audited:
    """Look in the regions in use, or in ``every`` one of the account, and price what is there.

    Raises UsageError where the named cloud cannot be looked through.
    """
    from roost.cost.inventory import audit

    inventories: list[Inventory] = []
    for auditor in _auditors(session):
        regions = auditor.regions(session.place, every=every)
        many = len(regions) > 1
        session.say(f"looking in {len(regions)} regions" if many else f"looking in {regions[0]}")
        inventories += auditor.look(regions, session.place)
    return Audited(audit(inventories, todays_book()), tuple(inventories))


def _auditors(session: Session) -> list[Auditor]:
    """Return the auditors of the named provider; else of all that this computer uses, or of all."""
    from roost.providers.registry import provider_of, providers

    if session.place.cloud is not None:
        named = provider_of(session.place.cloud)
        if named.auditor is not None:
            return [named.auditor]
        if not named.rents:
            raise UsageError(f"nothing on {named.title} costs money", next="roost ls")
        raise UsageError(f"roost cannot look through an account of {named.title}", next="roost ls")
    able = [provider for provider in providers() if provider.auditor is not None]
    used = [provider for provider in able if provider.is_configured()]
    return [p.auditor for p in used or able if p.auditor is not None]
