"""OpenStack as a provider: the sites of clouds.yaml, and where a name is among them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.home import home

if TYPE_CHECKING:
    from roost.model.place import Place
    from roost.providers.openstack.cloud import OpenStackCloud
    from roost.providers.openstack.session import Site
    from roost.providers.provider import Cloud, Tools
    from roost.spec import Spec
    from roost.spec.openstack import OpenStack


class OpenStackProvider:
    """OpenStack, by openstacksdk."""

    name = "openstack"
    title = "OpenStack"
    rents = True
    regional = False
    auditor = None
    doctor = None
    rights = None

    def is_configured(self) -> bool:
        """Tell whether this computer is set up for it. Without openstacksdk it is not."""
        from roost.providers.openstack import session

        return session.is_set_up()

    def open(self, place: Place, tools: Tools, spec: Spec | None = None) -> OpenStackCloud:
        """Open one site. Raises UsageError without openstacksdk, or for no such site."""
        from roost.providers.openstack import session

        table = spec.openstack if spec is not None else None
        return self._at(session.site_of(place, table), tools, table)

    def _at(self, at: Site, tools: Tools, table: OpenStack | None = None) -> OpenStackCloud:
        from roost.providers.aws.session import my_address
        from roost.providers.openstack import client, session
        from roost.providers.openstack.cloud import OpenStackCloud
        from roost.recipes.rented import boot

        cloud = OpenStackCloud(
            site=client.Site(partial(session.connect, at.cloud, at.region or None)),
            region=str(at),
            caller=my_address,
            public_key=tools.public_key,
            locks=home() / "openstack",
            table=table,
            boot=boot,
        )
        cloud.retire = partial(tools.retire, cloud)
        return cloud

    def remember(self, cloud: Cloud, place: Place, spec: Spec) -> None:
        """Note nothing: clouds.yaml says where a name can be."""

    def find(self, name: str, place: Place, tools: Tools) -> tuple[Cloud, ...]:
        """Return the named site, the only one there is, or those that have the name.

        Raises RoostError where a site does not answer and no other has it: it may be there.
        """
        from roost.providers.openstack.at_once import at_once

        among = self._sites(place)
        if len(among) < 2:
            return tuple(self._at(site, tools) for site in among)
        found = at_once(among, lambda site: self._at(site, tools).observe(name))
        states = {s: f for s, f in found.items() if not isinstance(f, RoostError)}
        errors = [f for f in found.values() if isinstance(f, RoostError)]
        there = [s for s in among if s in states and not states[s].empty]
        if errors and not there:
            raise errors[0]
        return tuple(self._at(site, tools) for site in there)

    def where(self, place: Place) -> str:
        """Return ``"on OpenStack at jetstream2, ovh/GRA11"``."""
        return f"on OpenStack at {', '.join(map(str, self._sites(place))) or 'any site'}"

    def everywhere(self, place: Place, tools: Tools) -> tuple[OpenStackCloud, ...]:
        """Return the named site, or all that this computer is set up for."""
        return tuple(self._at(site, tools) for site in self._sites(place))

    def listers(self, place: Place, tools: Tools) -> tuple[OpenStackCloud, ...]:
        """Return every site."""
        return self.everywhere(place, tools)

    def _sites(self, place: Place) -> tuple[Site, ...]:
        from roost.providers.openstack import session

        if place.profile or place.region:
            return (session.site_of(place),)
        return session.sites()


def provider() -> OpenStackProvider:
    """Return the provider, for the registry."""
    return OpenStackProvider()
