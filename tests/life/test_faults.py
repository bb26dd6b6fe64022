"""What a user's machine does to a cluster: taken ports, full disks, dead services."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.errors import RoostError
from roost.providers.local.ready import check_room
from roost.spec.environment import Environment
from tests.life.lab import Lab, until

pytestmark = pytest.mark.cluster


def test_too_little_room_is_said_before_anything_is_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "not" / "there" / "yet"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40 - 2**29, 2**29))
    with pytest.raises(RoostError, match=r"too little room: .* has 0\.5 GB free") as raised:
        check_room(Environment(digest="0" * 64))
    assert "ROOST_HOME" in str(raised.value.next)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 0, 2**40))
    check_room(Environment(digest="0" * 64))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 260 MB: too small for an environment, enough for a cluster that has one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", str(place)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    if not mounted:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    for process in Lab(place / "home", place, "life").processes():
        process.kill()
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_small_disk(small_disk: Path, lab: Lab) -> None:
    small = Lab(small_disk / "home", lab.folder, "life")
    said = small.roost("up", code=1).stderr
    assert "too little room" in said
    assert not small.home.exists()


@pytest.mark.slow
def test_a_disk_that_gets_full(small_disk: Path, lab: Lab) -> None:
    lab.roost("up")  # makes the environment, if no test has yet
    lab.roost("down", "life", "--yes")
    small = Lab(small_disk / "home", lab.folder, "life")
    small.home.mkdir()
    (small.home / "environments").symlink_to(lab.home / "environments")
    small.roost("up")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass
    said = small.roost("scale", "life", "4", code=1).stderr
    assert "No space left on device" in said
    assert "Traceback" not in said
    filler.unlink()
    small.roost("scale", "life", "4")
    assert set(small.states().values()) == {"running"}
    small.roost("down", "life", "--yes")
    small.none_left()


def test_a_fixed_port_that_is_taken(lab: Lab) -> None:
    """Nothing of the environment is needed to see that."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        lab.write(jupyter=True, port=port)
        said = lab.roost("up", code=1).stderr
    assert f"port {port} is taken by another program" in said
    assert lab.roost("ls", "--json").stdout.strip() == "[]"


@pytest.mark.slow
def test_a_scheduler_that_dies_is_started_again(lab: Lab) -> None:
    lab.roost("up")
    (old,) = lab.services("roost.notebook.dask.scheduler")
    old.kill()
    assert until(
        lambda: (
            [p.pid for p in lab.services("roost.notebook.dask.scheduler")] not in ([], [old.pid])
        )
    )
    lab.roost("up")
    assert set(lab.states().values()) == {"running"}


@pytest.mark.slow
def test_a_lost_record_of_a_machine_does_not_stop_down(lab: Lab) -> None:
    """A file that somebody broke by hand."""
    lab.roost("up")
    (lab.home / "local" / "life" / "machines" / "worker-1" / "tags.json").write_text("{")
    lab.roost("down", "life", "--yes")
    lab.none_left()


@pytest.mark.slow
def test_a_machine_that_was_switched_off(lab: Lab) -> None:
    """After a reboot nothing runs, and every file is as it was."""
    lab.roost("up")
    for process in lab.processes():
        process.kill()
    assert until(lambda: not lab.processes())
    assert set(lab.states().values()) == {"failed"}
    lab.roost("up")
    assert set(lab.states().values()) == {"running"}
    assert len(lab.supervisors()) == 3
