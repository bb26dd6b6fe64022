"""One look at a name: a fixed number of calls, all at once, whatever its size.

Names and tags only narrow what the site sends: what is roost's is decided by the marks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from roost.model import nodes
from roost.model.owner import Foreign
from roost.model.record import read_record
from roost.model.resources import (
    Address,
    Image,
    Instance,
    KeyPair,
    SecurityGroup,
    Snapshot,
    State,
    Volume,
)
from roost.providers.callers import Caller, Who, who_looks
from roost.providers.openstack import (
    copies,
    firewall,
    marks,
    parse,
    record,
    record_group,
    s3_copies,
)
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import is_absent
from roost.providers.openstack.memory import Memory

PAGE = ("limit", "1000")


def servers(site: Site, name: str | None = None) -> list[dict[str, Any]]:
    """Return the servers with roost's tag, of a name or all, as Nova describes them."""
    tags = marks.TAG if name is None else f"{marks.TAG},{marks.tag(name)}"
    return site.every("compute", "/servers/detail", "servers", [("tags", tags), PAGE])


def volumes(site: Site, name: str) -> list[dict[str, Any]]:
    """Return the volumes with the name's mark, as Cinder describes them."""
    mine = ("metadata", f"{{'{marks.NAME}': '{name}'}}")
    return site.every("block-storage", "/volumes/detail", "volumes", [mine, PAGE])


def floats(site: Site, name: str) -> list[dict[str, Any]]:
    """Return the name's floating addresses; Neutron cannot search in descriptions."""
    every = site.every("network", "/floatingips", "floatingips", [("project_id", site.project)])
    return [f for f in every if marks.read_description(f.get("description"))[0] == name]


def groups(site: Site, name: str) -> list[dict[str, Any]]:
    """Return the name's security groups, with their rules; one may keep its record."""
    both = (name, nodes.gateway_firewall(name))
    named = [*(("name", marks.title(one)) for one in both), ("project_id", site.project)]
    every = site.every("network", "/security-groups", "security_groups", named)
    return [g for g in every if marks.read_description(g.get("description"))[0] == name]


def kept_of(images: list[dict[str, Any]], groups: list[dict[str, Any]], name: str) -> record.Kept:
    """Return what is kept of a name: by the oldest image that is its record, or by a group."""
    if images:
        return record.read(images[0])
    kept = [record_group.read(g) for g in groups if record_group.is_record(g, name)]
    return kept[0] if kept else record.Kept()


def key_pair(site: Site, name: str) -> list[dict[str, Any]]:
    """Return the user's key pair of that name, in a list."""
    try:
        found = site.get("compute", f"/os-keypairs/{marks.title(name)}")
    except Exception as error:
        if not is_absent(error):
            raise
        return []
    return [found["keypair"]] if isinstance(found, dict) and "keypair" in found else []


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one name; ``caller`` gives who looks, and is asked only if needed."""

    site: Site
    memory: Memory
    name: str
    caller: Who

    def state(self) -> State:
        """Return all that the site has of the name."""
        memory = self.memory
        self._ask()
        there = memory.described
        instances = parse.instances(there["instance"], memory.unshelvable)
        names = {i.id: i.name for i in instances}
        holders = {i.private: i.name for i in instances if i.private}
        addresses = parse.addresses(there["address"], holders)
        instances = parse.at_their_floats(instances, addresses)
        state = State(
            name=self.name,
            record=memory.kept.record if memory.kept.id else None,
            key_pairs=tuple(KeyPair(name=self.name) for _ in there["key-pair"]),
            security_groups=parse.security_groups(
                there["security-group"], self._caller(there["security-group"])
            ),
            volumes=(volumes := parse.volumes(there["volume"], names, memory.unchanged)),
            instances=self._since_when(instances, volumes),
            addresses=addresses,
            snapshots=copies.snapshots(there["image"]),
            images=copies.images(there["image"]),
            s3_copies=s3_copies.in_record(memory.kept.held),
            whole_copies=True,
            backups=memory.kept.backups,
            backups_unread=memory.kept.unread,
            owner=memory.kept.owner,
            unowned=bool(memory.kept.id) and memory.kept.owner is None,
            foreign=tuple(one for found in memory.foreign.values() for one in found),
            launched=frozenset(memory.launched),
            notes=tuple(memory.notes),
        )
        self._remember(state)
        return replace(state, notes=tuple(memory.notes))

    def _since_when(
        self, instances: tuple[Instance, ...], volumes: tuple[Volume, ...]
    ) -> tuple[Instance, ...]:
        """Return machines with when they last ran, where that says what a copy is worth."""
        sources = {one[marks.SOURCE] for one in self.memory.described["image"]}
        holders = {v.holder for v in volumes if v.id in sources}
        copied = [
            i for i in instances if i.state == "stopped" and (i.id in sources or i.name in holders)
        ]
        since = dict(
            zip(
                [i.id for i in copied],
                self.site.each(lambda i: copies.last_started(self.site, i.id), copied),
                strict=True,
            )
        )
        return tuple(replace(i, started=max(i.started, since.get(i.id, 0))) for i in instances)

    def _ask(self) -> None:
        """Ask for all kinds at once; again only for those that change by themselves."""
        memory = self.memory
        asked: dict[Any, Callable[[], list[dict[str, Any]]]] = {
            "instance": lambda: servers(self.site, self.name),
            "volume": lambda: volumes(self.site, self.name),
            "address": lambda: floats(self.site, self.name),
            "image": lambda: copies.find(self.site, self.name),
        }
        if "security-group" not in memory.described:
            asked["security-group"] = lambda: groups(self.site, self.name)
        if "key-pair" not in memory.described:
            asked["key-pair"] = lambda: key_pair(self.site, self.name)
        if memory.looked:  # nothing of a kind appears that this process did not make
            for kind in ("volume", "address", "image"):
                if not memory.described.get(kind) and not any(k == kind for k, _ in memory.ids):
                    del asked[kind]
        else:
            asked["record"] = lambda: record.find(self.site, self.name)
        self.site.connection  # noqa: B018 - made by one thread, before many use it
        with ThreadPoolExecutor(len(asked)) as pool:
            futures = {kind: pool.submit(ask) for kind, ask in asked.items()}
        found = {kind: future.result() for kind, future in futures.items()}
        if (images := found.pop("record", None)) is not None:
            memory.kept = kept_of(images, found["security-group"], self.name)
        if (every := found.get("security-group")) is not None:
            found["security-group"] = [g for g in every if not record_group.is_record(g)]
        others: list[Foreign]
        if "instance" in found:
            found["instance"], others = parse.sort_servers(found["instance"], self.name)
            memory.foreign["instance"] = others
        if "volume" in found:
            found["volume"], others = parse.sort_volumes(found["volume"], self.name)
            memory.foreign["volume"] = others
        memory.described |= found
        memory.described.setdefault("volume", [])
        memory.described.setdefault("address", [])
        memory.described.setdefault("image", [])
        memory.looked = True

    def _remember(self, state: State) -> None:
        memory = self.memory
        memory.posted.clear()
        kinds = ("instance", "volume", "address", "security-group", "snapshot", "image")
        memory.ids = {key: one for key, one in memory.ids.items() if key[0] not in kinds}
        for resource in state.resources:
            if isinstance(resource, Instance | Volume | Address | SecurityGroup):
                memory.ids[resource.kind, resource.name] = resource.id
                memory.seen.add(resource.id)
            elif isinstance(resource, Snapshot | Image):
                memory.ids[resource.kind, resource.name] = resource.name
        running = {i.id for i in state.instances if i.state == "running"}
        memory.begun -= running
        memory.unshelved -= running
        heads = [i for i in state.instances if i.role == "head" and i.state != "deleting"]
        memory.state, memory.head = state, heads[-1].private if heads else None

    def _caller(self, groups: list[Any]) -> Caller:
        """Return who looks; only who opens a way in must be known, and asks again."""
        if not groups:
            return Caller()
        recorded, people = read_record(self.memory.kept.record), firewall.lets_people_in(groups)
        return who_looks(recorded, self.caller, people=people)
