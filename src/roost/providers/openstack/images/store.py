"""Baked images: machines whose set-up is done, and nothing personal in them.

They carry the mark ``~images`` instead of a name. Nova hands the marks of an image on to machines
that start from it, and to the images of these, which may hold what is personal. So an image counts
as baked only where Nova says that it is of the very helper that its marks name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from roost.errors import UsageError
from roost.model.images import BakedImage
from roost.providers.openstack import copies, marks
from roost.providers.openstack.failures import CallError, translated

if TYPE_CHECKING:
    from roost.model.images import BakeRequest
    from roost.model.resources import Instance, Role
    from roost.providers.openstack.client import Site
    from roost.providers.openstack.flavors import Flavor
    from roost.providers.openstack.images.build import GlanceImageBuild
    from roost.providers.openstack.network import Network

IMAGES = "~images"
"""In place of a name, in the marks of all that has to do with images."""
BAKED, COPY, HELPER = "baked", "source image", "helper"
"""What is the image itself, the copy of the machine's disk, and what cleans it."""
RECIPE, SYSTEM, MADE_FROM = "roost_recipe", "roost_system", "roost_made_from"
CLEANED_BY = "roost_cleaned_by"
"""The server whose disk a baked image is."""
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")

Described = Mapping[str, Any]


# --- pure ----------------------------------------------------------------------------------------


def role_of(one: Described) -> str:
    """Return what an image is in a baking: BAKED, COPY; "" for all others."""
    role = one.get(marks.ROLE)
    server = {BAKED: one.get(CLEANED_BY), COPY: one.get(marks.SOURCE)}.get(str(role))
    ours = one.get(marks.NAME) == IMAGES and bool(one.get(marks.NODE))
    is_here = one.get("status") not in copies.GONE
    return str(role) if ours and is_here and server and server == one.get("instance_uuid") else ""


def baked_images(every: Iterable[Described], region: str) -> tuple[BakedImage, ...]:
    """Return the baked ones of what Glance describes, by name and then the newest first."""
    baked = [_parse(one, region) for one in every if role_of(one) == BAKED]
    return tuple(sorted(baked, key=lambda i: (i.name, -i.made.timestamp(), i.id)))


def _parse(one: Described, region: str) -> BakedImage:
    arch = str(one.get("architecture") or "x86_64")
    return BakedImage(
        name=str(one[marks.NODE]),
        id=str(one["id"]),
        region=region,
        state=copies.STATES.get(str(one.get("status")), "unknown"),
        arch={"amd64": "x86_64", "aarch64": "arm64"}.get(arch, arch),
        system=str(one.get(SYSTEM) or ""),
        recipe=str(one.get(RECIPE) or ""),
        made_from=str(one.get(MADE_FROM) or ""),
        root_device="",
        size_gib=copies.number(one.get("min_disk")),
        made=datetime.fromtimestamp(marks.seconds(one.get("created_at")), UTC),
        origin=str(one.get(marks.SOURCE) or ""),
        encrypted=False,
    )


def best(
    every: Iterable[dict[str, Any]], first: Instance, digest: str, disk_gib: float
) -> dict[str, Any] | None:
    """Return the newest image with what a machine would install, if it fits on that disk."""
    fit = [
        one
        for one in every
        if role_of(one) == BAKED
        and one.get("status") == "active"
        and one.get(RECIPE) == digest
        and _parse(one, "").arch == first.shape.arch
        and (not disk_gib or copies.number(one.get("min_disk")) <= disk_gib)
    ]
    return max(fit, key=lambda one: (str(one.get("created_at")), str(one["id"])), default=None)


def for_launch(
    every: list[dict[str, Any]], record: str | None, first: Instance, disk_gib: float
) -> dict[str, Any] | None:
    """Return the image to start from instead of the system's; None: there is none.

    A machine that was parked comes back from the image that its shape names by its id.
    """
    parked = UUID.fullmatch(first.shape.image)
    if parked or not record or not any(map(role_of, every)):
        return None
    return best(every, first, digest_of(record, first.role), disk_gib)


def digest_of(record: str, role: Role) -> str:
    """Return the digest of what the machines of a role install, by the file in the record."""
    from roost.recipes.digest import recipe_digest
    from roost.spec import from_json

    return recipe_digest(from_json(record), role)


# --- effects -------------------------------------------------------------------------------------


def describe(site: Site, name: str | None = None) -> list[dict[str, Any]]:
    """Return the images of one baking, or of all, of this project."""
    named = [(marks.NODE, name)] if name else []
    asked = [(marks.NAME, IMAGES), *named, ("owner", site.project), ("limit", "1000")]
    every = site.every("image", "/images", "images", asked)
    return [one for one in every if role_of(one) and name in (None, one[marks.NODE])]


@dataclass(frozen=True, slots=True, eq=False)
class GlanceImages:
    """Fulfils ``roost.providers.images.Images`` at one site."""

    site: Site
    region: str
    network: Callable[[], Network]
    flavors: Callable[[], tuple[Flavor, ...]]
    sleep: Callable[[float], None]
    wall: Callable[[], datetime]

    def build(self, request: BakeRequest, *, whole: bool = False) -> GlanceImageBuild:
        """Open one image in the making; ``whole``: each look sees all of it, to clean up."""
        from roost.providers.openstack.images.build import GlanceImageBuild
        from roost.providers.openstack.images.steps import BakeSteps

        steps = BakeSteps(self.site, request, self.network, self.flavors)
        return GlanceImageBuild(steps, self.region, self.sleep, self.wall, whole)

    def all(self) -> tuple[BakedImage, ...]:
        """Return every baked image. Raises RoostError."""
        with translated(f"list the images at {self.region}"):
            return baked_images(describe(self.site), self.region)

    def unfinished(self) -> tuple[str, ...]:
        """Return the images that a killed roost left unfinished."""
        with translated(f"list the images at {self.region}"):
            every = [one for one in describe(self.site) if role_of(one) == COPY]
        return tuple(sorted(f"{one[marks.NODE]} (of {one.get(MADE_FROM, '?')})" for one in every))

    def check_copy(self, image: BakedImage, name: str) -> NoReturn:
        """Raise UsageError: sites do not exchange images."""
        raise UsageError(
            f"image {image.name} cannot be copied to {self.region} as {name}: one site of OpenStack"
            " does not take images of another",
            next="roost image bake NAME   (of a machine at that site)",
        )

    def copy(self, image: BakedImage, name: str, key: str | None) -> NoReturn:
        """Raise UsageError."""
        del key
        self.check_copy(image, name)

    def check_account(self, account: str) -> None:
        """Raise UsageError where this can be no project."""
        if not UUID.fullmatch(account):
            raise UsageError(
                f'"{account}" is no id of a project: that has 32 digits and letters a to f',
                next="openstack project show NAME   (says it)",
            )

    def share(self, image: BakedImage, account: str, *, remove: bool = False) -> None:
        """Let another project of the site start machines from it, or end that.

        That project sees it once it has accepted it, or names it by its id.
        """
        members = f"/images/{image.id}/members"
        with translated(f"share image {image.name}"):
            if remove:
                self.site.delete("image", f"{members}/{account}")
                return
            change = [{"op": "replace", "path": "/visibility", "value": "shared"}]
            self.site.call("PATCH", "image", f"/images/{image.id}", body=change)
            try:
                self.site.post("image", members, {"member": account})
            except CallError as error:
                if error.status != 409:  # it is one already
                    raise

    def remove(self, image: BakedImage) -> None:
        """Delete it."""
        with translated(f"delete image {image.name}"):
            self.site.delete("image", f"/images/{image.id}")
