"""An image in the making at a site: observe, apply, wait, for the reconcile loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from roost.model.images import BakedImage, BakeState, BakeStep, DiskImage, Helper, SourceMachine
from roost.providers.openstack import copies, marks, parse
from roost.providers.openstack.failures import CallError, fault_of, of_fault, translated
from roost.providers.openstack.images.steps import BAKING, BakeSteps
from roost.providers.openstack.images.store import BAKED, baked_images, describe
from roost.recipes.baking import verdict, word

FIRST_WAIT, LONGEST_WAIT = 3.0, 10.0
CONSOLE = 400
"""Lines of a helper's console that are read."""


@dataclass(slots=True)
class GlanceImageBuild:
    """Fulfils ``roost.providers.images.ImageBuild``.

    ``whole``: each look listens to no helper.
    """

    steps: BakeSteps
    region: str
    sleep: Callable[[float], None]
    wall: Callable[[], datetime]
    whole: bool = False
    _described: dict[str, list[Any]] = field(default_factory=dict)
    _consoles: dict[str, str] = field(default_factory=dict)

    def observe(self, name: str) -> BakeState:
        """Return what was made so far, in four calls, and one for a helper's console."""
        site = self.steps.site
        with translated(f"look at image {name}"):
            site.connection  # noqa: B018 - made by one thread, before many use it
            kinds: dict[str, Callable[[], list[Any]]] = {
                "image": lambda: describe(site, name),
                "helper": self.steps.helpers,
                "machine": self._machine,
                "group": self.steps.groups,
            }
            found = site.each(lambda kind: kinds[kind](), kinds)
            self._described = dict(zip(kinds, found, strict=True))
            self._check_helpers()
            state = parse_state(self._described)
            if state.result is None and not self.whole:
                self._listen(state)
        return replace(
            state,
            helpers=tuple(self._heard(helper) for helper in state.helpers),
            now=self.wall().timestamp(),
            notes=tuple(self.steps.notes),
        )

    def _machine(self) -> list[Any]:
        try:
            found = self.steps.site.get("compute", f"/servers/{self.steps.request.instance}")
        except CallError as error:
            if error.kind != "absent":
                raise
            return []
        return [found["server"]]

    def _check_helpers(self) -> None:
        """Delete a helper that the site could not make, and raise why."""
        for one in self._described["helper"]:
            if parse.never_ran(one):
                self.steps.site.delete("compute", f"/servers/{one['id']}")
                raise of_fault("the helper of the image", fault_of(one))

    def apply(self, name: str, step: BakeStep) -> None:
        """Do one step; each can be done again after a kill in its middle."""
        del name
        with translated(str(step)):
            self.steps.do(step, self._described)

    def wait(self, name: str, since: float) -> None:
        """Wait longer the longer it takes."""
        del name
        self.sleep(min(LONGEST_WAIT, FIRST_WAIT + since / 4))

    def result(self, image: str) -> BakedImage:
        """Return the image of that id, as the last look saw it."""
        images = baked_images(self._described["image"], self.region)
        return next(one for one in images if one.id == image)

    def _listen(self, state: BakeState) -> None:
        """Read the consoles of helpers that have had time to say something."""
        for helper in state.helpers:
            speaks = helper.state in ("running", "stopping", "stopped")
            if speaks and not self._heard(helper).verdict:
                self._consoles[helper.id] = self.steps.console(helper.id, CONSOLE)

    def _heard(self, helper: Helper) -> Helper:
        """Return the helper with its last message about the copy that it was started from."""
        console = self._consoles.get(helper.id, "")
        said = verdict(console, word(self.steps.request.image, helper.origin))
        return replace(helper, verdict=said, console=console)


# --- pure: from what a site describes to what the plan sees --------------------------------------


def parse_state(described: Mapping[str, list[Any]]) -> BakeState:
    """Return what one look saw."""
    return BakeState(
        machine=next((_machine(one) for one in described["machine"]), None),
        images=tuple(_image(one) for one in described["image"]),
        helpers=tuple(_helper(one) for one in described["helper"]),
        firewalls=tuple(str(one["id"]) for one in described["group"]),
    )


def _image(one: Mapping[str, Any]) -> DiskImage:
    return DiskImage(
        id=str(one["id"]),
        baked=one.get(marks.ROLE) == BAKED,
        state=copies.STATES.get(str(one.get("status")), "unknown"),
        origin=str(one.get(marks.SOURCE) or ""),
        taken=marks.seconds(one.get("created_at")),
    )


def _machine(one: Mapping[str, Any]) -> SourceMachine:
    return SourceMachine(
        id=str(one["id"]), state=parse.state_of(one), restart=BAKING in marks.metadata(one)
    )


def _helper(one: Mapping[str, Any]) -> Helper:
    return Helper(
        id=str(one["id"]),
        state=parse.state_of(one),
        origin=marks.metadata(one).get(marks.SOURCE, ""),
        started=marks.seconds(one.get("OS-SRV-USG:launched_at") or one.get("created")),
    )
