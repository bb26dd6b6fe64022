"""A machine below a temporary folder, and block devices where we are root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost.machine import common
from roost.machine.common import Machine

MIB = 2**20
DISK_PROGRAMS = ("losetup", "blkid", "mkfs.ext4", "mkswap", "mount", "umount")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Its folders, and nobody whose terminal it could write to."""
    monkeypatch.setattr(common, "run", _quiet(common.run))
    for folder in ("etc/roost", "var/lib/roost", "var/log", "run/roost", "dev"):
        (tmp_path / folder).mkdir(parents=True)
    return Machine(tmp_path)


def _quiet(real: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    def run(argv: list[str], *args: object, **more: object) -> tuple[int, str]:
        if argv[0] in ("wall", "systemctl", "systemd-run", "hostname"):
            return 0, ""
        return real(argv, *args, **more)

    return run


def tell_facts(machine: Machine, **facts: object) -> None:
    machine.at("/etc/roost/machine.json").write_text(json.dumps(facts))


class Disk:
    """A sparse file as a block device."""

    def __init__(self, file: Path, size: int) -> None:
        self.file = file
        with file.open("wb") as opened:
            opened.truncate(size)
        self.path = self._losetup("--find", "--show", str(file))

    def _losetup(self, *words: str) -> str:
        done = subprocess.run(
            ["losetup", *words], check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def grow(self, size: int) -> None:
        os.truncate(self.file, size)
        self._losetup("--set-capacity", self.path)

    def close(self) -> None:
        self._losetup("--detach", self.path)


@pytest.fixture
def disks(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, int], Disk]]:
    """Makes devices and attaches them under EC2's names."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")  # Debian's `su` has neither
    missing = [name for name in DISK_PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"block devices need root and {', '.join(missing or DISK_PROGRAMS)}")
    machine.at("/proc").symlink_to("/proc")
    made: list[Disk] = []

    def make(name: str, size: int = 64 * MIB) -> Disk:
        file = tmp_path / f"{name}.img"
        try:
            disk = Disk(file, size)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no loop devices here: {error.stderr}")
        made.append(disk)
        machine.at(f"/dev/{name}").symlink_to(disk.path)
        return disk

    yield make
    for place in ("data", "scratch", "other"):
        if os.path.ismount(tmp_path / place):
            subprocess.run(["umount", tmp_path / place], check=True, timeout=60)
    for disk in made:
        disk.close()
