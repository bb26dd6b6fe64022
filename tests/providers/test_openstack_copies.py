"""What copies at a site are worth: marks are not believed, and a volume goes only on evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from roost.model.resources import Instance, Shape, State, Volume
from roost.plan.backups import proof, saved
from roost.providers.openstack import copies, marks
from roost.providers.openstack.client import Site
from roost.providers.openstack.images_lookup import choose

SHAPE = Shape(type="m1.small", cpus=1, memory_gib=2)
MACHINE = Instance(
    name="desktop",
    role="desktop",
    shape=SHAPE,
    id="s1",
    state="stopped",
    started=marks.seconds("2026-01-31T10:00:00Z"),
)
DATA = Volume(
    name="data", size_gib=10, type="", holder="desktop", mount="/data", id="v1", state="attached"
)


def image(held: dict[str, str], **more: Any) -> dict[str, Any]:
    """An image of Glance, made at eleven."""
    made = {"id": "i1", "status": "active", "created_at": "2026-01-31T11:00:00Z"}
    return {**made, **held, **more}


class Actions:
    """A site that knows what was done to a server."""

    def __init__(self, *done: tuple[str, str]) -> None:
        self.done = [{"action": action, "start_time": f"2026-01-31T{at}:00"} for action, at in done]

    def get(self, *_: Any) -> dict[str, Any]:
        return {"instanceActions": self.done}


def test_the_marks_that_images_inherit_are_not_believed() -> None:
    disk = copies.marks_of_disk("stars", MACHINE)
    copy = copies.marks_of_volume("stars", DATA)
    assert copies.is_copy(image(disk, instance_uuid="s1"), "stars")
    assert copies.is_copy(image(copy), "stars")
    wrong = [
        image(disk),
        image(disk, instance_uuid="s2"),  # of a machine that was started from the copy
        image(disk | {marks.NAME: "others"}, instance_uuid="s1"),
        image(copy, status="deleted"),
        image(copy | {marks.SOURCE: ""}),
        image(copy | {marks.NODE: "../x"}),
        image(copy | {marks.ROLE: "baked"}),
    ]
    assert not [one for one in wrong if copies.is_copy(one, "stars")]


def test_no_copy_is_taken_for_a_system() -> None:
    debian = {"os_distro": "debian", "os_version": "12", "name": "debian-12"}
    system = image(debian, id="i0", created_at="2026-01-01T00:00:00Z")
    copy = image(copies.marks_of_volume("stars", DATA) | debian)
    disk = image(copies.marks_of_disk("stars", MACHINE) | debian, id="i2", image_type="snapshot")
    assert choose([copy, disk, system], "debian-12") is system
    assert choose([copy, disk, system], "i2") is disk


def test_a_copy_proves_nothing_once_somebody_has_started_the_machine() -> None:
    (snapshot,) = copies.snapshots([image(copies.marks_of_volume("stars", DATA))])
    (disk,) = copies.images([image(copies.marks_of_disk("stars", MACHINE))])
    have = State(name="stars", volumes=(DATA,), snapshots=(snapshot,), images=(disk,))

    def worth(*done: tuple[str, str]) -> tuple[bool, bool]:
        since = copies.last_started(cast("Site", Actions(*done)), "s1")
        machine = replace(MACHINE, started=max(MACHINE.started, since))
        now = replace(have, instances=(machine,))
        return proof(DATA, now) is not None, bool(saved(machine, now))

    assert worth(("create", "09:59"), ("stop", "10:30"), ("createImage", "11:00")) == (True, True)
    assert worth(("create", "09:59"), ("shelve", "11:30"), ("lock", "12:00")) == (True, True)
    for action in ("start", "reboot", "unshelve", "resume", "rebuild", "something new"):
        assert worth(("stop", "10:30"), (action, "12:00"), ("stop", "12:30")) == (False, False)


def test_what_glance_says_becomes_a_state() -> None:
    held = copies.marks_of_volume("stars", DATA)
    words = {"queued": "pending", "killed": "failed", "deactivated": "unusable", "odd": "unknown"}
    for word, state in words.items():
        (found,) = copies.snapshots([image(held, status=word, size=3 * 2**30)])
        assert (found.state, found.size_gib, found.used_gib, found.sealed) == (state, 10, 3, True)
    (bad,) = copies.snapshots([image(held | {marks.SIZE: "nan", marks.SEALED: "perhaps"})])
    assert (bad.size_gib, bad.sealed) == (0, False)
