"""Another flavor for machines: what a site refuses is told before anything stops.

Nova makes the machine anew beside the old one, and keeps both until somebody confirms that, or goes
back. It does so with machines that are off, and not with those that are shelved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from roost.errors import CapacityError, CloudError, UsageError
from roost.model.resources import Shape
from roost.providers.openstack import parse
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import CallError, fault_of
from roost.providers.openstack.flavors import MIB, Flavor

PAUSE = 3.0
MOST_PAUSES = 400
"""Twenty minutes: a disk is copied to another host, where hosts share none."""

MOVING = ("RESIZE", "REVERT_RESIZE", "SHELVED", "BUILD")
"""States that end by themselves."""


# --- pure ----------------------------------------------------------------------------------------


def why_not(server: dict[str, Any], new: Flavor, image: dict[str, Any]) -> Iterator[str]:
    """Yield what does not fit between a server with its image, and a flavor."""
    if not isinstance(server.get("image"), dict):
        return  # it boots from a volume, which stays as it is
    now = parse.flavor_of(server)
    if not new.disk_gib:
        yield f"{new.name} has no disk of its own, and its machine boots from one"
    elif new.disk_gib < float(now.get("disk") or 0):
        yield f"{new.name} has a disk of {new.disk_gib:g} GB, and it has {now['disk']} GB"
    if new.disk_gib and new.disk_gib < float(image.get("min_disk") or 0):
        yield f"its image needs a disk of {image['min_disk']} GB"
    if new.memory_gib * MIB < float(image.get("min_ram") or 0):
        yield f"its image needs {image['min_ram']} MB of memory"


# --- effects -------------------------------------------------------------------------------------


def check(site: Site, servers: Iterable[dict[str, Any]], new: Flavor) -> None:
    """Raise UsageError with all reasons why these cannot have that flavor. A call for an image."""
    there = [*servers]
    used = {str(s["image"]["id"]) for s in there if isinstance(s.get("image"), dict)}
    needs = {one: _image(site, one) for one in used}
    found = [
        reason
        for server in there
        for reason in why_not(
            server, new, needs.get(str((server.get("image") or {}).get("id")), {})
        )
    ]
    if found:
        raise UsageError(
            "; ".join(dict.fromkeys(found)),
            next="another type   (all of them: openstack flavor list)",
        )


def _image(site: Site, image: str) -> dict[str, Any]:
    """Return an image; nothing where it was deleted since the machine was made."""
    try:
        found = site.get("image", f"/images/{image}")
    except CallError as error:
        if error.kind not in ("absent", "access"):
            raise
        found = None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Resize:
    """Changes the flavor of machines that are off."""

    site: Site
    flavor: Callable[[Shape], Flavor]

    def run(self, name: str, server: str, shape: Shape) -> None:
        """Make it so, and leave the machine off. Raises RoostError.

        A killed roost may have done a part: it goes on from what is there.
        """
        new = self.flavor(shape)
        found = self._settled(server)
        if found.get("status") == "SHELVED_OFFLOADED":
            self._act(server, {"unshelve": None})
            found = self._settled(server)
        if found.get("status") == "ACTIVE":
            self._act(server, {"os-stop": None})
            found = self._settled(server)
        if found.get("status") == "SHUTOFF" and not _has(found, new):
            self._act(server, {"resize": {"flavorRef": new.id}})
            found = self._settled(server)
        if found.get("status") == "VERIFY_RESIZE":
            found = self._confirm(server)
        if not _has(found, new):
            raise self._refused(name, server, found, new)

    def _confirm(self, server: str) -> dict[str, Any]:
        """Confirm, which frees the old place; where that is refused, go back to it."""
        try:
            self._act(server, {"confirmResize": None})
        except CallError as error:
            if error.kind in ("busy", "pending"):
                raise
            self._act(server, {"revertResize": None})
        return self._settled(server, "VERIFY_RESIZE")

    def _refused(self, name: str, server: str, found: dict[str, Any], new: Flavor) -> CloudError:
        """Return why a machine has another flavor still: Nova says it in its list of actions."""
        if found.get("status") == "ERROR":
            return CloudError(f"{name} could not become {new.name}: {fault_of(found)}")
        return CapacityError(
            f"{name} could not become {new.name}: the site found no place for it, and it is as it"
            " was",
            next="the same command, later; or another type",
        )

    def _act(self, server: str, action: dict[str, Any]) -> None:
        self.site.post("compute", f"/servers/{server}/action", action)

    def _settled(self, server: str, leaves: str = "") -> dict[str, Any]:
        """Return the server once Nova does nothing to it, in another state than it ``leaves``.

        Raises CloudError where that lasts.
        """
        for _ in range(MOST_PAUSES):
            found: dict[str, Any] = self.site.get("compute", f"/servers/{server}")["server"]
            moving = found.get("status") in (*MOVING, leaves)
            if found.get("OS-EXT-STS:task_state") is None and not moving:
                return found
            self.site.sleep(PAUSE)
        raise CloudError(
            f"server {server} is {found.get('status')} for twenty minutes",
            next="the same command goes on from there",
        )


def _has(server: dict[str, Any], flavor: Flavor) -> bool:
    return bool(parse.flavor_of(server).get("original_name") == flavor.name)
