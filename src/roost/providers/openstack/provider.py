"""OpenStack as a provider: the sites of clouds.yaml, and where a name is among them."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.home import home

if TYPE_CHECKING:
    from roost.model.place import Place
    from roost.providers.openstack.audit import OpenStackAuditor
    from roost.providers.openstack.cloud import OpenStackCloud
    from roost.providers.openstack.doctor import OpenStackDoctor
    from roost.providers.openstack.rights import OpenStackRights
    from roost.providers.openstack.session import Site
    from roost.providers.provider import Cloud, Tools
    from roost.spec import Spec
    from roost.spec.openstack import OpenStack


class OpenStackProvider:
    """OpenStack, by openstacksdk."""

    name = "openstack"
    title = "OpenStack"
    rents = True
    regional = True

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
        from roost.providers.my_address import my_address
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

        def look(site: Site) -> tuple[bool, tuple[str, str]]:
            cloud = self._at(site, tools)
            return not cloud.observe(name).empty, cloud.site.identity

        found = at_once(among, look)
        errors = [answer for answer in found.values() if isinstance(answer, RoostError)]
        there: dict[tuple[str, str], Site] = {}
        for site, answer in found.items():
            if not isinstance(answer, RoostError) and answer[0]:
                there.setdefault(answer[1], site)  # two entries can lead to one project
        if errors and not there:
            raise errors[0]
        return tuple(self._at(site, tools) for site in there.values())

    def where(self, place: Place) -> str:
        """Return ``"on OpenStack at jetstream2, ovh/GRA11"``."""
        return f"on OpenStack at {', '.join(map(str, self._sites(place))) or 'any site'}"

    def everywhere(self, place: Place, tools: Tools) -> tuple[OpenStackCloud, ...]:
        """Return the named site, or all that this computer is set up for, each project once.

        Two entries can lead to one project. A site that does not say which it is stays, and says
        why when it is asked.
        """
        from roost.providers.openstack.at_once import at_once

        clouds = {site: self._at(site, tools) for site in self._sites(place)}
        if len(clouds) < 2:
            return tuple(clouds.values())
        first: dict[tuple[str, ...], Site] = {}
        return tuple(
            clouds[site]
            for site, answer in at_once(clouds, lambda site: clouds[site].account).items()
            if isinstance(answer, RoostError) or first.setdefault(answer, site) == site
        )

    def listers(self, place: Place, tools: Tools) -> tuple[OpenStackCloud, ...]:
        """Return every site; what lists them asks each for its project with its names."""
        return tuple(self._at(site, tools) for site in self._sites(place))

    def _sites(self, place: Place) -> tuple[Site, ...]:
        """Return the sites that the options mean; none where they mean another cloud's."""
        from roost.providers.openstack import session

        named_here = os.environ.get("OS_CLOUD")
        known = tuple(sorted(session.sites(), key=lambda site: site.cloud != named_here))
        if not (place.profile or place.region):
            return known
        if place.cloud == self.name:
            return (session.site_of(place),)
        named = [s for s in known if place.profile in (None, s.cloud)]
        return tuple(s for s in named if place.region in (None, str(s), s.cloud, s.region))

    @property
    def auditor(self) -> OpenStackAuditor:
        """The audit of the sites of clouds.yaml."""
        from roost.providers.openstack.audit import OpenStackAuditor

        return OpenStackAuditor()

    @property
    def doctor(self) -> OpenStackDoctor:
        """The checks of credentials, services, network, images, quotas."""
        from roost.providers.openstack.doctor import OpenStackDoctor

        return OpenStackDoctor()

    @property
    def rights(self) -> OpenStackRights:
        """Roles, and application credentials with access rules."""
        from roost.providers.openstack.rights import OpenStackRights

        return OpenStackRights()


def provider() -> OpenStackProvider:
    """Return the provider, for the registry."""
    return OpenStackProvider()
