"""What stops a machine when nobody looks after it: held by the machine itself, with roost gone."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.bench.bench import Bench, Machine, Roost, wait_for
from tests.bench.seats import CLASSROOM, spec

pytestmark = [pytest.mark.bench, pytest.mark.by_turns, pytest.mark.timeout(1200)]

SCHEDULE = """
[schedule]
idle = "1m"
end = {end:%Y-%m-%dT%H:%M:%SZ}
"""
FACTS, MEMORY = "/etc/roost/machine.json", "/var/lib/roost/guard.json"
LIMITS, RUN_MEMORY = "/etc/roost/limits", "/run/roost/guard.json"


def memory(machine: Machine) -> dict[str, object]:
    said = machine.run("cat", MEMORY)
    return dict(json.loads(said.out)) if said.code == 0 else {}


def change(machine: Machine, file: str, **more: object) -> None:
    found = json.loads(machine.run("cat", file).ok().out) | more
    machine.run("sh", "-c", f"cat > {file}", text=json.dumps(found)).ok()


def be_alone(machine: Machine) -> None:
    """All machines of a bench see the load of the one computer under them: this one has its own."""
    quiet = "echo '0.00 0.00 0.00 1/99 99' > /run/quiet && mount --bind /run/quiet /proc/loadavg"
    machine.shell(quiet).ok()


def until_off(*machines: Machine, seconds: float = 300) -> None:
    """Their guards look every few seconds, and not once a minute."""

    def off() -> bool:
        for machine in machines:
            if machine.state == "running":
                look(machine)
        return all(machine.state == "stopped" for machine in machines)

    wait_for(off, seconds, "they stop")


def look(machine: Machine) -> None:
    # It may go off in this very moment, which EC2 shows a little later.
    with suppress(RuntimeError, subprocess.TimeoutExpired):
        machine.run("systemctl", "start", "roost-guard.service")


def test_idle_machines_stop_and_those_at_work_or_extended_do_not(
    bench: Bench, roost: Roost
) -> None:
    end = datetime.now(UTC) + timedelta(hours=3)
    text = spec(bench, CLASSROOM).replace("seats = 2", "seats = 4")
    file = roost.file(text + SCHEDULE.format(end=end))
    roost("up", file, "--yes").ok()
    idle, busy, extended, late = (bench.machine("room", f"seat-{n}") for n in range(1, 5))
    # A program of the watch list, at work, by its name.
    busy.shell("cp /bin/sh /usr/local/bin/relion_refine").ok()
    busy.run("systemd-run", "--unit=work", "relion_refine", "-c", "while :; do :; done").ok()
    for machine in (idle, busy, extended, late):
        be_alone(machine)
    said = roost("extend", "room", "2h", "seat-3")
    assert said.code == 0, said.err
    # One has its end time soon, and says so before.
    change(late, FACTS, idle=None, end=(datetime.now(UTC) + timedelta(minutes=5)).isoformat())
    # The laptop is closed: its connections end.
    subprocess.run(["pkill", "-f", f"{roost.home}/"], check=False)

    until_off(idle)
    for machine in (busy, extended, late):
        look(machine)
    assert busy.state == extended.state == late.state == "running"
    assert memory(busy)["busy"] == "relion* is at work"
    assert memory(extended)["busy"] == ""  # it was as idle as the first
    assert memory(extended)["told"] == {}

    notice = late.run("cat", "/var/lib/roost/notice").ok().out
    assert "its end time is" in notice
    assert "sudo roost-extend" in notice
    # The end comes, and the ten minutes after the warning are over; the work is done.
    change(late, FACTS, end=datetime.now(UTC).isoformat())
    change(late, MEMORY, told={"end": -10_000.0})
    busy.run("systemctl", "stop", "work").ok()
    until_off(busy, late)
    assert extended.state == "running"

    (listed,) = json.loads(roost("ls", "--json").ok().out)
    assert listed["states"] == {"stopped": 3, "running": 1}
    roost("start", "room").ok()
    for seat, why in (("seat-1", "nobody has used it"), ("seat-4", "its end time is")):
        kept = roost("ssh", "room", seat, "--", "cat", "/var/lib/roost/stopped").ok().out
        assert kept.startswith(f"it stopped by itself: {why}")
    roost("down", "room", "--yes").ok()
    assert bench.left() == {}


def test_a_guard_that_cannot_write_and_one_that_is_dead_end_their_machines(
    bench: Bench, roost: Roost
) -> None:
    text = spec(bench, CLASSROOM).replace("seats = 2", "seats = 4")
    file = roost.file(text + SCHEDULE.format(end=datetime.now(UTC) + timedelta(hours=3)))
    roost("up", file, "--yes").ok()
    full, frozen, dead, well = (bench.machine("room", f"seat-{n}") for n in range(1, 5))
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for machine in (full, frozen):
        change(machine, FACTS, idle=None, end=past)
    change(well, FACTS, idle=None)
    full.shell(
        "mount -t tmpfs -o size=64k none /var/lib/roost"
        " && (head -c 1M /dev/zero > /var/lib/roost/filler || true)"
        " && mount -t tmpfs -o size=64k none /var/log"
        " && (head -c 1M /dev/zero > /var/log/filler || true)"
    ).ok()
    for folder in ("/var", "/etc"):  # the root itself is busy in a container
        frozen.shell(f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}").ok()
    assert frozen.run("touch", "/var/lib/roost/x").code != 0
    # The ten minutes after the warning are over.
    for machine in (full, frozen):
        look(machine)
        assert machine.state == "running"
        change(machine, RUN_MEMORY, told={"end": -10_000.0})
    until_off(full, frozen)

    dead.shell("systemctl mask --now roost-guard.timer && pkill -f machine.guard || true").ok()
    ended = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    dead.run("sh", "-c", f"cat > {LIMITS}", text=f"{ended:.0f} -\n").ok()
    for machine in (dead, well):
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            machine.run("systemctl", "start", "roost-last-resort.service")
    wait_for(lambda: dead.state == "stopped", 120, "the last resort stops it")
    assert well.state == "running"
    assert (
        well.run("systemctl", "is-active", "roost-last-resort.timer").ok().out.strip() == "active"
    )
    roost("down", "room", "--yes").ok()
    assert bench.left() == {}
