"""An image in the making on EC2: observe, apply, wait, for the reconcile loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from roost.errors import CloudError
from roost.model.images import (
    BakedImage,
    BakeState,
    BakeStep,
    DiskImage,
    Helper,
    SourceMachine,
)
from roost.providers.aws import tags
from roost.providers.aws.failures import failed_to_start, translated
from roost.providers.aws.images.steps import BakeSteps, is_gone
from roost.providers.aws.images.store import BAKED, baked_images, filters
from roost.providers.aws.parse import IMAGE_STATES, INSTANCE_STATES
from roost.recipes.baking import verdict, word

FIRST_WAIT, LONGEST_WAIT = 3.0, 10.0
KINDS = ("image", "helper", "machine", "snapshot", "group")
"""What is looked at; the first ones change while an image is made."""


@dataclass(slots=True)
class Ec2ImageBuild:
    """Fulfils ``roost.providers.provider.ImageBuild``.

    ``whole``: each look sees all of it, and listens to no helper.
    """

    steps: BakeSteps
    sleep: Callable[[float], None]
    wall: Callable[[], datetime]
    whole: bool = False
    _described: dict[str, list[Any]] = field(default_factory=dict)
    _consoles: dict[str, str] = field(default_factory=dict)
    _kinds: tuple[str, ...] = KINDS

    def observe(self, name: str) -> BakeState:
        """Return what was made so far, in two to five calls, and one for a helper's console."""
        with translated(f"look at image {name}"):
            for kind in self._kinds:
                self._described[kind] = self._describe(kind)
            self._check_helpers()
            state = parse_state(self._described)
            if state.result is None and not self.whole:
                self._listen(state)
        if not self.whole:
            copied = any(source.state == "completed" for source in state.sources)
            restarts = state.machine is not None and (state.machine.restart or not copied)
            self._kinds = KINDS[: 3 if restarts else 2]
        return replace(
            state,
            helpers=tuple(self._heard(helper) for helper in state.helpers),
            now=self.wall().timestamp(),
            notes=tuple(self.steps.notes),
        )

    def _check_helpers(self) -> None:
        """Raise CloudError where EC2 ended a helper at once: the next one would end like it."""
        for one in self._described["helper"]:
            if is_gone(one) and one["InstanceId"] in self.steps.begun:
                self.steps.begun.discard(one["InstanceId"])
                error = failed_to_start("the helper of the image", one.get("StateReason", {}))
                if error is not None:
                    raise CloudError(error.what, next=error.next)

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
        images = baked_images(self._described["image"], self.steps.calls.region)
        return next(one for one in images if one.id == image)

    def _describe(self, kind: str) -> list[Any]:
        every, mine = self.steps.calls.every, filters(self.steps.request.image)
        match kind:
            case "image":
                return every("describe_images", "Images", Owners=["self"], Filters=mine)
            case "snapshot":
                return every("describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=mine)
            case "group":
                return every("describe_security_groups", "SecurityGroups", Filters=mine)
            case "machine":
                mine = [{"Name": "instance-id", "Values": [self.steps.request.instance]}]
        reservations = every("describe_instances", "Reservations", Filters=mine)
        return [one for reservation in reservations for one in reservation["Instances"]]

    def _listen(self, state: BakeState) -> None:
        """Read the consoles of helpers that have had time to say something."""
        calls = self.steps.calls
        for helper in state.helpers:
            if helper.state not in ("running", "stopping", "stopped"):
                continue
            if not self._heard(helper).verdict:
                answer = calls.unless_gone(
                    calls.ec2.get_console_output, InstanceId=helper.id, Latest=True
                )
                self._consoles[helper.id] = str((answer or {}).get("Output", ""))

    def _heard(self, helper: Helper) -> Helper:
        """Return the helper with its last message about the copy that it was started from."""
        console = self._consoles.get(helper.id, "")
        said = verdict(console, word(self.steps.request.image, helper.origin))
        return replace(helper, verdict=said, console=console)


# --- pure: from what EC2 describes to what the plan sees -----------------------------------------


def parse_state(described: Mapping[str, list[Any]]) -> BakeState:
    """Return what one look saw."""
    images = [(image, tags.read(image["Tags"])) for image in described["image"]]
    known = {(held[tags.ROLE], held[tags.SOURCE]) for _, held in images}
    snapshots = [(one["SnapshotId"], tags.read(one["Tags"])) for one in described["snapshot"]]
    return BakeState(
        machine=next((_machine(one) for one in described["machine"] if not is_gone(one)), None),
        images=tuple(
            DiskImage(
                id=image["ImageId"],
                baked=held[tags.ROLE] == BAKED,
                state=IMAGE_STATES.get(image["State"], "unknown"),
                origin=held[tags.SOURCE],
                taken=datetime.fromisoformat(image["CreationDate"]).timestamp(),
            )
            for image, held in images
        ),
        helpers=tuple(_helper(one) for one in described["helper"] if not is_gone(one)),
        firewalls=tuple(one["GroupId"] for one in described["group"]),
        orphans=tuple(
            snapshot
            for snapshot, held in snapshots
            if (held[tags.ROLE], held[tags.SOURCE]) not in known
        ),
    )


def _machine(one: Mapping[str, Any]) -> SourceMachine:
    return SourceMachine(
        id=one["InstanceId"],
        state=INSTANCE_STATES.get(one["State"]["Name"], "unknown"),
        restart=tags.BAKING in tags.read(one.get("Tags")),
    )


def _helper(one: Mapping[str, Any]) -> Helper:
    return Helper(
        id=one["InstanceId"],
        state=INSTANCE_STATES.get(one["State"]["Name"], "unknown"),
        origin=tags.read(one["Tags"])[tags.SOURCE],
        started=one["LaunchTime"].timestamp(),
    )
