"""Baking on EC2: from a machine to an image of it with nothing personal in it.

Each look sees all that the wish has made so far, and the plan (``plan/bake.py``) says what is next:
a roost that is killed anywhere goes on by the same command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from roost.errors import (
    CapacityError,
    CloudError,
    QuotaError,
    RoostError,
    SetupError,
    ThrottledError,
)
from roost.plan.bake import (
    BakePlan,
    Disk,
    Helper,
    Machine,
    Seen,
    Step,
    finished,
    plan_bake,
    plan_finish,
)
from roost.providers.aws import tags
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import NOT_YET, code_of, translated
from roost.providers.aws.images.baked import BAKED, BakedImage, images, mine
from roost.providers.aws.images.steps import BakeSteps, Job, is_gone
from roost.providers.aws.parse import IMAGE_STATES, INSTANCE_STATES
from roost.recipes.baking import verdict, word

FIRST_WAIT, LONGEST_WAIT = 2.0, 10.0
MOST_REPEATS = 40
"""So often the same step may come back before it is said that it does not take."""
MOST_THROTTLED = 8
CONSOLE_LINES = 12
KINDS = ("image", "helper", "machine", "snapshot", "group")
"""What is looked at; the first ones change while an image is made."""


@dataclass(slots=True)
class Bakery:
    """One baking. ``sleep`` waits, ``wall`` is the time, ``say`` is told what happens."""

    calls: Calls
    job: Job
    sleep: Callable[[float], None]
    wall: Callable[[], datetime]
    say: Callable[[str], None]
    _described: dict[str, list[Any]] = field(default_factory=dict)
    _consoles: dict[str, str] = field(default_factory=dict)
    _keep: str = ""
    _why: RoostError | None = None
    _last: tuple[Step, ...] = ()
    _repeats: int = 0
    _waits: int = 0
    _machine_again: bool = True
    _throttled: int = 0

    def bake(self) -> BakedImage:
        """Go on until there is nothing but the image.

        Raises SetupError with the console's last lines where the helper fails, CapacityError or
        QuotaError where it has no room, CloudError where EC2 fails; then nothing of it is left.
        """
        steps = BakeSteps(self.calls, self.job, self.say)
        done = False
        while not done:
            try:
                done = self._pass(steps)
                self._throttled = 0
            except ThrottledError:
                self._throttled += 1
                if self._throttled > MOST_THROTTLED:
                    raise
                self.sleep(min(LONGEST_WAIT, FIRST_WAIT * self._throttled))
            except (CapacityError, QuotaError) as error:
                if self._keep or self._why is not None:
                    raise
                self._give_up(error)
        if self._why is not None:
            raise self._why
        return next(one for one in images(self._described["image"]) if one.id == self._keep)

    def _pass(self, steps: BakeSteps) -> bool:
        """One look, and what follows from it; whether all is done."""
        seen = self.look()
        plan = self._plan(seen)
        if plan.problem:
            self._give_up(self._failure(plan.problem, seen))
            return False
        again = bool(plan.steps) and plan.steps == self._last
        self._repeats = self._repeats + 1 if again else 0
        if self._repeats > MOST_REPEATS:
            raise CloudError(f"{plan.steps[0]}: the cloud shows no change")
        self._waits = self._waits + 1 if again or plan.waiting else 0
        for step in plan.steps:
            if not again:
                self.say(str(step))
            self._apply(steps, step)
        if self._waits:
            self.sleep(min(LONGEST_WAIT, FIRST_WAIT + self._waits))
        self._last = plan.steps
        return plan.done

    def _plan(self, seen: Seen) -> BakePlan:
        if not self._ending and finished(seen):
            self._keep = finished(seen)
            seen = self.look()  # now at all of it
        if self._ending:
            return plan_finish(seen, self._keep)
        return plan_bake(seen, self.wall().timestamp())

    def _give_up(self, why: RoostError) -> None:
        self._why = why
        self.say(f"{why.what.splitlines()[0]}; cleaning up")

    def _apply(self, steps: BakeSteps, step: Step) -> None:
        with translated(str(step)):
            try:
                steps.do(step, self._described)
            except self.calls.ec2.exceptions.ClientError as error:
                # Something else is still on its way: the next look will see how far it is.
                if code_of(error) not in NOT_YET:
                    raise
                self.sleep(FIRST_WAIT)

    # --- looking -----------------------------------------------------------------------------

    def look(self) -> Seen:
        """What the wish has made, in one to five calls, and one for the word of a helper."""
        with translated(f"look at image {self.job.image}"):
            for kind in self._asked():
                self._described[kind] = self._every(kind)
            seen = seen_in(self._described)
            self._machine_again = seen.machine is not None and (
                seen.machine.marked or not any(s.state == "completed" for s in seen.sources)
            )
            if seen.result is None and not self._ending:
                self._listen(seen)
        words = {one: verdict(text, self._word(one)) for one, text in self._consoles.items()}
        return seen_in(self._described, words)

    @property
    def _ending(self) -> bool:
        return bool(self._keep) or self._why is not None

    def _asked(self) -> tuple[str, ...]:
        """All at first and at the end; meanwhile only what changes."""
        if self._ending or not self._described:
            return KINDS
        return KINDS[: 3 if self._machine_again else 2]

    def _every(self, kind: str) -> list[Any]:
        every, of_it = self.calls.every, mine(self.job.image)
        match kind:
            case "image":
                return every("describe_images", "Images", Owners=["self"], Filters=of_it)
            case "snapshot":
                return every("describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=of_it)
            case "group":
                return every("describe_security_groups", "SecurityGroups", Filters=of_it)
            case "machine":
                of_it = [{"Name": "instance-id", "Values": [self.job.instance]}]
        reservations = every("describe_instances", "Reservations", Filters=of_it)
        return [one for reservation in reservations for one in reservation["Instances"]]

    def _listen(self, seen: Seen) -> None:
        """Read the consoles of helpers that have had time to say something."""
        for helper in seen.helpers:
            known = verdict(self._consoles.get(helper.id, ""), self._word(helper.id))
            if helper.state in ("running", "stopping", "stopped") and not known:
                answer = self.calls.unless_gone(
                    self.calls.ec2.get_console_output, InstanceId=helper.id, Latest=True
                )
                self._consoles[helper.id] = str((answer or {}).get("Output", ""))

    def _word(self, helper: str) -> str:
        """What begins the last word of a helper: it is about the very copy it was made from."""
        held = {h["InstanceId"]: tags.read(h["Tags"]) for h in self._described["helper"]}
        return word(self.job.image, held.get(helper, {}).get(tags.SOURCE, ""))

    def _failure(self, problem: str, seen: Seen) -> RoostError:
        text = next((self._consoles[h.id] for h in seen.helpers if h.id in self._consoles), "")
        lines = [f"    {line}" for line in text.splitlines()[-CONSOLE_LINES:]]
        return SetupError(
            "\n".join([f"image {self.job.image}: {problem}", *lines]),
            next="the same command tries again; the machine itself is as it was",
        )


# --- pure: from what EC2 describes to what the plan sees -----------------------------------------


def seen_in(described: Mapping[str, list[Any]], words: Mapping[str, str] | None = None) -> Seen:
    """One look; ``words`` has what helpers said last, by their ids."""
    held = {one["ImageId"]: tags.read(one["Tags"]) for one in described["image"]}
    known = {(found[tags.ROLE], found[tags.SOURCE]) for found in held.values()}
    return Seen(
        machine=next((m for one in described["machine"] if (m := _machine(one))), None),
        disks=tuple(
            Disk(
                id=one["ImageId"],
                baked=held[one["ImageId"]][tags.ROLE] == BAKED,
                state=IMAGE_STATES.get(one["State"], "failed"),
                origin=held[one["ImageId"]][tags.SOURCE],
                taken=datetime.fromisoformat(one["CreationDate"]).timestamp(),
            )
            for one in described["image"]
        ),
        helpers=tuple(_helper(one, words or {}) for one in described["helper"] if not is_gone(one)),
        guards=tuple(one["GroupId"] for one in described["group"]),
        loose=tuple(
            one["SnapshotId"]
            for one in described["snapshot"]
            if (tags.read(one["Tags"])[tags.ROLE], tags.read(one["Tags"])[tags.SOURCE]) not in known
        ),
    )


def _machine(one: Mapping[str, Any]) -> Machine | None:
    if is_gone(one):
        return None
    return Machine(
        id=one["InstanceId"],
        state=INSTANCE_STATES[one["State"]["Name"]],
        marked=tags.BAKING in tags.read(one.get("Tags")),
    )


def _helper(one: Mapping[str, Any], words: Mapping[str, str]) -> Helper:
    return Helper(
        id=one["InstanceId"],
        state=INSTANCE_STATES[one["State"]["Name"]],
        origin=tags.read(one["Tags"])[tags.SOURCE],
        started=one["LaunchTime"].timestamp(),
        verdict=words.get(one["InstanceId"], ""),
    )
