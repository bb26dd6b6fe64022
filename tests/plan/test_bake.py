"""The making of an image: what is next, and that it always comes to the same end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.images.plan import BakePlan, plan_bake, plan_cleanup
from roost.model.images import BakeState, BakeStep, DiskImage, Helper, SourceMachine
from tests.laws import examples

NOW = 1_800_000_000.0
RUNS = SourceMachine(id="i-1", state="running")
OFF = SourceMachine(id="i-1", state="stopped")
COPY = DiskImage(id="ami-copy", baked=False, state="completed", origin="i-1", taken=NOW)
HELPER = Helper(id="i-h", state="running", origin="ami-copy", started=NOW)
CLEAN = replace(HELPER, state="stopped", verdict="clean")
IMAGE = DiskImage(id="ami-new", baked=True, state="completed", origin="ami-copy", taken=NOW)
OLD = DiskImage(id="ami-old", baked=True, state="completed", origin="ami-before", taken=NOW - 9e6)


def seen(*disks: DiskImage, machine: SourceMachine | None = OFF, **other: Any) -> BakeState:
    return BakeState(machine=machine, images=disks, **other)


def verbs(plan: BakePlan) -> list[str]:
    return [step.verb for step in plan.steps]


@pytest.mark.parametrize(
    ("now", "steps", "waiting"),
    [
        (seen(machine=RUNS), [BakeStep("mark-restart", ("i-1",)), BakeStep("stop", ("i-1",))], ""),
        (seen(machine=replace(RUNS, restart=True)), [BakeStep("stop", ("i-1",))], ""),
        (seen(machine=replace(OFF, state="stopping")), [], "the machine is stopping"),
        (seen(machine=replace(OFF, state="pending")), [], "the machine is pending"),
        (seen(), [BakeStep("copy-disk", ("i-1",))], ""),
        (seen(OLD), [BakeStep("copy-disk", ("i-1",))], ""),
        (seen(replace(COPY, state="pending")), [], "the copy of the machine's disk"),
        (seen(COPY), [BakeStep("create-firewall"), BakeStep("launch-helper", ("ami-copy",))], ""),
        (seen(COPY, firewalls=("sg-1",)), [BakeStep("launch-helper", ("ami-copy",))], ""),
        (
            seen(COPY, machine=None),
            [BakeStep("create-firewall"), BakeStep("launch-helper", ("ami-copy",))],
            "",
        ),
        (seen(COPY, helpers=(HELPER,)), [], "the helper cleans the copy"),
        (
            seen(COPY, helpers=(replace(HELPER, verdict="clean"),)),
            [],
            "the helper cleans the copy",
        ),
        (
            seen(COPY, helpers=(replace(HELPER, state="stopped"),)),
            [],
            "the helper cleans the copy",
        ),
        (seen(COPY, helpers=(CLEAN,)), [BakeStep("create-image", ("i-h", "ami-copy"))], ""),
        (seen(COPY, OLD, helpers=(CLEAN,)), [BakeStep("create-image", ("i-h", "ami-copy"))], ""),
        (seen(COPY, replace(IMAGE, state="pending"), helpers=(CLEAN,)), [], "the image"),
        # A helper of another copy, and a second one, go.
        (
            seen(COPY, helpers=(replace(HELPER, id="i-x", origin="ami-gone"), HELPER)),
            [BakeStep("terminate-helpers", ("i-x",))],
            "the helper cleans the copy",
        ),
        (
            seen(COPY, helpers=(HELPER, replace(HELPER, id="i-x", started=NOW + 1))),
            [BakeStep("terminate-helpers", ("i-x",))],
            "the helper cleans the copy",
        ),
        (seen(helpers=(HELPER,)), [BakeStep("terminate-helpers", ("i-h",))], ""),
        # The machine runs again as soon as its disk is copied.
        (
            seen(COPY, helpers=(HELPER,), machine=replace(OFF, restart=True)),
            [BakeStep("start", ("i-1",))],
            "the helper cleans the copy",
        ),
        (
            seen(COPY, helpers=(HELPER,), machine=replace(RUNS, restart=True)),
            [BakeStep("unmark-restart", ("i-1",))],
            "the helper cleans the copy",
        ),
    ],
)
def test_what_is_next(now: BakeState, steps: list[BakeStep], waiting: str) -> None:
    plan = plan_bake(replace(now, now=NOW + 60))
    assert (list(plan.steps), plan.waiting, plan.problem) == (steps, waiting, "")
    assert now.finished == ""


@pytest.mark.parametrize(
    ("now", "later", "problem"),
    [
        (seen(machine=None), 0, "the machine is gone"),
        (seen(replace(COPY, state="failed")), 0, "the copy of the machine's disk failed"),
        (
            seen(COPY, replace(IMAGE, state="failed"), helpers=(CLEAN,)),
            0,
            "the image of the cleaned copy failed",
        ),
        (
            seen(COPY, helpers=(replace(HELPER, verdict="failed: /home"),)),
            0,
            "cleaning failed: /home",
        ),
        (seen(COPY, helpers=(HELPER,)), 901, "the helper did not end in 15 minutes"),
        (
            seen(COPY, helpers=(replace(HELPER, state="stopped"),)),
            1501,
            "the helper switched itself off without a word in 25 minutes",
        ),
    ],
)
def test_what_makes_it_impossible(now: BakeState, later: float, problem: str) -> None:
    plan = plan_bake(replace(now, now=NOW + later))
    assert (plan.problem, plan.steps, plan.done) == (problem, (), False)


@pytest.mark.parametrize("later", [899, 1499])
def test_a_helper_has_time(later: float) -> None:
    state = "running" if later < 900 else "stopped"
    plan = plan_bake(seen(COPY, helpers=(replace(HELPER, state=state),), now=NOW + later))  # type: ignore[arg-type]
    assert plan.problem == ""


@pytest.mark.parametrize(
    ("now", "steps"),
    [
        (
            seen(COPY, IMAGE, OLD, helpers=(CLEAN,), firewalls=("sg",)),
            [BakeStep("terminate-helpers", ("i-h",))],
        ),
        (seen(COPY, IMAGE, OLD, helpers=(replace(CLEAN, state="deleting"),)), []),
        (seen(COPY, IMAGE, OLD, firewalls=("sg",)), [BakeStep("delete-firewalls", ("sg",))]),
        (
            seen(COPY, IMAGE, OLD, orphans=("snap-9",)),
            [
                BakeStep("delete-snapshots", ("snap-9",)),
                BakeStep("delete-images", ("ami-old",)),
                BakeStep("delete-images", ("ami-copy",)),
            ],
        ),
        (seen(IMAGE), []),
    ],
)
def test_the_copy_is_the_last_to_go(now: BakeState, steps: list[BakeStep]) -> None:
    assert list(plan_cleanup(now, "ami-new").steps) == steps


def test_what_was_given_up_leaves_the_older_image() -> None:
    failed = replace(IMAGE, state="failed")
    plan = plan_cleanup(seen(COPY, failed, OLD), "")
    assert list(plan.steps) == [
        BakeStep("delete-images", ("ami-new",)),
        BakeStep("delete-images", ("ami-copy",)),
    ]


# --- whatever happens ----------------------------------------------------------------------------


@dataclass
class World:
    """What the steps do, one at a time; time passes between looks."""

    machine: SourceMachine
    disks: dict[str, DiskImage]
    helpers: dict[str, Helper]
    firewalls: set[str]
    made: int = 0
    now: float = NOW
    unclean: int = 0

    def look(self) -> BakeState:
        return BakeState(
            machine=self.machine,
            images=tuple(self.disks.values()),
            helpers=tuple(self.helpers.values()),
            firewalls=tuple(sorted(self.firewalls)),
            now=self.now,
        )

    def do(self, step: BakeStep) -> None:
        getattr(self, "_" + step.verb.replace("-", "_"))(*step.ids)

    def _mark_restart(self, _: str) -> None:
        self.machine = replace(self.machine, restart=True)

    def _unmark_restart(self, _: str) -> None:
        self.machine = replace(self.machine, restart=False)

    def _stop(self, _: str) -> None:
        self.machine = replace(self.machine, state="stopping")

    def _start(self, _: str) -> None:
        self.machine = replace(self.machine, state="pending")

    def _disk(self, kind: str, origin: str, *, baked: bool) -> None:
        self.made += 1
        one = f"ami-{kind}-{self.made}"
        self.disks[one] = DiskImage(
            id=one, baked=baked, state="pending", origin=origin, taken=self.now
        )

    def _copy_disk(self, machine: str) -> None:
        assert self.machine.state == "stopped"
        self._disk("copy", machine, baked=False)

    def _create_firewall(self) -> None:
        self.firewalls.add("sg-1")

    def _launch_helper(self, source: str) -> None:
        assert self.disks[source].state == "completed"
        assert self.firewalls
        self.made += 1
        one = f"i-h{self.made}"
        self.helpers[one] = Helper(id=one, state="pending", origin=source, started=self.now)

    def _create_image(self, helper: str, source: str) -> None:
        self.unclean += self.helpers[helper].verdict != "clean"
        self._disk("new", source, baked=True)

    def _terminate_helpers(self, *ids: str) -> None:
        for one in ids:
            self.helpers[one] = replace(self.helpers[one], state="deleting")

    def _delete_firewalls(self, one: str) -> None:
        assert not self.helpers
        self.firewalls.discard(one)

    def _delete_images(self, *ids: str) -> None:
        for one in ids:
            if not self.disks[one].baked and self.disks[one].state == "completed":
                assert not self.helpers
            del self.disks[one]

    def _delete_snapshots(self, *ids: str) -> None:
        raise AssertionError(ids)

    def passes(self) -> None:
        """Everything on its way arrives; a helper cleans in two looks."""
        self.now += 60
        after = {"stopping": "stopped", "pending": "running"}
        self.machine = replace(
            self.machine,
            state=after.get(self.machine.state, self.machine.state),  # type: ignore[arg-type]
        )
        for one, disk in self.disks.items():
            self.disks[one] = replace(disk, state="completed")
        for one, helper in list(self.helpers.items()):
            if helper.state == "deleting":
                del self.helpers[one]
            elif helper.state == "running":
                self.helpers[one] = replace(helper, state="stopped", verdict="clean")
            elif helper.state == "pending":
                self.helpers[one] = replace(helper, state="running")


class Dies(Exception):  # noqa: N818
    """The process was killed."""


def process(world: World, kill: int | None) -> str:
    """`roost image bake`, killed after so many steps; the image's id."""
    keep, steps = "", 0
    for _ in range(200):
        now = world.look()
        keep = keep or now.finished
        plan = plan_cleanup(now, keep) if keep else plan_bake(now)
        assert plan.problem == ""
        if plan.done:
            return keep
        for step in plan.steps:
            # The image that people have goes only when another one is completed.
            before = {d.id for d in world.disks.values() if d.baked and d.state == "completed"}
            world.do(step)
            after = {d.id for d in world.disks.values() if d.baked and d.state == "completed"}
            assert after or not before
            steps += 1
            if steps == kill:
                raise Dies
        world.passes()
    raise AssertionError(f"no end: {world}")


@given(
    running=st.booleans(),
    old=st.booleans(),
    kills=st.lists(st.integers(1, 12), max_size=4),
    pauses=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
@settings(max_examples=examples(400), deadline=None)
def test_killed_anywhere_it_comes_to_the_same_end(
    running: bool, old: bool, kills: list[int], pauses: list[int]
) -> None:
    machine = RUNS if running else OFF
    disks = {OLD.id: OLD} if old else {}
    world = World(machine=machine, disks=disks, helpers={}, firewalls=set())
    for kill, pause in zip(kills, pauses, strict=False):
        try:
            process(world, kill)
        except Dies:
            for _ in range(pause):
                world.passes()
    keep = process(world, None)
    for _ in range(2):
        world.passes()
    assert [d.id for d in world.disks.values()] == [keep]
    assert (world.helpers, world.firewalls, world.unclean) == ({}, set(), 0)
    assert world.machine == machine
