"""The machine's programs below a root of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from roost.machine import (
    activity,
    beacon,
    clean,
    common,
    extend,
    guard,
    identity,
    idle_policy,
    limits,
    memory,
    setup,
    spot,
)
from roost.machine.common import Machine, read, write
from roost.machine.identity import names, node
from roost.machine.platform import platform_of
from roost.machine.platforms import ec2
from roost.model.nodes import launch, launched
from tests.recipes.conftest import tell_facts
from tests.serving import serving


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# --- which machine it is -------------------------------------------------------------------------


class Imds(BaseHTTPRequestHandler):
    """IMDSv2: nothing without a token, and a token of its own time is refused."""

    items: ClassVar[dict[str, str]] = {}
    token: ClassVar[str] = "token-1"

    def do_PUT(self) -> None:
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600"
        self.say(200, self.token)

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != self.token:
            return self.say(401, "")
        item = self.items.get(self.path.removeprefix("/meta-data/"))
        return self.say(404, "") if item is None else self.say(200, item)

    def say(self, code: int, text: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def imds(monkeypatch: pytest.MonkeyPatch) -> Iterator[ec2.Platform]:
    Imds.items, Imds.token = {}, "token-1"
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Imds)) as server:
        here = ec2.Platform(service=f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(identity, "platform_of", lambda _: here)
        yield here


@pytest.mark.parametrize(
    "nodes",
    ["head", "desktop", "worker-1..3 worker-7", "seat-1..20", "worker-9..12", "worker-4 worker-6"],
)
def test_the_names_of_a_launch_are_read_as_the_tag_is(nodes: str) -> None:
    assert tuple(names(nodes)) == launched(nodes)
    assert launch(names(nodes)) == nodes


def test_it_is_the_one_of_its_launch_index(machine: Machine, imds: ec2.Platform) -> None:
    tell_facts(machine, nodes="worker-1..3 worker-7")
    Imds.items = {"ami-launch-index": "3"}
    assert node(machine) == "worker-7"
    Imds.items = {}
    assert node(machine) == "worker-7"  # kept


def test_an_index_outside_of_the_launch_is_an_error(machine: Machine, imds: ec2.Platform) -> None:
    tell_facts(machine, nodes="worker-1..3")
    Imds.items = {"ami-launch-index": "3"}
    with pytest.raises(ValueError, match=r"launch index 3, but the launch is worker-1\.\.3"):
        node(machine)


def test_the_facts_name_the_cloud_and_an_older_roosts_are_of_ec2(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(ec2, "run", ran.append)
    for facts in ({"platform": "ec2"}, {}):
        tell_facts(machine, **facts)
        here = platform_of(machine)
        assert isinstance(here, ec2.Platform)
        here.stop()
    assert ran == [["systemctl", "poweroff"]] * 2
    tell_facts(machine, platform="moon")
    with pytest.raises(ModuleNotFoundError, match="moon"):
        platform_of(machine)


def test_a_token_that_has_run_out_is_replaced(imds: ec2.Platform) -> None:
    Imds.items = {"x": "1"}
    assert imds.get("x") == "1"
    Imds.token = "token-2"
    assert imds.get("x") == "1"
    assert imds.get("y") is None


# --- spot ----------------------------------------------------------------------------------------


def test_a_spot_notice_runs_the_hooks_once(machine: Machine, imds: ec2.Platform) -> None:
    ran = machine.at("/ran")
    program(machine.at("/etc/roost/retire.d/10-dask"), f'echo "retire $1" >> {ran}')
    program(machine.at("/etc/roost/rebalance.d/10"), f'echo "rebalance $1" >> {ran}')
    spot.look(machine, imds)
    assert not ran.exists()

    Imds.items = {"events/recommendations/rebalance": '{"noticeTime": "2027-01-01T08:00:00Z"}'}
    spot.look(machine, imds)
    notice = '{"action": "terminate", "time": "2027-01-01T08:22:00Z"}'
    Imds.items |= {"spot/instance-action": notice}
    spot.look(machine, imds)
    spot.look(machine, imds)

    assert ran.read_text().splitlines() == [
        'rebalance {"noticeTime": "2027-01-01T08:00:00Z"}',
        f"retire {notice}",
    ]
    log = machine.at("/var/log/roost.log").read_text()
    assert "the cloud will terminate this machine at 2027-01-01T08:22:00Z" in log


# --- what is work --------------------------------------------------------------------------------

LOOPBACK_SSH = "   0: 0100007F:0016 0100007F:C350 01 00000000:00000000"
LISTENING = "   1: 00000000:0016 00000000:0000 0A 00000000:00000000"
FROM_OUTSIDE = "   2: 0500000A:0016 076433C6:C350 01 00000000:00000000"
LOOKED_AT = "   4: 0500000A:01BB 0900000A:0258 01 00000000:00000000"
AT_THE_DESKTOP = "   5: 0500000A:01BB 0900000A:C350 01 00000000:00000000"
TO_DASK = "   3: 0500000A:2253 0600000A:C350 01 00000000:00000000"
SIX_LOOPBACK = (
    "   0: 00000000000000000000000001000000:22B8 00000000000000000000000001000000:C350 01"
)
SIX_MAPPED = "   1: 0000000000000000FFFF00000500000A:20FB 0000000000000000FFFF0000076433C6:C350 01"


@pytest.mark.parametrize(
    ("four", "six", "why"),
    [
        ([LISTENING, LOOPBACK_SSH, TO_DASK], [SIX_LOOPBACK], ""),
        ([LISTENING, FROM_OUTSIDE], [], "somebody is connected to ssh"),
        ([], [SIX_MAPPED], "somebody is connected to DCV"),
        ([LOOKED_AT], [], ""),  # a trainer's wall, by the gateway
        ([LOOKED_AT, AT_THE_DESKTOP], [], "somebody is connected to the web page"),
    ],
)
def test_connections_of_people(machine: Machine, four: list[str], six: list[str], why: str) -> None:
    for table, lines in (("tcp", four), ("tcp6", six)):
        write(machine.at(f"/proc/net/{table}"), "\n".join(["  sl  local_address", *lines]))
    assert activity.connection(machine) == why


def process(machine: Machine, pid: int, comm: str, argv: list[str], ticks: int) -> None:
    place = machine.at(f"/proc/{pid}")
    place.mkdir(parents=True, exist_ok=True)
    (place / "comm").write_text(comm + "\n")
    (place / "cmdline").write_bytes(b"\0".join(a.encode() for a in argv))
    fields = ["S", *["0"] * 10, str(ticks), "0", *["0"] * 6, "777", "0"]
    (place / "stat").write_text(f"{pid} ({comm}) {' '.join(fields)}\n")


def test_a_watched_program_works_while_it_uses_the_cpu(machine: Machine) -> None:
    watched = ["pixinsight*", "roost.notebook.dask.worker"]
    process(machine, 10, "PixInsight) (x", ["/opt/PixInsight/bin/PixInsight"], 1000)
    process(machine, 11, "python3", ["python3", "-m", "roost.notebook.dask.worker", "--name"], 50)
    process(machine, 12, "chrome", ["/usr/bin/chrome"], 99999)
    first = activity.used(machine, watched)
    assert first == {"10 777": ["pixinsight*", 1000], "11 777": ["roost.notebook.dask.worker", 50]}
    # In 60 s, 5 % of a CPU are 3 s: 300 ticks of a hundredth of a second.
    process(machine, 10, "PixInsight) (x", ["/opt/PixInsight/bin/PixInsight"], 1299)
    assert activity.at_work(first, activity.used(machine, watched), 60) == ""
    process(machine, 10, "PixInsight) (x", ["/opt/PixInsight/bin/PixInsight"], 1300)
    assert activity.at_work(first, activity.used(machine, watched), 60) == "pixinsight* is at work"


def test_load_set_up_and_hooks_are_work(machine: Machine) -> None:
    write(machine.at("/proc/loadavg"), "9.00 0.49 0.00 1/100 999\n")
    assert activity.load(machine) == ""
    write(machine.at("/proc/loadavg"), "0.00 0.50 0.00 1/100 999\n")
    assert activity.load(machine) == "the load is 0.5"
    write(machine.status, {"state": "working"})
    assert activity.setup(machine, 7199) == "it sets itself up"
    assert activity.setup(machine, 7200) == ""
    program(machine.at("/etc/roost/busy.d/10"), "exit 1")
    assert activity.hook(machine) == ""
    program(machine.at("/etc/roost/busy.d/20"), "echo three tasks; echo more")
    assert activity.hook(machine) == "three tasks"


def test_on_this_computer_the_look_works(machine: Machine) -> None:
    machine.at("/proc").symlink_to("/proc")
    mine = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    tell_facts(machine, role="desktop", watch=[mine])
    seen, end = guard.look(machine)
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    began = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    assert seen.boot == f"{kernel} {began}"
    assert 0 < seen.up <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert end is None
    assert any(name == mine for name, _ in read(machine.at(guard.LAST))["ticks"].values())


def test_what_cannot_be_told_is_work(machine: Machine) -> None:
    write(machine.at("/proc/1/stat"), "1 (x) S " + "0 " * 40)
    write(machine.at("/proc/sys/kernel/random/boot_id"), "b")
    write(machine.at("/proc/loadavg"), "what?")
    tell_facts(machine, role="desktop", watch=[])
    seen, _ = guard.look(machine)
    assert seen.busy.startswith("nobody can tell whether it is idle: IndexError")


# --- the guard -----------------------------------------------------------------------------------


def test_the_guard_keeps_count_warns_and_leaves_a_note(machine: Machine) -> None:
    budget = {"usd": 1.0, "at_end": "park", "running": 7.2, "stopped": 0.0, "worker": 0.0}
    tell_facts(machine, role="desktop", budget=budget)
    heard = machine.at("/heard")
    program(machine.at("/etc/roost/notice.d/10"), f'echo "$1" >> {heard}')
    for minute in range(1, 20):
        seen = idle_policy.Seen(boot="a", up=minute * 60.0, wall=1e9 + minute * 60, busy="work")
        if guard.tick(machine, seen).stop:
            break
    assert minute == 10
    assert [line.partition(";")[0] for line in heard.read_text().splitlines()] == [
        "its budget ends: $0.12 of $1.00",
        "$0.84 of $1.00 is spent: 80% of it",
        "it stops now: its budget ends: $1.20 of $1.00",
    ]
    assert machine.at(guard.NOTE).read_text() == (
        "it stopped by itself: its budget ends: $1.20 of $1.00; it is to be parked: roost park\n"
    )
    assert round(read(machine.at(memory.DISK))["spent"], 9) == 1.2

    # Started again, it says why it was off; for an hour.
    tell_facts(machine, role="desktop")
    guard.tick(machine, idle_policy.Seen(boot="b", up=60, wall=1e9 + 9000, busy="work"))
    assert machine.at(guard.NOTE).exists()
    guard.tick(machine, idle_policy.Seen(boot="b", up=3660, wall=1e9 + 9060, busy="work"))
    assert not machine.at(guard.NOTE).exists()


def test_the_end_of_the_file_has_its_zone() -> None:
    rules = guard.rules_of({"end": "2027-03-12T20:00:00+01:00", "idle": 60})
    assert (rules.end, rules.idle, rules.usd) == (1804878000.0, 60, None)


def test_extending_takes_the_notice_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_facts(machine, idle=1800, end="2027-01-01T00:00:00Z", budget={"usd": 5.0})
    write(machine.at(memory.DISK), {"spent": 1.25, "told": {"end": 5.0}})
    write(machine.notice, "it stops in 10 min")
    # 2026-12-31 23:55 UTC
    found = extend.extend(machine, 7200, 1798761300.0)
    assert {key: value for key, value in found.items() if value is not None} == {
        "idle_s": 1800,
        "end": "2027-01-01T02:00:00+00:00",
        "idle_not_before": "2027-01-01T01:55:00+00:00",
        "budget_usd": 5.0,
        "budget_left_usd": 3.75,
    }
    assert not machine.notice.exists()
    kept = read(machine.at(memory.DISK))
    assert (kept["told"], kept["spent"]) == ({}, 1.25)


def test_what_is_about_to_stop_it_is_read_back_in_the_zone_of_the_file(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = "2027-01-01T00:00:00+01:00"
    wall = 1798758000.0 - 300  # five minutes before the end
    monkeypatch.setattr(limits, "boot", lambda _: ("b", 60.0))
    tell_facts(machine, idle=1800, end=end, budget={"usd": 5.0, "running": 1.0})
    held = limits.held(machine, wall - 3600)
    assert (held["stops_in_s"], held["stops_because"]) == (None, None)
    held = limits.held(machine, wall)
    # Nobody was warned yet, so there are ten minutes, as after a start.
    assert held["stops_in_s"] == 600
    assert held["stops_because"] == "its end time is 2027-01-01 00:00 UTC+01:00"
    write(machine.at(memory.DISK), {"boot": "b", "spent": 5.25, "told": {"budget": 0.0}})
    held = limits.held(machine, wall - 3600)
    assert held["stops_in_s"] == 540
    assert held["stops_because"] == "its budget ends: $5.25 of $5.00"
    seen = idle_policy.Seen(boot="b", up=700, wall=wall, busy="work")
    assert guard.tick(machine, seen).stop
    held = limits.held(machine, wall)
    assert held["last_stop"] == "2026-12-31T23:55:00+01:00"
    assert held["last_stop_because"].startswith("its budget ends: $5.")


def test_how_long_it_may_run_is_read_back_as_the_end_of_this_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "boot", lambda _: ("b", 3600.0))
    tell_facts(machine, idle=None, end=None, budget=None)
    assert limits.bring(machine, {"idle": None, "end": None, "run": 8 * 3600, "budget": None})
    wall = 1798758000.0  # 2026-12-31 23:00 UTC
    assert limits.held(machine, wall)["end"] == "2027-01-01T06:00:00+00:00"
    extend.extend(machine, 9 * 3600, wall)
    assert limits.held(machine, wall)["end"] == "2027-01-01T08:00:00+00:00"


def test_more_money(machine: Machine) -> None:
    tell_facts(machine, idle=1800, budget={"usd": 5.0, "running": 1.0})
    write(machine.at(memory.DISK), {"spent": 5.5, "early": True, "stopping": "its budget ends"})
    extend.budget(machine, extend.usd_of("12.50"))
    assert extend.extend(machine, 0, 1e9)["budget_left_usd"] == 7.0
    kept = read(machine.at(memory.DISK))
    assert (kept["early"], kept["stopping"], kept["hold"]) == (False, "", 0.0)
    tell_facts(machine, budget=None)
    with pytest.raises(ValueError, match="has no budget"):
        extend.budget(machine, 1)
    for text in ("0", "-1", "x", "1e9", ""):
        with pytest.raises(ValueError, match="US dollars"):
            extend.usd_of(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("7200", 7200), ("2h", 7200), ("1h30m", 5400), ("1d", 86400)]
)
def test_spans_on_the_machine(text: str, seconds: int) -> None:
    assert extend.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "2 h", "h", "1.5h", "400d", "2h; reboot"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="a length of time"):
        extend.seconds_of(text)


# --- head and workers ----------------------------------------------------------------------------


def test_a_worker_reports_and_hears_when_the_head_stops(machine: Machine) -> None:
    machine.at("/proc").symlink_to("/proc")
    write(machine.at(memory.DISK), {"stopping": "it is idle", "end": 5.0})
    write(machine.at(beacon.KEY), "of the cluster\n", 0o600)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as here:
        here.bind(("127.0.0.1", 0))
        served = threading.Thread(
            target=beacon.serve, args=(machine, here, lambda sender: True), daemon=True
        )
        served.start()
        port = here.getsockname()[1]
        said = beacon.report("127.0.0.1", "worker-1", "relion", port=port, key=b"of the cluster")
        served.join(10)
    assert said is not None
    assert (said["stop"], said["end"]) == ("it is idle", 5.0)
    (found,) = read(machine.at(beacon.REPORTS)).items()
    assert (found[0], found[1][1:]) == ("127.0.0.1", ["worker-1", "relion"])


def test_whoever_is_on_the_head_is_no_worker(machine: Machine) -> None:
    """Its user can invent names, and send them from each of its own addresses."""
    machine.at("/proc").symlink_to("/proc")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as here:
        here.bind(("127.0.0.1", 0))
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as user:
            user.bind(("127.8.8.8", 0))
            user.sendto(b'{"node": "worker-9", "busy": ""}', here.getsockname())
            beacon.serve(machine, here)
    assert beacon.reports(machine, 1e9) == {}
    assert not machine.at(beacon.REPORTS).exists()
    assert not beacon.foreign("0.0.0.0")
    assert beacon.foreign("192.0.2.1")


def test_only_machines_with_the_key_are_heard_and_believed(
    machine: Machine, tmp_path: Path
) -> None:
    key = beacon.key_of(machine)
    assert key == b""
    secrets = tmp_path / "etc" / "roost" / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    for _ in range(2):  # it is made once
        made = subprocess.run(
            ["sh", Path(common.__file__).with_name("programs") / "reports-secrets"],
            env={**os.environ, "ROOST_SECRETS": str(secrets)},
            check=True,
        )
        assert made.returncode == 0
        assert key in (b"", (secrets / "reports.key").read_bytes())
        key = (secrets / "reports.key").read_bytes()
    assert len(key) == 44
    write(machine.at(beacon.KEY), key.decode() + "\n", 0o600)
    good = {"node": "worker-1", "busy": "relion", "once": "1"}
    mac = beacon.sign(key, "report", "worker-1", "relion", "1")
    for forged in (
        good,
        {**good, "mac": ""},
        {**good, "mac": "é"},
        {**good, "mac": beacon.sign(b"other", "report", "worker-1", "relion", "1")},
        {**good, "mac": mac, "node": "worker-2"},
        {**good, "mac": mac, "busy": ""},
        {**good, "mac": mac, "once": "2"},
    ):
        assert beacon.answer(machine, json.dumps(forged).encode(), "10.0.0.7", 100) is None
    assert not machine.at(beacon.REPORTS).exists()
    said = beacon.answer(machine, json.dumps({**good, "mac": mac}).encode(), "10.0.0.7", 100)
    assert said is not None
    assert beacon.reports(machine, 100) == {"worker-1 (10.0.0.7)": "relion"}
    found = json.loads(said)
    assert beacon.is_signed(key, found, "answer", found["stop"], found["end"], "1")
    assert not beacon.is_signed(key, found, "answer", found["stop"], found["end"], "2")  # replayed
    assert not beacon.is_signed(key, {**found, "mac": 5}, "answer", "stop now", None, "1")


def test_a_machine_is_one_worker_however_many_names_it_sends(machine: Machine) -> None:
    for number in range(500):
        message = json.dumps({"node": f"worker-{number}", "busy": ""}).encode()
        assert beacon.answer(machine, message, "10.0.0.7", 100) is not None
    assert beacon.answer(machine, b'{"node": "worker-1", "busy": "x"}', "10.0.0.8", 100)
    assert beacon.reports(machine, 100) == {
        "worker-499 (10.0.0.7)": "",
        "worker-1 (10.0.0.8)": "x",
    }


def test_reports_grow_old_and_nonsense_is_no_report(machine: Machine) -> None:
    assert beacon.answer(machine, b'{"node": "w", "busy": "x"}', "10.0.0.7", 100) is not None
    assert beacon.reports(machine, 280) == {"w (10.0.0.7)": "x"}
    assert beacon.reports(machine, 281) == {}
    for nonsense in (b"\xff", b"[]", b"{}", b'{"node": 1}', b"[" * 500):
        assert beacon.answer(machine, nonsense, "10.0.0.7", 100) is None
    write(machine.at(beacon.REPORTS), {"worker-1": [100, ""]})  # an older roost's
    assert beacon.reports(machine, 100) == {}


def test_a_worker_without_a_head_goes_by_itself() -> None:
    seen = idle_policy.Seen(boot="a", up=1, wall=1)
    assert guard.follow(seen, None) == (seen, None)
    followed, end = guard.follow(seen, {"stop": "", "end": 9})
    assert (followed.busy, followed.order, end) == ("the head is up", "", 9.0)
    followed, _ = guard.follow(seen, {"stop": "it is idle", "end": None})
    assert (followed.busy, followed.order) == ("", "it is idle")


# --- set-up --------------------------------------------------------------------------------------


def test_the_set_up_says_how_far_it_is_and_is_done_once(
    machine: Machine, imds: ec2.Platform
) -> None:
    Imds.items = {"ami-launch-index": "1"}
    write(machine.at("/proc/sys/kernel/hostname"), "ndvi-worker-2\n")
    write(machine.at("/etc/hosts"), "127.0.0.1 localhost\n")
    tell_facts(machine, name="ndvi", nodes="worker-1..2", head="10.0.0.5", volumes=[])
    ran = machine.at("/ran")
    program(machine.at("/etc/roost/setup.d/50-dask"), f"echo dask >> {ran}")

    assert setup.set_up(machine, patience=0, pause=0)
    assert setup.set_up(machine, patience=0, pause=0)

    status = read(machine.status)
    del status["at"], status["boot"]
    ready = {"step": 3, "of": 3, "name": "ready", "state": "done", "note": "", "handover": ""}
    assert status == ready
    assert ran.read_text() == "dask\n"
    assert machine.at("/etc/hosts").read_text() == (
        "127.0.0.1 localhost\n"
        "# roost: begin\n"
        "127.0.1.1 ndvi-worker-2 worker-2\n"
        "10.0.0.5 ndvi-head head\n"
        "# roost: end\n"
    )
    console = machine.at("/dev/console").read_text().splitlines()
    assert console[:3] == [
        "roost: 1/3 name: working",
        "roost: 2/3 volumes: working",
        "roost: 3/3 50-dask: working",
    ]


def test_a_step_that_fails_is_tried_again_and_then_said(
    machine: Machine, imds: ec2.Platform
) -> None:
    Imds.items = {"ami-launch-index": "0"}
    write(machine.at("/proc/sys/kernel/hostname"), "a-desktop\n")
    missing = {"name": "data", "device": "/dev/sdf", "mount": "/data"}
    tell_facts(machine, name="a", nodes="desktop", volumes=[missing])
    ran = machine.at("/ran")
    hook = program(
        machine.at("/etc/roost/setup.d/50-x"), f"echo x >> {ran}; echo no mirror; exit 7"
    )

    assert not setup.set_up(machine, patience=0, pause=0)
    status = read(machine.status)
    assert (status["step"], status["state"]) == (3, "failed")
    assert status["note"] == "50-x ended with 7: no mirror"
    assert ran.read_text() == "x\nx\nx\n"

    program(hook, "exit 0")
    assert setup.set_up(machine, patience=0, pause=0)
    assert read(machine.status)["note"] == "volume data: /dev/sdf is not attached"


# --- before an image -----------------------------------------------------------------------------


def furnished(machine: Machine) -> dict[str, str]:
    found = {
        "/etc/ssh/ssh_host_ed25519_key": "host key",
        "/etc/machine-id": "0123",
        "/home/ubuntu/.ssh/authorized_keys": "ssh-ed25519 me",
        "/home/ubuntu/.pixinsight-license": "licence",
        "/home/ubuntu/.bash_history": "history",
        "/home/ubuntu/.relion/key": "another licence",
        "/root/.ssh/authorized_keys": "ssh-ed25519 root",
        "/var/lib/cloud/instance/user-data.txt": "old",
        "/var/lib/roost/status.json": "{}",
    }
    for path, text in found.items():
        write(machine.at(path), text, 0o600)
    return found


def test_an_image_holds_nothing_personal_and_all_else(machine: Machine) -> None:
    tell_facts(machine, personal=[".relion", "../../etc/ssh", "/etc"])
    found = furnished(machine)
    stays = {
        "/home/ubuntu/.local/bin/tool": "tool",
        "/etc/ssh/sshd_config": "config",
        "/opt/PixInsight/x": "x",
    }
    for path, text in stays.items():
        write(machine.at(path), text)
    write(
        machine.at("/etc/fstab"), "UUID=r / ext4 d 0 1\nUUID=d /data ext4 nofail,x-roost=data 0 2\n"
    )

    clean.erase(machine, clean.personal(machine))

    for path in set(found) - {"/etc/machine-id"}:
        assert not machine.at(path).exists(), path
    assert machine.at("/etc/machine-id").read_text() == ""
    assert machine.at("/etc/fstab").read_text() == "UUID=r / ext4 d 0 1\n"
    assert {p: machine.at(p).read_text() for p in stays} == stays


# --- files ---------------------------------------------------------------------------------------


def test_a_file_is_whole_or_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state.json"
    write(path, {"a": 1})
    assert path.read_text() == '{\n "a": 1\n}\n'
    with pytest.raises(TypeError):
        write(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["state.json"]
    path.write_text("half a fi")
    assert read(path) == {}


def test_programs_end_are_too_slow_or_missing() -> None:
    assert common.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\nerr\n")
    assert common.run(["sleep", "10"], seconds=0.1)[0] == 124
    assert common.run(["roost-no-such-program"])[0] == 127


def test_the_launcher_finds_its_program_by_name(tmp_path: Path) -> None:
    """Not from the folder that somebody is in, where a module of the same name may lie."""
    here = Path(__file__).parents[2] / "src/roost/machine/system/run.sh"
    text = here.read_text().replace("/usr/lib/roost", str(tmp_path / "lib"))
    place = tmp_path / "lib/roost/machine"
    place.mkdir(parents=True)
    for folder in (place, place.parent, place.parent.parent):
        (folder / "__init__.py").write_text("")
    (place / "extend.py").write_text("import sys, json\nprint(json.dumps(sys.argv[1:]))\n")
    run = program(tmp_path / "lib/run", text.partition("\n")[2])
    (tmp_path / "roost-extend").symlink_to(run)
    (tmp_path / "json.py").write_text("raise SystemExit('somebody else')")
    for argv in (["./lib/run", "extend", "2h"], ["./roost-extend", "2h"]):
        done = subprocess.run(
            argv, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        if "/usr/bin/python3" in done.stderr:
            pytest.skip("no Python of the system")
        assert done.stdout == '["2h"]\n', done.stderr
