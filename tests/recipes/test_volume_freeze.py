"""The program that lets nothing write to a volume any more: as it is, on this computer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from roost import machine

PROGRAM = Path(machine.__file__).parent / "programs" / "volume-freeze"
SHM = Path("/dev/shm")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is of Linux machines")


@pytest.fixture
def still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module, with the files of a machine below a folder."""
    loader = SourceFileLoader("volume_freeze", str(PROGRAM))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    found = module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(found)
    monkeypatch.setattr(found, "FACTS", tmp_path / "machine.json")
    monkeypatch.setattr(found, "PLACED", tmp_path / "volumes.json")
    monkeypatch.setattr(found, "HANDOVER", tmp_path / "handover.json")
    monkeypatch.setattr(found, "STATE", tmp_path / "run" / "still.json")
    monkeypatch.setattr(found, "GRACE", 1.0)
    return found


class Made:
    """A machine whose systemctl and mount are ours."""

    def __init__(self, still: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.still = still
        self.active = {"roost-desktop.service", "roost-guard.service", "nfs-server.service"}
        self.writable = {"/data"}
        self.refuses = 0
        self.pids: list[int] = []
        self.ran: list[str] = []
        monkeypatch.setattr(still, "run", self.run)
        monkeypatch.setattr(still, "is_read_only", lambda mount: mount not in self.writable)
        monkeypatch.setattr(still, "users", lambda _: list(self.pids))
        monkeypatch.setattr(still.time, "sleep", lambda _: None)

    def run(self, *argv: str, seconds: float = 0) -> tuple[int, str]:
        del seconds
        self.ran.append(" ".join(argv))
        match argv:
            case ("systemctl", "is-active", "--quiet", unit):
                return int(unit not in self.active), ""
            case ("systemctl", "stop", unit):
                self.active.discard(unit)
            case ("systemctl", "start", unit):
                self.active.add(unit)
            case ("mount", "-o", "remount,ro", place):
                if self.refuses:
                    self.refuses -= 1
                    return 32, "mount point is busy"
                self.writable.discard(place)
            case ("mount", "-o", "remount,rw", place):
                self.writable.add(place)
        return 0, ""


@pytest.fixture
def made(still: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Made:
    services = ["roost-guard.service", "roost-desktop.service", "roost-page.service"]
    still.HANDOVER.write_text(json.dumps({"steps": [{"services": services}]}))
    return Made(still, monkeypatch)


def test_services_end_and_come_back(made: Made) -> None:
    made.still.hold(["/data"])
    assert made.active == {"roost-guard.service"}
    assert made.writable == set()
    made.still.hold(["/data"])  # again: what was stopped the first time is not forgotten
    made.still.free(["/data"])
    assert made.active == {"roost-desktop.service", "roost-guard.service", "nfs-server.service"}
    assert made.writable == {"/data"}
    made.ran.clear()
    made.still.free(["/data"])  # and what nobody held is left as it is
    assert made.ran == []


def test_another_hold_is_another_one(made: Made) -> None:
    assert made.still.held(["/data"]) == ""
    made.still.hold(["/data"])
    first = made.still.held(["/data"])
    made.still.hold(["/data"])
    assert made.still.held(["/data"]) == first != ""
    made.writable.add("/data")  # somebody did that by hand
    assert made.still.held(["/data"]) == ""
    made.still.free(["/data"])
    made.still.hold(["/data"])
    assert made.still.held(["/data"]) not in ("", first)


def test_it_is_tried_again_and_then_all_is_as_it_was(made: Made) -> None:
    made.refuses = 2
    made.still.hold(["/data"])
    assert made.writable == set()
    made.still.free(["/data"])
    made.refuses = 99
    with pytest.raises(made.still.Trouble, match="/data cannot be made read-only: mount point is"):
        made.still.hold(["/data"])
    assert made.writable == {"/data"}
    assert "roost-desktop.service" in made.active


def test_who_is_in_the_way_is_named(made: Made) -> None:
    made.refuses = 99
    with subprocess.Popen(["sleep", "60"]) as process:
        made.pids = [process.pid]
        made.still.unit_of = lambda _: "held.service"
        with pytest.raises(made.still.Trouble, match=rf"read-only: sleep \({process.pid}\)"):
            made.still.hold(["/data"])
        assert "systemctl stop held.service" not in made.ran  # it is not on
        process.kill()


@pytest.mark.skipif(not SHM.is_dir(), reason="no file system of its own")
class TestUsers:
    """Who uses a file system."""

    @pytest.fixture
    def place(self) -> Iterator[Path]:
        file = SHM / f"roost-test-{os.getpid()}"
        file.write_text("x")
        yield file
        file.unlink()

    def test_those_that_have_something_open_or_are_there(
        self, still: ModuleType, place: Path
    ) -> None:
        code = "import sys, time; f = open(sys.argv[1], 'a'); print(1, flush=True); time.sleep(60)"
        opens = subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE)
        there = subprocess.Popen(["sleep", "60"], cwd=SHM)
        other = subprocess.Popen(["sleep", "60"], cwd="/")
        assert opens.stdout is not None
        opens.stdout.readline()
        found = still.users(str(SHM))
        assert {opens.pid, there.pid} <= set(found)
        assert not {other.pid, os.getpid(), os.getppid()} & set(found)
        for process in (opens, there, other):
            process.kill()
            process.wait()
        opens.stdout.close()


def begun(code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_programs_end_politely_and_then_not(still: ModuleType) -> None:
    polite = begun("import time; print(1, flush=True); time.sleep(60)")
    deaf = begun(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(1, flush=True); time.sleep(60)"
    )
    still.unit_of = lambda _: None
    begin = time.monotonic()
    still.end([polite.pid, deaf.pid], [])
    assert time.monotonic() - begin < 10
    assert (polite.wait(5), deaf.wait(5)) == (-signal.SIGTERM, -signal.SIGKILL)
    for process in (polite, deaf):
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/cron.service\n", "cron.service"),
        ("0::/system.slice/system-x.slice/x@1.service/inner\n", "x@1.service"),
        ("5:pids:/\n1:name=systemd:/system.slice/nfs.service", "nfs.service"),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n", None),
        ("0::/system.slice/docker-1.scope\n", None),
    ],
)
def test_the_service_of_a_process(
    still: ModuleType, tmp_path: Path, cgroup: str, unit: str | None
) -> None:
    still.PROC = tmp_path
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(cgroup)
    assert still.unit_of(7) == unit


class TestCheck:
    """What is mounted must be that very volume: else something else would be copied, or nothing."""

    @pytest.fixture
    def placed(self, still: ModuleType, tmp_path: Path) -> dict[str, Any]:
        device = str(tmp_path / "sdf")
        (tmp_path / "mounts").write_text(
            f"/dev/root / ext4 rw 0 0\n{device} /data ext4 rw,noatime 0 0\n"
        )
        still.PROC = tmp_path
        still.FACTS.write_text(json.dumps({"volumes": [{"name": "data", "mount": "/data"}]}))
        return {"state": "mounted", "device": device, "serial": "vol0123456789abcdef0"}

    def test_the_volume(self, still: ModuleType, placed: dict[str, Any]) -> None:
        still.PLACED.write_text(json.dumps({"data": placed}))
        still.check("/data", "vol-0123456789abcdef0")

    @pytest.mark.parametrize(
        ("change", "volume", "text"),
        [
            ({"state": "refused", "note": "it is full"}, "vol-1", "not mounted: it is full"),
            ({"device": "/dev/sdg"}, "vol-0123456789abcdef0", "not where its volume is mounted"),
            ({}, "vol-0fffffffffffffff0", "is vol0123456789abcdef0, and not vol-0ffff"),
        ],
    )
    def test_another(
        self, still: ModuleType, placed: dict[str, Any], change: Any, volume: str, text: str
    ) -> None:
        still.PLACED.write_text(json.dumps({"data": placed | change}))
        with pytest.raises(still.Trouble, match=text):
            still.check("/data", volume)

    def test_nothing_is_known(self, still: ModuleType, placed: dict[str, Any]) -> None:
        del placed
        with pytest.raises(still.Trouble, match="/data is not mounted: nothing is known of it"):
            still.check("/data", "vol-1")

    def test_another_one_inside(self, still: ModuleType, placed: dict[str, Any]) -> None:
        still.PLACED.write_text(json.dumps({"data": placed}))
        with (still.PROC / "mounts").open("a") as file:
            file.write("/dev/sdg /data/more ext4 rw 0 0\n")
        with pytest.raises(still.Trouble, match="/data/more is mounted below /data"):
            still.check("/data", "vol-0123456789abcdef0")


def test_read_only_is_the_whole_file_system(
    still: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still.PROC = tmp_path
    (tmp_path / "self").mkdir()
    device = os.stat("/").st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    table = tmp_path / "self" / "mountinfo"
    table.write_text(f"25 1 {number} / / ro,noatime shared:1 - ext4 /dev/sdf rw,discard\n")
    assert not still.is_read_only("/")  # one way to it is shut, and another may not be
    table.write_text(f"25 1 {number} / / ro,noatime shared:1 - ext4 /dev/sdf ro,discard\n")
    assert still.is_read_only("/")


def below(root: Path) -> str:
    """The program's text, with the files of a machine below a folder."""
    text = PROGRAM.read_text()
    for place in ("/etc/roost/", "/var/lib/roost/", "/run/roost/"):
        assert f'Path("{place}' in text
        text = text.replace(f'Path("{place}', f'Path("{root}{place}')
    return text


def test_it_answers_in_json_through_a_pipe(tmp_path: Path) -> None:
    def answer(what: str) -> Any:
        line = [sys.executable, "-P", "-", what, "/nowhere=vol-1"]
        done = subprocess.run(
            line, input=below(tmp_path), stdout=subprocess.PIPE, text=True, check=True
        )
        return json.loads(done.stdout)

    assert answer("check")["trouble"] == "/nowhere is not mounted: nothing is known of it"
    assert answer("free") == {}  # a machine that nobody held is as it should be
    assert (tmp_path / "run/roost/volume-still.lock").exists()
