"""What a site offers: its network, flavors and images, each asked for once in a process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from roost.errors import UsageError
from roost.model import nodes
from roost.model.finding import Finding
from roost.model.record import read_record
from roost.model.resources import GATEWAY, Address, Group, Shape, State, Wanted
from roost.providers.openstack import flavors, images_lookup, quotas
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import translated
from roost.providers.openstack.network import Network, find_network

if TYPE_CHECKING:
    from roost.spec import Spec
    from roost.spec.openstack import OpenStack


@dataclass(slots=True)
class Offers:
    """Fulfils the capabilities ``Preflight`` and ``Fitting``; ``table`` is the file's."""

    site: Site
    table: OpenStack | None = None
    _networks: dict[bool, Network] = field(default_factory=dict)
    _images: list[dict[str, Any]] = field(default_factory=list)
    _flavors: tuple[flavors.Flavor, ...] = ()

    def begin(self, spec: Spec) -> None:
        """Do nothing: the site must be asked for all that can fail."""

    def check(
        self, spec: Spec, wanted: Wanted, have: State, file: str, *, launches: bool
    ) -> Iterator[Finding]:
        """Check network, types of volumes, flavors, images and quotas.

        Raises RoostError for what must not begin.
        """
        del file
        with translated("look at the site"):
            network = self.network_of(spec)
            self._check_types(wanted, have)
            fitted = {g.role: self.flavor(g.shape) for g in wanted.groups} if launches else {}
            for group in wanted.groups if launches else ():
                image = images_lookup.choose(
                    self.every_image(), group.shape.image, group.shape.arch
                )
                images_lookup.check_room(image, fitted[group.role])
            if launches:
                quotas.before(self.site, wanted, have, fitted)
        if network.direct and spec.access.address == "fixed":
            text = (
                f"machines on {network.name} have public addresses of their own, which go with them"
            )
            yield Finding(check="network", verdict="warning", text=text)
        if fast := [v.name for v in spec.volumes if v.iops or v.throughput]:
            text = f"{', '.join(fast)}: IOPS and throughput are those of its type at this site"
            yield Finding(check="volumes", verdict="warning", text=text)

    def fit(self, spec: Spec, wanted: Wanted, have: State) -> Wanted:
        """Return what is wanted with the site's own flavors, and addresses where it needs some."""
        with translated("look at the site"):
            network = self.network_of(spec)
            groups = tuple(self._fitted(group, have) for group in wanted.groups)
        return with_addresses(spec, replace(wanted, groups=groups), network)

    def _fitted(self, group: Group, have: State) -> Group:
        now = {i.shape.type for i in have.instances if i.role == group.role}
        return replace(group, shape=flavors.resolved(self.every_flavor(), group.shape, now))

    def _check_types(self, wanted: Wanted, have: State) -> None:
        """Refuse a type of volume that the project has not. Raises UsageError."""
        asked = {v.type for v in wanted.volumes if v.type} - {v.type for v in have.volumes}
        if not asked:
            return
        listed = self.site.every("block-storage", "/types", "volume_types")
        known = {str(one.get("name")) for one in listed}
        if missing := sorted(asked - known):
            raise UsageError(
                f"the project has no type of volume {', '.join(missing)};"
                f" it has {', '.join(sorted(known)) or 'none'}",
                next="openstack volume type list",
            )

    def every_flavor(self) -> tuple[flavors.Flavor, ...]:
        """Return the flavors that the project may use, the smallest first."""
        if not self._flavors:
            self._flavors = flavors.find_flavors(self.site)
        return self._flavors

    def flavor(self, shape: Shape) -> flavors.Flavor:
        """Return the flavor of a fitted shape. Raises UsageError where the site has none."""
        return flavors.named(self.every_flavor(), shape.type)

    def every_image(self) -> list[dict[str, Any]]:
        """Return the images that the project may use."""
        self._images = self._images or images_lookup.list_images(self.site)
        return self._images

    def network_of(self, spec: Spec) -> Network:
        """Return the network that a file means: a name can be found without its file."""
        self.table = self.table or spec.openstack
        return self.network(public=needs_way_in(spec.access))

    def network(self, *, public: bool) -> Network:
        """Return the network, asked for once in a process."""
        if public not in self._networks:
            self._networks[public] = find_network(self.site, self.table, public=public)
        return self._networks[public]


class WayIn(Protocol):
    """How machines are reached, as a file or a record has it."""

    @property
    def reach(self) -> str:
        """The way."""
        ...

    @property
    def makes_gateway(self) -> bool:
        """True if the name has a gateway of its own."""
        ...


def needs_way_in(access: WayIn) -> bool:
    """Tell whether a machine of the name is reached from outside: itself, or as the gateway."""
    return access.reach == "public" or access.makes_gateway


def with_addresses(spec: Spec, wanted: Wanted, network: Network) -> Wanted:
    """Return what is wanted with a floating address for each machine that is reached itself."""
    reached = tuple(
        Address(name=name, holder=name)
        for group in wanted.groups
        if (group.role == GATEWAY if spec.access.makes_gateway else group.role != "worker")
        for name in nodes.names(group.role, group.count)
    )
    return replace(wanted, addresses=reached if network.pool else ())


def read_table(record: str | None) -> OpenStack | None:
    """Return the record's table of the site; None where it has none that can be read."""
    from pydantic import ValidationError

    from roost.spec.openstack import OpenStack

    table = read_record(record).openstack
    try:
        return OpenStack.model_validate(table, strict=False) if table else None
    except ValidationError:
        return None
