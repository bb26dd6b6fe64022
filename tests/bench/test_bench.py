"""The bench under the real command: the life of a classroom, from up to down."""

from __future__ import annotations

import pytest

from tests.bench.bench import Bench, Roost, wait_for
from tests.bench.seats import CLASSROOM, DATA, room, spec

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


def test_a_classroom_lives_from_up_to_down(bench: Bench, roost: Roost) -> None:
    file = roost.file(spec(bench, CLASSROOM))
    roost("up", file, "--yes").ok()
    for seat in ("seat-1", "seat-2"):
        assert roost("ssh", "room", seat, "--", "hostname").ok().out == f"room-{seat}\n"
        assert roost("ssh", "room", seat, "--", "id", "-un").ok().out == "admin\n"
    roost("ssh", "room", "seat-1", "--", "sh", "-c", "echo here > kept").ok()
    first = bench.machine("room", "seat-1")
    public = first.described["PublicIpAddress"]

    roost("stop", "room").ok()
    assert first.state == "stopped"
    assert bench.left().get("processes") is None
    roost("start", "room").ok()
    assert first.described["PublicIpAddress"] != public
    assert roost("ssh", "room", "seat-1", "--", "cat", "kept").ok().out == "here\n"

    roost("down", "room", "--yes").ok()
    assert first.state == "terminated"
    assert bench.left() == {}


def test_park_and_resume_bring_disk_and_data_back(bench: Bench, roost: Roost) -> None:
    roost("up", roost.file(room(bench, DATA)), "--yes").ok()
    before = bench.machine("room", "seat-1")
    script = "echo work > /data/work; echo home > ~/home; sync"
    roost("ssh", "room", "--", "sh", "-c", script).ok()

    roost("park", "room", "--yes").ok()
    assert before.state == "terminated"
    assert set(bench.left()) == {"copies"}
    roost("resume", "room", "--yes").ok()
    after = bench.machine("room", "seat-1")
    assert after.id != before.id
    assert roost("ssh", "room", "--", "cat", "/data/work", "home").ok().out == "work\nhome\n"

    roost("down", "room", "--yes", "--delete-data", "room").ok()
    assert bench.left() == {}


def test_a_resized_machine_has_its_new_memory(bench: Bench, roost: Roost) -> None:
    roost("up", roost.file(room(bench)), "--yes").ok()
    machine = bench.machine("room", "seat-1")
    assert machine.memory_limit() == 2 * 2**30
    roost("resize", "room", "--type", "t3.medium", "--yes").ok()
    assert machine.described["InstanceType"] == "t3.medium"
    assert machine.memory_limit() == 4 * 2**30


def test_where_there_is_no_room_the_reason_is_said(bench: Bench, roost: Roost) -> None:
    for zone in "abc":
        bench.room("t3.small", f"{bench.region}{zone}", 0)
    ran = roost("up", roost.file(room(bench)), "--yes")
    assert ran.code != 0
    assert "InsufficientInstanceCapacity" in ran.err


def test_an_image_is_baked_of_a_machine_and_has_nothing_of_its_user(
    bench: Bench, roost: Roost
) -> None:
    roost("up", roost.file(room(bench)), "--yes").ok()
    machine = bench.machine("room", "seat-1")
    machine.shell("echo installed > /opt/installed; echo mine > /home/admin/.bash_history").ok()
    roost("image", "bake", "room", "--yes").ok()
    (image,) = bench.ec2.describe_images(Owners=["self"])["Images"]
    made = bench.ec2.run_instances(
        ImageId=image["ImageId"], InstanceType="t3.small", MinCount=1, MaxCount=1
    )
    other = bench.one(made["Instances"][0]["InstanceId"])
    other.booted()
    assert other.run("cat", "/opt/installed").ok().out == "installed\n"
    assert other.run("test", "-e", "/home/admin/.bash_history").code == 1
    keys = [
        one.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub").ok().out for one in (machine, other)
    ]
    assert keys[0] != keys[1]

    # The image goes while a machine still runs from it, and then that machine.
    roost("image", "rm", "room", "--yes").ok()
    roost("down", "room", "--yes").ok()
    bench.ec2.terminate_instances(InstanceIds=[other.id])
    wait_for(lambda: bench.left() == {}, 60, "all of it is gone")
