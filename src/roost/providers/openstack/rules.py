"""The limits of a file on an OpenStack site: flavors, images and volumes are known only there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from roost.model.resources import Shape
from roost.providers.rules import Launch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from roost.cost.site_prices import SitePrices
    from roost.model.host import Host
    from roost.model.resources import Role
    from roost.reach import Reach
    from roost.spec import Spec
    from roost.spec.machine import Machine

USERS = (
    ("debian", "debian"),
    ("egi debian", "debian"),
    ("ubuntu", "ubuntu"),
    ("egi ubuntu", "ubuntu"),
)
"""The first user of machines by their system, as Debian's and Canonical's own images name it."""
OTHER_USER = "ubuntu"
MOST_USER_DATA = 65_535 // 4 * 3
"""Nova takes 65,535 characters of base64."""
ANY_FLAVOR = "a flavor that fits"
"""The type of a machine whose needs the file names: the site says which flavor that is."""


class OpenStackRules:
    """OpenStack: the file's words are taken as they are, and the site decides."""

    name = "openstack"
    title = "OpenStack"
    rents = True
    needs_table = ""
    reaches: tuple[Reach, ...] = ("public", "jump")
    most_rules = None
    launch = Launch(platform="openstack", most_user_data=MOST_USER_DATA, names_user=True)
    reserved_tags = ()
    types = None
    disks = None
    regions = None

    def types_for(self, tables: Collection[str]) -> None:
        """Return None: types are the site's flavors, whatever other tables the file has."""
        del tables

    def runs(self, kind: str, scheduler: str = "") -> bool:
        """Tell that everything can be there."""
        del kind, scheduler
        return True

    def check_image(self, image: str) -> None:
        """Accept any: only the site knows its images."""

    def login_user(self, image: str) -> str:
        """Return the user that a launch names: as the system's maker does, else as Ubuntu does."""
        return next(
            (user for system, user in USERS if image.lower().startswith(system)), OTHER_USER
        )

    def shape(self, spec: Spec, machine: Machine, role: Role, host: Host) -> Shape:
        """Return what is asked for: which flavor fits is known only at the site. Nova sells no spot
        machines, so those that may be spot are as all others."""
        del spec, role, host
        return Shape(
            type=machine.exact[0] if machine.exact else ANY_FLAVOR,
            cpus=0 if machine.exact else machine.cpus,
            memory_gib=0 if machine.exact else machine.memory,
            gpus=machine.gpus or 0,
            arch=machine.arch or "x86_64",
            image=machine.image,
            disk_gib=machine.disk,
        )

    def set_up(self, spec: Spec) -> Mapping[str, Any]:
        """Return nothing: no setting of the site changes what a machine is set up as."""
        del spec
        return {}

    def price_region(self, spec: Spec) -> str | None:
        """Return the site, where the file names its prices; None without any."""
        return self.place(spec) if spec.openstack.price_list else None

    def site_prices(self, spec: Spec | None) -> SitePrices:
        """Return the prices that the file names; without any, they are unknown."""
        from roost.cost.site_prices import SitePrices, parse

        if spec is None or not spec.openstack.price_list:
            return SitePrices()
        off: Literal["stopped", "shelved"] = "stopped"
        if spec.openstack.guard == "shelve":
            off = "shelved"
        return replace(parse(spec.openstack.price_list), off=off)

    def place(self, spec: Spec) -> str:
        """Return ``"openstack (jetstream2)"``, or only the first where the file names no site."""
        table = spec.openstack
        site = table.site or table.vo or table.cloud
        return f"{self.name} ({site})" if site else self.name


def rules() -> OpenStackRules:
    """Return the rules, for the registry."""
    return OpenStackRules()
