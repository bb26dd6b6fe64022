"""The own machine as a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.home import names

if TYPE_CHECKING:
    from roost.model.place import Place
    from roost.providers.local.cloud import LocalCloud
    from roost.providers.provider import Cloud, Tools
    from roost.spec import Spec


class LocalProvider:
    """The user's own machine: no account, no regions."""

    name = "local"
    title = "your own machine"
    rents = False
    regional = False
    auditor = None
    doctor = None
    rights = None

    def is_configured(self) -> bool:
        """Return True: the own machine is always there."""
        return True

    def open(self, place: Place, tools: Tools, spec: Spec | None = None) -> LocalCloud:
        """Return this machine, whatever the options say."""
        del place, tools, spec
        from roost.providers.local.cloud import LocalCloud
        from roost.recipes.local import boot

        return LocalCloud(boot)

    def remember(self, cloud: Cloud, place: Place, spec: Spec) -> None:
        """Remember nothing: its folders are all there is."""

    def find(self, name: str, place: Place, tools: Tools) -> tuple[LocalCloud, ...]:
        """Return this machine, if it has the name, or was named itself."""
        here = place.cloud == self.name or name in names()
        return (self.open(place, tools),) if here else ()

    def where(self, place: Place) -> str:
        """Return ``"on this machine"``."""
        del place
        return "on this machine"

    def everywhere(self, place: Place, tools: Tools) -> tuple[LocalCloud, ...]:
        """Return this machine."""
        return (self.open(place, tools),)

    def listers(self, place: Place, tools: Tools) -> tuple[LocalCloud, ...]:
        """Return this machine, if it has anything."""
        return (self.open(place, tools),) if names() else ()


def provider() -> LocalProvider:
    """Return the provider, for the registry."""
    return LocalProvider()
