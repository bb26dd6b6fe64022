"""The steps of baking at a site, one at a time. Everything is marked by the call that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roost.errors import CapacityError, CloudError, command_line
from roost.model.images import BakeStep
from roost.providers.openstack import copies, marks, observe, parse
from roost.providers.openstack.failures import CallError
from roost.providers.openstack.images.store import (
    BAKED,
    CLEANED_BY,
    COPY,
    HELPER,
    IMAGES,
    MADE_FROM,
    RECIPE,
    SYSTEM,
)
from roost.providers.openstack.launch import encoded
from roost.recipes.baking import user_data

if TYPE_CHECKING:
    from roost.model.images import BakeRequest
    from roost.providers.openstack.client import Site
    from roost.providers.openstack.flavors import Flavor
    from roost.providers.openstack.network import Network

BAKING = "roost_baking"
"""The mark of a machine that ran, and is to run again once its disk is copied."""
LEAST_MEMORY = 1.0
"""GiB that a helper needs, where there are such flavors."""

PLACES = {
    "terminate-helpers": ("compute", "/servers"),
    "delete-firewalls": ("network", "/security-groups"),
    "delete-images": ("image", "/images"),
}
"""Where that is which a step deletes. There are no snapshots beside images."""


@dataclass(slots=True)
class BakeSteps:
    """The effects of one baking; ``described`` is what the site described just before."""

    site: Site
    request: BakeRequest
    network: Callable[[], Network]
    flavors: Callable[[], tuple[Flavor, ...]]
    described: Mapping[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    # --- looking -----------------------------------------------------------------------------

    def helpers(self) -> list[dict[str, Any]]:
        """Return the machines that clean for this image."""
        return [
            one
            for one in observe.servers(self.site, IMAGES)
            if one.get("status") not in parse.GONE
            and (held := marks.metadata(one)).get(marks.NAME) == IMAGES
            and (held.get(marks.NODE), held.get(marks.ROLE)) == (self.request.image, HELPER)
        ]

    def groups(self) -> list[dict[str, Any]]:
        """Return the helper's firewall, in a list."""
        named = [("name", self._title), ("project_id", self.site.project)]
        every = self.site.every("network", "/security-groups", "security_groups", named)
        return [one for one in every if one.get("description") == self._description]

    def console(self, helper: str, lines: int) -> str:
        """Return the end of a helper's console; "" where there is none yet."""
        asked = {"os-getConsoleOutput": {"length": lines}}
        try:
            answer = self.site.post("compute", f"/servers/{helper}/action", asked)
        except CallError as error:
            if error.kind not in ("pending", "absent"):
                raise
            answer = None
        return str((answer or {}).get("output") or "")

    @property
    def _title(self) -> str:
        return f"roost-image-{self.request.image}"

    @property
    def _description(self) -> str:
        return f"roost: the helper that bakes image {self.request.image}"

    # --- doing -------------------------------------------------------------------------------

    def do(self, step: BakeStep, described: Mapping[str, list[Any]]) -> None:
        """Do one step; each can be done again after a kill in its middle."""
        self.described = described
        match step.verb:
            case "copy-disk":
                self._copy_disk()
            case "create-firewall":
                self._create_firewall()
            case "launch-helper":
                self._launch(step.ids[0])
            case "create-image":
                self._image_of(*step.ids)
            case "mark-restart" | "stop" | "start" | "unmark-restart":
                self._change_machine(step)
            case _:
                service, place = PLACES[step.verb]
                for one in step.ids:
                    self.site.delete(service, f"{place}/{one}")

    def _change_machine(self, step: BakeStep) -> None:
        """Stop the user's own machine, or start it again."""
        path = f"/servers/{step.ids[0]}"
        match step.verb:
            case "mark-restart":
                told = {"metadata": {BAKING: self.request.image}}
                self.site.post("compute", f"{path}/metadata", told)
            case "unmark-restart":
                self.site.delete("compute", f"{path}/metadata/{BAKING}")
            case "stop":
                self.site.post("compute", f"{path}/action", {"os-stop": None})
            case "start":
                self.site.post("compute", f"{path}/action", {"os-start": None})

    def _copy_disk(self) -> None:
        """Copy the machine's own disk. Raises CloudError where the site has no way to."""
        (machine,) = self.described["machine"]
        name = self.request.spec.name
        if not isinstance(machine.get("image"), dict):
            raise CloudError(
                f"{self.request.made_from} boots from a volume, of which roost makes no image",
                next="a type with a disk of its own in the file   (openstack flavor list)",
            )
        if machine.get("status") in parse.FREE:
            raise CloudError(
                f"{self.request.made_from} is shelved: its disk is on no host that could copy it",
                next=command_line("roost", "start", name) + ", then the same command",
            )
        self._create_image(machine, self._marks(COPY, self.request.instance))

    def _image_of(self, helper: str, source: str) -> None:
        """Make an image of the cleaned disk; with the marks of the copy before it."""
        (machine,) = (h for h in self.described["helper"] if h["id"] == helper)
        (copy,) = (one for one in self.described["image"] if one["id"] == source)
        held = self._marks(BAKED, source) | {
            key: str(copy[key]) for key in (RECIPE, SYSTEM, MADE_FROM) if copy.get(key)
        }
        self._create_image(machine, {**held, CLEANED_BY: helper})

    def _create_image(self, machine: Mapping[str, Any], held: Mapping[str, str]) -> None:
        asked = {"name": self._title, "metadata": dict(held)}
        self.site.post("compute", f"/servers/{machine['id']}/action", {"createImage": asked})

    def _marks(self, role: str, origin: str) -> dict[str, str]:
        request = self.request
        return {
            **marks.users(request.spec.tags),
            marks.NAME: IMAGES,
            marks.NODE: request.image,
            marks.ROLE: role,
            marks.SOURCE: origin,
            RECIPE: request.recipe,
            SYSTEM: request.system,
            MADE_FROM: request.made_from,
        }

    # --- the helper --------------------------------------------------------------------------

    def _create_firewall(self) -> None:
        """Create a firewall of the helper's own: nothing may enter."""
        if not self.groups():
            asked = {"name": self._title, "description": self._description}
            self.site.post("network", "/security-groups", {"security_group": asked})

    def _launch(self, source: str) -> None:
        """Launch a helper from the copy: no key, no floating address, and nothing may enter."""
        (image,) = (one for one in self.described["image"] if one["id"] == source)
        groups = self.described["group"] or self.groups()
        server = {
            "name": self._title,
            "flavorRef": self._flavor(image).id,
            "imageRef": source,
            "networks": [{"uuid": self.network().id}],
            "security_groups": [{"name": str(groups[0]["id"])}],
            "metadata": self._marks(HELPER, source),
            "tags": [marks.TAG, marks.tag(IMAGES)],
            "config_drive": True,
            "user_data": encoded(self._title, user_data(self.request.image, source)),
        }
        self.site.post("compute", "/servers", {"server": server})

    def _flavor(self, image: Mapping[str, Any]) -> Flavor:
        """Return the flavor with the smallest disk on which the copy fits.

        The image needs as large a disk as its helper had.
        """
        least = copies.number(image.get("min_disk"))
        fit = [f for f in self.flavors() if f.disk_gib and f.disk_gib >= least and not f.gpus]
        if not fit:
            raise CapacityError(
                f"this site has no flavor with a disk of {least:g} GB for the helper of image"
                f" {self.request.image}"
            )
        return min(fit, key=lambda f: (f.disk_gib, f.memory_gib < LEAST_MEMORY, f.memory_gib))
