"""What stops a machine when nobody looks after it: held by the machine itself, with roost gone."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.bench.bench import Bench, Machine, Roost, wait_for

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

ROOM = """\
name = "guarded"
kind = "classroom"
cloud = "aws"
seats = 3

[aws]
region = "{region}"

[machine]
type = "t3.small"
image = "debian-12"
disk = "8GB"

[access]
ssh = ["{caller}"]

[schedule]
idle = "2m"
end = {end:%Y-%m-%dT%H:%M:%SZ}
"""
FACTS, MEMORY = "/etc/roost/machine.json", "/var/lib/roost/guard.json"


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


def test_idle_machines_stop_and_those_at_work_or_extended_do_not(
    bench: Bench, roost: Roost
) -> None:
    end = datetime.now(UTC) + timedelta(hours=3)
    file = roost.file(ROOM.format(region=bench.region, caller=bench.caller, end=end))
    roost("up", file, "--yes").ok()
    idle, busy, extended = (bench.machine("guarded", f"seat-{n}") for n in (1, 2, 3))
    # A program of the watch list, at work, by its name.
    busy.shell("cp /bin/sh /usr/local/bin/relion_refine").ok()
    busy.run("systemd-run", "--unit=work", "relion_refine", "-c", "while :; do :; done").ok()
    said = roost("extend", "guarded", "2h", "seat-3")
    assert said.code == 0, said.err
    for machine in (idle, busy, extended):
        be_alone(machine)
    # The laptop is closed: its connections end.
    subprocess.run(["pkill", "-f", f"{roost.home}/"], check=False)

    idle.wait("stopped", 600)
    assert busy.state == extended.state == "running"
    assert memory(busy)["busy"] == "relion* is at work"
    assert memory(extended)["busy"] == ""  # it was as idle as the first
    assert "notice" not in extended.run("ls", "/var/lib/roost").out

    # The work is done, and then it too stops; its disk keeps why.
    busy.run("systemctl", "stop", "work").ok()
    busy.wait("stopped", 600)

    # The end time comes, after its warning: no more is waited for than the last minute of it.
    change(extended, FACTS, end=(datetime.now(UTC) + timedelta(minutes=5)).isoformat())
    change(extended, MEMORY, end=None)
    wait_for(lambda: "end" in dict(memory(extended).get("told") or {}), 180, "a warning")  # type: ignore[call-overload]
    notice = extended.run("cat", "/var/lib/roost/notice").ok().out
    assert "its end time is" in notice
    assert "sudo roost-extend" in notice
    change(extended, FACTS, end=datetime.now(UTC).isoformat())
    change(extended, MEMORY, told={"end": -10_000.0}, hold=0)
    extended.wait("stopped", 300)

    listed = json.loads(roost("ls", "--json").ok().out)
    assert [row["states"] for row in listed] == [{"stopped": 3}]
    roost("start", "guarded").ok()
    why = roost("ssh", "guarded", "seat-1", "--", "cat", "/var/lib/roost/stopped").ok().out
    assert why.startswith("it stopped by itself: nobody has used it")
    roost("down", "guarded", "--yes").ok()
    assert bench.left() == {}
