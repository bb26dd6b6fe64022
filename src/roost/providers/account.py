"""The work of a provider on an account as a whole: audit it, check it, name the rights it needs.

Each is a capability of a ``Provider``: None, or an object that fulfils one of these protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from roost.cost.inventory import Inventory
    from roost.model.finding import Finding
    from roost.model.place import Place
    from roost.model.resources import State
    from roost.spec import Spec


class Auditor(Protocol):
    """The search of whole accounts for what costs money."""

    def regions(self, place: Place, *, every: bool) -> tuple[str, ...]:
        """Return the regions to look in: those in use, or every one of the account."""
        ...

    def look(self, regions: tuple[str, ...], place: Place) -> tuple[Inventory, ...]:
        """Return what exists, by region; what cannot be seen is marked as unknown."""
        ...


class Doctor(Protocol):
    """The checks of what `roost up` needs, without making anything."""

    def installed(self) -> Iterator[Finding]:
        """Yield one finding for each package that this computer needs for this provider only."""
        ...

    def examine(
        self, spec: Spec | None, place: Place, file: str | None, observe: Callable[[], State] | None
    ) -> Iterator[Finding]:
        """Yield one finding for each check: credentials, region, network, quotas, ..."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right as a document in the provider's own language, and how to put it in place.

    ``title`` names the document, and the file to save it in. ``commands`` are what an administrator
    types; ``instructions`` are the lines for people, with the commands among them. ``calls`` says
    of each call what it is for; ``trust`` is who may hold the right, where a document says so.
    """

    title: str
    policy: Mapping[str, Any]
    commands: tuple[str, ...]
    instructions: tuple[str, ...]
    calls: tuple[Mapping[str, str | None], ...] = ()
    trust: Mapping[str, Any] | None = None


class Rights(Protocol):
    """The rights that roost, an operator, and the machines themselves need. Asks nobody."""

    def of_user(self, spec: Spec | None, region: str | None) -> Grant:
        """Return the least right for all that roost does with a file; without a spec, with any."""
        ...

    def of_operator(self, spec: Spec | None, region: str | None) -> Grant:
        """Return the right to look, start, stop and reboot, and nothing else."""
        ...

    def limited_on_machines(self, spec: Spec, region: str | None) -> Grant:
        """Return the limited right that the machines of one name hold while they run.

        It lets them make named calls only, and on nothing but what is this name's own: they hold
        no credentials of the user, and who works on them can do no more than it says. On AWS it is
        the role of an instance profile. On OpenStack it can be an application credential whose
        access rules name service, method and path, in a file on the machine that only root reads.

        Raises UsageError where these machines need none.
        """
        ...

    def warnings(self, spec: Spec, file: str) -> Iterable[Finding]:
        """Return the findings of a plan about rights that the file does not name. Pure."""
        ...
