"""The site's images: the newest that is the system which a file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from roost.errors import UsageError
from roost.providers.openstack import marks
from roost.providers.openstack.client import Site

if TYPE_CHECKING:
    from roost.providers.openstack.flavors import Flavor

Described = Mapping[str, Any]
SHOWN = 12
ARCHES = {"amd64": "x86_64", "arm64": "aarch64"}


def find_image(site: Site, image: str, arch: str = "x86_64") -> dict[str, Any]:
    """Return the image of that id or name, or the newest of that system. Raises UsageError."""
    return choose(list_images(site), image, arch)


def list_images(site: Site) -> list[dict[str, Any]]:
    """Return the images that the project sees, the newest first. One call."""
    asked = [("status", "active"), ("sort", "created_at:desc")]
    return site.every("image", "/images", "images", asked)


def choose(every: Iterable[dict[str, Any]], image: str, arch: str = "x86_64") -> dict[str, Any]:
    """Return the image that is meant: by its id, by its whole name, or by its system. Pure.

    The site's own come first: in a project that many share, anybody can call an image as the site
    calls its. The copy of a machine's disk is meant by its id only. Raises UsageError, naming what
    there is.
    """
    listed = [*every]
    usable = [one for one in listed if _usable(one, arch)]
    itself = [one for one in listed if image == one.get("id")]
    named = [one for one in usable if image == one.get("name")]
    system = [one for one in usable if is_system(one, image)]
    for among in (itself, _public(named), _public(system), named, system):
        if among:
            return max(among, key=lambda one: str(one.get("created_at")))
    names = dict.fromkeys(str(one.get("name"))[:60] for one in usable)
    shown = ", ".join([*names][:SHOWN]) + (" ..." if len(names) > SHOWN else "")
    raise UsageError(
        f'this site has no image "{image}"; it has {shown or "none"}',
        next="image = ... in the file: the name or id of one   (all: openstack image list)",
    )


def _public(images: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those that only the site's administrators can make."""
    return [one for one in images if one.get("visibility") == "public"]


def _usable(image: Described, arch: str) -> bool:
    """Tell whether a machine can start from an image: whole, of its processor, and a system."""
    kind = str(image.get("architecture") or "")
    same = ARCHES.get(kind, kind) in ("", arch)
    whole = image.get("status") == "active" and image.get("os_hidden") is not True
    is_copy = image.get("image_type") == "snapshot" or image.get(marks.ROLE) is not None
    return whole and same and not is_copy


def check_room(image: Described, flavor: Flavor) -> None:
    """Raise UsageError where a flavor is too small for an image: Nova would refuse it."""
    disk, memory = float(image.get("min_disk") or 0), float(image.get("min_ram") or 0) / 1024
    if flavor.memory_gib < memory or (flavor.disk_gib and flavor.disk_gib < disk):
        raise UsageError(
            f"the image {str(image.get('name'))[:80]} needs {disk:g} GB of disk and {memory:g} GiB"
            f" of memory, more than {flavor.text} with {flavor.disk_gib:g} GB",
            next="a larger `type`, `disk` or `memory` in the file",
        )


def is_system(image: Described, system: str) -> bool:
    """Tell whether an image is a system: ``"debian-12"`` by its properties, or by its name.

    Sites call it "Debian 12 (bookworm)", "EGI Debian 12", "egi_vm_images/debian:12" and so on.
    """
    distro, _, version = system.lower().partition("-")
    held = (str(image.get("os_distro") or "").lower(), str(image.get("os_version") or "").lower())
    if held[0] and held[1]:
        return held[0] == distro and (held[1] == version or held[1].startswith(f"{version}."))
    name = str(image.get("name") or "").lower()[:200]
    between = r"[\s:_/-]*(linux|server|gnu/linux)?[\s:_/-]*v?"
    pattern = rf"(^|[^a-z]){re.escape(distro)}{between}{re.escape(version)}($|[^0-9.]|\.\d)"
    return bool(version) and re.search(pattern, name) is not None
