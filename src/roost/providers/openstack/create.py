"""The calls that create on a site: each marks what it makes, and makes it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from roost.errors import CloudError, NotYetError
from roost.model.owner import fingerprint
from roost.model.resources import (
    Address,
    Instance,
    KeyPair,
    Resource,
    Rule,
    SecurityGroup,
    Shape,
    Volume,
)
from roost.model.steps import OpenRules
from roost.providers.callers import Caller
from roost.providers.openstack import firewall, marks, observe
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import CallError
from roost.providers.openstack.flavors import Flavor
from roost.providers.openstack.launch import Launch, UserData
from roost.providers.openstack.memory import Memory
from roost.providers.openstack.network import Network


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the resources of one name.

    ``users`` are the user's own tags, ``zones`` those of the file; ``flavor`` and ``image`` are
    the site's own for a shape and a machine; ``user_data`` is what machines are started with;
    ``alone``: they do not reach each other.
    """

    site: Site
    memory: Memory
    name: str
    network: Callable[[], Network]
    flavor: Callable[[Shape], Flavor]
    image: Callable[[Instance, Flavor], dict[str, Any]]
    caller: Callable[[], Caller]
    public_key: Callable[[], bytes]
    users: Mapping[str, str]
    zones: tuple[str, ...] = ()
    user_data: UserData | None = None
    alone: bool = False

    def make(self, resources: tuple[Resource, ...]) -> None:
        """Make all of them; instances of a batch in one launch, what has no such call at once."""
        instances = tuple(r for r in resources if isinstance(r, Instance))
        if instances:
            for group in [*self.memory.described.get("security-group", [])]:
                # Of a group whose maker was killed, its own rules.
                self._let_in((), group, alone=self.alone)
            Launch(self, instances).run()
        for resource in resources:
            if isinstance(resource, KeyPair):
                self.key_pair()
            elif isinstance(resource, SecurityGroup):
                self.security_group(resource)
        self.site.each(self.volume, [r for r in resources if isinstance(r, Volume)])
        addresses = [r for r in resources if isinstance(r, Address)]
        if addresses:
            self.network()  # one look, before many use it
        self.site.each(self.address, addresses)

    def key_pair(self) -> None:
        """Import the user's public key. Raises CloudError for another key of that name."""
        kind, blob, *_ = [*self.public_key().decode().split(), "", ""]
        own = marks.title(self.name)
        asked = {"name": own, "public_key": f"{kind} {blob} {own}", "type": "ssh"}
        try:
            made = self.site.post("compute", "/os-keypairs", {"keypair": asked})["keypair"]
        except CallError as error:
            if error.kind != "there":
                raise
            (made,) = observe.key_pair(self.site, self.name) or ({},)
            if fingerprint(str(made.get("public_key", "")).encode()) != fingerprint(
                asked["public_key"].encode()
            ):
                raise CloudError(
                    f"you have a key pair called {own} already, with another key; it was not"
                    " changed",
                    next=f"openstack keypair delete {own}   (if nobody needs it)",
                ) from error
        self.memory.described["key-pair"] = [made]

    def security_group(self, group: SecurityGroup) -> None:
        """Make the security group if it is missing, and let in who is missing in it."""
        there = []
        mark = marks.description(self.name, group.name)
        if self._tried(mark):
            every = observe.groups(self.site, self.name)
            there = [one for one in every if one.get("description") == mark]
        if there:
            made = there[0]
        else:
            asked = {"name": marks.title(group.name), "description": mark}
            made = self.site.post("network", "/security-groups", {"security_group": asked})[
                "security_group"
            ]
        self.memory.ids["security-group", group.name] = str(made["id"])
        self.memory.described.pop("security-group", None)
        self._let_in(group.rules, made, alone=group.alone)

    def open_rules(self, step: OpenRules) -> None:
        """Let more people in to a security group that is there."""
        group_id = self.memory.id(self.name, "security-group", step.group)
        found = self.site.get("network", f"/security-groups/{group_id}")["security_group"]
        self._let_in(step.rules, found, alone=step.alone)

    def _let_in(self, rules: tuple[Rule, ...], described: dict[str, Any], *, alone: bool) -> None:
        """Make all rules that are missing, by one call."""
        people = any(rule.source == "caller" for rule in rules)
        caller = self.caller() if people else Caller()
        ids = partial(self.memory.id, self.name, "security-group")
        lacking = firewall.missing(described, rules, caller, ids, alone=alone)
        if not lacking:
            return
        self.memory.described.pop("security-group", None)
        try:
            self.site.post("network", "/security-group-rules", {"security_group_rules": lacking})
        except CallError as error:
            if error.kind != "there":
                raise
            # One of them is in already, and Neutron makes none then. The loop looks again.
            raise NotYetError("the rules of a security group cannot all be seen yet") from error

    def volume(self, volume: Volume) -> None:
        """Make a volume, in the zone where the name's machines are if the file names zones."""
        wish = marks.wish(self.name, volume.name, volume.snapshot, *sorted(self.memory.seen))
        there = self._volumes_of(wish) if self._tried(wish) else []
        made = there[0] if there else self._post_volume(self._volume_request(volume, wish))
        self.memory.ids["volume", volume.name] = str(made["id"])

    def _volumes_of(self, wish: str) -> list[dict[str, Any]]:
        every = observe.volumes(self.site, self.name)
        return [one for one in every if marks.metadata(one).get(marks.WISH) == wish]

    def _volume_request(self, volume: Volume, wish: str) -> dict[str, Any]:
        held = {
            **marks.users(self.users),
            **volume_marks(self.name, volume),
            marks.WISH: wish,
        }
        asked: dict[str, Any] = {
            "name": f"{self.name}-{volume.name}",
            "size": int(volume.size_gib),
            "metadata": held,
        }
        if volume.type:
            asked["volume_type"] = volume.type
        if volume.snapshot:
            asked["imageRef"] = volume.snapshot
        if self.zones:
            asked["availability_zone"] = self.memory.zone or self.zones[0]
        return asked

    def _post_volume(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Make it; Cinder's zones have other names than Nova's at many sites."""
        try:
            made: dict[str, Any] = self.site.post("block-storage", "/volumes", {"volume": asked})
        except CallError as error:
            if "availability_zone" not in asked or error.kind != "file":
                raise
            asked = {k: v for k, v in asked.items() if k != "availability_zone"}
            made = self.site.post("block-storage", "/volumes", {"volume": asked})
        volume: dict[str, Any] = made["volume"]
        return volume

    def address(self, address: Address) -> None:
        """Get a floating address. Raises CapacityError where the pool has none left."""
        mark = marks.description(self.name, address.name)
        there = []
        if self._tried(mark):
            every = observe.floats(self.site, self.name)
            there = [one for one in every if one.get("description") == mark]
        asked = {"floating_network_id": self.network().pool, "description": mark}
        made = (
            there[0]
            if there
            else self.site.post("network", "/floatingips", {"floatingip": asked})["floatingip"]
        )
        self.memory.ids["address", address.name] = str(made["id"])

    def _tried(self, wish: str) -> bool:
        """Tell whether this process asked for it already since its last look, and note it."""
        before = wish in self.memory.posted
        self.memory.posted.add(wish)
        return before


def volume_marks(name: str, volume: Volume) -> dict[str, str]:
    """Return the marks of a volume."""
    return {
        marks.NAME: name,
        marks.NODE: volume.name,
        marks.HOLDER: volume.holder,
        marks.MOUNT: volume.mount,
        marks.SLOT: str(volume.slot),
    }
