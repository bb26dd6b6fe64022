"""The changes on a site to what is there: start, stop, attach, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from roost.errors import CapacityError, CloudError, NotYetError, command_line
from roost.model.resources import Address, Kind, Rule, State
from roost.model.steps import (
    Associate,
    Attach,
    CloseRules,
    Delete,
    Reboot,
    Retire,
    Start,
    Step,
    Stop,
    describe,
)
from roost.providers.openstack import firewall, marks, parse
from roost.providers.openstack.addresses import associate
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import CallError, fault_of
from roost.providers.openstack.launch import remove_servers
from roost.providers.openstack.memory import Memory
from roost.providers.openstack.network import Network

Retirer = Callable[[State, tuple[str, ...]], None]
"""Lets workers hand over what they hold, from the state and their names. Raises CloudError."""
STARTS: dict[str, dict[str, Any]] = {
    "SHUTOFF": {"os-start": None},
    "SHELVED": {"unshelve": None},
    "SHELVED_OFFLOADED": {"unshelve": None},
    "PAUSED": {"unpause": None},
    "SUSPENDED": {"resume": None},
    "ERROR": {"reboot": {"type": "HARD"}},
    "RESCUE": {"unrescue": None},
    "VERIFY_RESIZE": {"confirmResize": None},
}
"""The action that makes a server run, by its status."""
PLACES: dict[Kind, tuple[str, str]] = {
    "volume": ("block-storage", "/volumes"),
    "address": ("network", "/floatingips"),
    "security-group": ("network", "/security-groups"),
}


def no_retiring(state: State, names: tuple[str, ...]) -> None:
    """Retire nothing: workers end without handing over."""
    del state, names


@dataclass(frozen=True, slots=True)
class Changes:
    """The effects of one name; ``memory`` has seen it just now."""

    site: Site
    memory: Memory
    name: str
    network: Callable[[], Network]
    retire: Retirer = no_retiring

    def apply(self, step: Step) -> None:
        """Do a step that makes nothing."""
        match step:
            case Start(names):
                self.site.each(self._start, names)
            case Stop(names):
                self.site.each(self._stop, names)
            case Reboot(names):
                self.site.each(lambda one: self._act(one, {"reboot": {"type": "SOFT"}}), names)
            case Retire(names):
                self.retire(self.memory.state or State(name=self.name), names)
            case Attach(pairs):
                holders = dict.fromkeys(instance for _, instance in pairs)
                self.site.each(lambda one: self._attach_all(one, pairs), holders)
            case Associate(addresses):
                self._associate(addresses)
            case CloseRules(group, rules):
                self._close(group, rules)
            case Delete(kind, names):
                self._delete(kind, names)
            case _:
                raise CloudError(f"{describe(step)}: roost cannot do that on OpenStack")

    # --- servers -----------------------------------------------------------------------------

    def _server(self, instance: str) -> dict[str, Any]:
        one = self.memory.id(self.name, "instance", instance)
        return self.memory.by_id("instance", one) or {"id": one}

    def _act(self, instance: str, action: dict[str, Any]) -> None:
        one = self.memory.id(self.name, "instance", instance)
        self.site.post("compute", f"/servers/{one}/action", action)

    def _start(self, instance: str) -> None:
        """Start one, by what its state wants; what never was a machine makes room for another."""
        described = self._server(instance)
        status = str(described.get("status"))
        if parse.never_ran(described):
            self._drop(instance, described)
            return
        if status == "SHELVED_OFFLOADED" and described["id"] in self.memory.unshelved:
            raise CapacityError(  # Nova leaves it as it was, and says nothing
                f"{instance} does not come back from the shelf: the site has no room for it now",
                next=command_line("roost", "start", self.name) + "   (again, later)",
            )
        if status == "SHELVED_OFFLOADED":
            self.memory.unshelved.add(str(described["id"]))
        self._act(instance, STARTS.get(status, {"os-start": None}))

    def _drop(self, instance: str, described: dict[str, Any]) -> None:
        self.memory.note(f"{instance}: the site could not make it: {fault_of(described)}")
        self.site.delete("compute", f"/servers/{described['id']}")

    def _stop(self, instance: str) -> None:
        """Shelve one, which ends what it costs at most sites; else stop it, and say so."""
        described = self._server(instance)
        if parse.never_ran(described):
            self._drop(instance, described)
            return
        if described.get("status") == "ERROR" or described["id"] in self.memory.resized:
            self._act(instance, {"os-stop": None})
            return
        try:
            self._act(instance, {"shelve": None})
        except CallError as error:
            if error.kind not in ("access", "old site", "quota"):
                raise
            self.memory.unshelvable.add(str(described["id"]))
            if described.get("status") != "SHUTOFF":
                self._act(instance, {"os-stop": None})
            self.memory.note(
                f"{instance}: this site does not shelve machines ({error.said[:120]}): it is"
                " stopped, and most sites bill that as if it ran"
            )

    # --- what is joined ----------------------------------------------------------------------

    def _attach_all(self, instance: str, pairs: tuple[tuple[str, str], ...]) -> None:
        """Attach the volumes of one machine, one after the other: Nova does one at a time."""
        for volume, holder in pairs:
            if holder == instance:
                self._attach(volume, instance)

    def _attach(self, volume: str, instance: str) -> None:
        """Attach a volume; the machine is told its id first, by which it finds the disk."""
        server, one = self._server(instance), self.memory.id(self.name, "volume", volume)
        held = marks.metadata(self.memory.by_id("volume", one))
        key = f"{marks.VOLUME}{held.get(marks.SLOT, '0')}"
        if marks.metadata(server).get(key) != one:
            told = {"metadata": {key: one}}
            self.site.post("compute", f"/servers/{server['id']}/metadata", told)
        self.site.post(
            "compute",
            f"/servers/{server['id']}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": one}},
        )

    def _associate(self, addresses: tuple[Address, ...]) -> None:
        servers = {a.holder: self.memory.id(self.name, "instance", a.holder) for a in addresses}
        floats = {a.holder: self.memory.id(self.name, "address", a.name) for a in addresses}
        associate(self.site, self.network(), {floats[one]: servers[one] for one in servers})

    def _close(self, group: str, rules: tuple[Rule, ...]) -> None:
        group_id = self.memory.id(self.name, "security-group", group)
        found = self.site.get("network", f"/security-groups/{group_id}")["security_group"]
        ids = partial(self.memory.id, self.name, "security-group")
        for one in firewall.going(found, rules, ids):
            self.site.delete("network", f"/security-group-rules/{one}")
        self.memory.described.pop("security-group", None)

    # --- what goes ---------------------------------------------------------------------------

    def _delete(self, kind: Kind, names: tuple[str, ...]) -> None:
        if kind == "instance":
            remove_servers(self.site, [self.memory.id(self.name, kind, one) for one in names])
        elif kind == "key-pair":
            self.site.delete("compute", f"/os-keypairs/{marks.title(self.name)}")
            self.memory.described["key-pair"] = []
        elif kind in PLACES:
            service, place = PLACES[kind]
            ids = [self.memory.id(self.name, kind, one) for one in names]
            self.site.each(lambda one: self.site.delete(service, f"{place}/{one}"), ids)
            if kind == "security-group":
                self.memory.described.pop(kind, None)
        else:
            raise NotYetError(f"a {kind} cannot be deleted here")
