"""The launch of machines: one call for all of a role, and the next zone where there is no room.

Nova makes servers behind its answer, and says only later that no host has room. So a launch waits
until all of them have found a host, or not; those that could not be made are deleted, and their
fault is said. There are no tokens for repeated calls: a wish's digest is in the metadata of what it
makes, and where an answer was lost, it is looked for before anything is asked for again.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roost.errors import (
    CapacityError,
    NotYetError,
    QuotaError,
    RoostError,
    UsageError,
    command_line,
)
from roost.model import nodes
from roost.model.resources import GATEWAY, STATELESS, Instance
from roost.providers.openstack import marks, observe, parse
from roost.providers.openstack.failures import fault_of, of_fault, translated

if TYPE_CHECKING:
    from roost.providers.openstack.create import Maker
    from roost.providers.openstack.flavors import Flavor

UserData = Callable[[tuple[Instance, ...], str | None], bytes | None]
"""What machines are started with, given the head's private address."""
USER_DATA_LIMIT = 65_535
"""Characters of user-data that Nova takes, in base64."""
PATIENCE = 120.0
"""Seconds in which Nova's scheduler says where a server goes, or that there is no room."""
PAUSES = (1.0, 1.0, 2.0, 3.0, 5.0)
LEAST_DISK = 10


@dataclass(frozen=True, slots=True)
class Rung:
    """One try: this flavor, in this zone; "" is the site's own choice."""

    type: str
    zone: str

    def __str__(self) -> str:
        return f"{self.type} in {self.zone}" if self.zone else self.type


@dataclass(slots=True)
class Launch:
    """The launch of one batch: machines of one role and shape."""

    maker: Maker
    instances: tuple[Instance, ...]

    @property
    def _first(self) -> Instance:
        return self.instances[0]

    def run(self) -> None:
        """Launch all of them; of workers as many as there is room for.

        Nova makes all of a launch or none, so where it has no room for all workers, half as many
        are tried. Raises CapacityError or QuotaError, saying what was tried.
        """
        memory = self.maker.memory
        if self._first.role == "worker" and memory.head is None:
            raise NotYetError("the workers wait until their head has an address")
        rest, size = self.instances, len(self.instances)
        while rest:
            why = self._climb(rest[:size])
            if why is None:
                rest, size = rest[size:], min(size, len(rest) - size)
            elif self._first.role == "worker" and size > 1:
                size //= 2
            else:
                raise self._no_room(len(rest), why)

    def _climb(self, batch: tuple[Instance, ...]) -> list[RoostError] | None:
        """Try the rungs in order, until one has room for all; else return why none had."""
        rungs, why = self._ladder(), list[RoostError]()
        for number, rung in enumerate(rungs):
            try:
                with translated(f"launch {len(batch)} x {rung}"):
                    self._try(rung, batch)
            except (CapacityError, QuotaError) as error:
                why.append(error)
                if number + 1 < len(rungs):
                    then = f"no room for {rung}: trying {rungs[number + 1]}"
                    self.maker.memory.note(f"{self._first.role}: {then}")
            else:
                return None
        return why

    def _no_room(self, left: int, why: list[RoostError]) -> RoostError:
        said = "; ".join(dict.fromkeys(error.what for error in why))
        quota = next((error for error in why if isinstance(error, QuotaError)), None)
        if quota is not None and left == len(self.instances):
            return QuotaError(said, next=quota.next)
        if len(self.instances) > 1:
            said = f"no room for {left} of {len(self.instances)}: {said}"
        more = "with more `types` or zones in the file there is more room"
        again = command_line("roost", "up", self.maker.name) + f"   (tries again; {more})"
        return CapacityError(said, next=again)

    def _ladder(self) -> tuple[Rung, ...]:
        """Return the tries in order: the first zone before the next; what the file names first.

        A machine that holds data stays in the zone of its name.
        """
        zones, here = self.maker.zones, self.maker.memory.zone
        if here is not None and zones:
            others = tuple(z for z in zones if z != here) if self._first.role in STATELESS else ()
            zones = (here, *others)
        shape = self._first.shape
        return tuple(
            Rung(one, zone) for zone in zones or ("",) for one in (shape.type, *shape.others)
        )

    def _try(self, rung: Rung, batch: tuple[Instance, ...]) -> None:
        """Launch on one rung, and wait until every server has found a host.

        Raises RoostError where some could not be made: these are deleted again.
        """
        maker, memory = self.maker, self.maker.memory
        names = nodes.launch([i.name for i in batch])
        wish = marks.wish(maker.name, names, rung, *sorted(memory.seen))
        there = self._made_by(wish) if wish in memory.posted else []
        memory.posted.add(wish)
        if not there:
            maker.site.post("compute", "/servers", self._request(rung, batch, wish))
        self._wait_for_hosts(wish)

    def _made_by(self, wish: str) -> list[dict[str, Any]]:
        """Return the servers that a wish made."""
        every = observe.servers(self.maker.site, self.maker.name)
        ours, _ = parse.sort_servers(every, self.maker.name)
        return [one for one in ours if marks.metadata(one).get(marks.WISH) == wish]

    def _wait_for_hosts(self, wish: str) -> None:
        maker, memory = self.maker, self.maker.memory
        begun = time.monotonic()
        for pause in (*PAUSES, *[PAUSES[-1]] * 1000):
            maker.site.sleep(pause)
            there = self._made_by(wish)
            failed = [one for one in there if parse.never_ran(one)]
            waiting = [one for one in there if self._is_waited_for(one)]
            late = time.monotonic() - begun > PATIENCE
            if failed or (there and not waiting) or late:
                break
        memory.launched |= {str(one["id"]) for one in there}
        memory.begun |= {str(one["id"]) for one in there}
        if failed:
            raise self.give_up(failed, there)
        if not there:
            raise NotYetError(f"{self._first.name} cannot be seen yet")
        for one in there:
            mark = marks.read_server(one)
            memory.ids["instance", mark.node] = str(one["id"])
            if mark.role == "head":
                memory.head = parse.addresses_of(one)[0]

    @staticmethod
    def _is_waited_for(described: dict[str, Any]) -> bool:
        """Tell whether Nova has not said yet where a server goes; of a head, its address.

        Workers are told the address of theirs, and begin as soon as it is known.
        """
        if described.get("status") != "BUILD":
            return False
        is_head = marks.read_server(described).role == "head"
        waits = described.get("OS-EXT-STS:task_state") in (None, "scheduling")
        return waits or (is_head and not parse.addresses_of(described)[0])

    def give_up(self, failed: list[dict[str, Any]], there: list[dict[str, Any]]) -> RoostError:
        """Delete what the site could not make, and return why; what runs stays.

        Where none was ever made, those that still wait for a host go too: they would fail alike.
        """
        running = [one for one in there if one.get("OS-SRV-USG:launched_at")]
        gone = failed if running else there
        remove_servers(self.maker.site, [str(one["id"]) for one in gone])
        self.maker.memory.begun -= {str(one["id"]) for one in gone}
        self.maker.memory.seen |= {str(one["id"]) for one in gone}  # the next wish is another
        name = marks.read_server(failed[0]).node
        return of_fault(name, fault_of(failed[0]))

    def _request(self, rung: Rung, batch: tuple[Instance, ...], wish: str) -> dict[str, Any]:
        """Return the request of one launch; all of its servers get the same one."""
        maker, first = self.maker, batch[0]
        shape = replace(first.shape, type=rung.type)
        flavor = maker.flavor(shape)
        image = maker.image(first, flavor)
        held = {
            **marks.users(maker.users),
            marks.NAME: maker.name,
            marks.NODE: nodes.launch([i.name for i in batch]),
            marks.ROLE: first.role,
            marks.PRINT: first.fingerprint,
            marks.WISH: wish,
        }
        server: dict[str, Any] = {
            "name": f"{maker.name}-{first.role if len(batch) > 1 else first.name}",
            "flavorRef": flavor.id,
            "imageRef": image["id"],
            "key_name": marks.title(maker.name),
            "networks": [{"uuid": maker.network().id}],
            "security_groups": [{"name": one} for one in self._firewalls()],
            "metadata": held,
            "tags": [marks.TAG, marks.tag(maker.name)],
            "config_drive": True,
            "min_count": len(batch),
            "max_count": len(batch),
        }
        if rung.zone:
            server["availability_zone"] = rung.zone
        if not flavor.disk_gib:
            del server["imageRef"]
            server["block_device_mapping_v2"] = [self._root_volume(flavor, image)]
        data = maker.user_data(batch, maker.memory.head) if maker.user_data else None
        if data is not None:
            server["user_data"] = encoded(maker.name, data)
        return {"server": server}

    def _firewalls(self) -> list[str]:
        """Return the ids of the firewalls around these machines: a gateway has one of its own."""
        maker, names = self.maker, [self.maker.name]
        if self._first.role == GATEWAY:
            names.append(nodes.gateway_firewall(maker.name))
        return [maker.memory.id(maker.name, "security-group", one) for one in names]

    def _root_volume(self, flavor: Flavor, image: dict[str, Any]) -> dict[str, Any]:
        """Return the disk of a flavor that has none: a volume that goes with its server."""
        asked = max(self._first.shape.disk_gib, float(image.get("min_disk") or 0), LEAST_DISK)
        return {
            "boot_index": 0,
            "uuid": image["id"],
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": int(asked),
            "delete_on_termination": True,
        }


def encoded(name: str, data: bytes) -> str:
    """Return user-data as Nova takes it. Raises UsageError where it is too long."""
    text = base64.b64encode(data).decode()
    if len(text) > USER_DATA_LIMIT:
        raise UsageError(
            f"{name}: user-data of {len(text)} characters; Nova takes {USER_DATA_LIMIT}"
        )
    return text


def remove_servers(site: Any, ids: list[str]) -> None:
    """Delete servers, each by a call of its own: Nova has none for many."""
    site.each(lambda one: site.delete("compute", f"/servers/{one}"), ids)
