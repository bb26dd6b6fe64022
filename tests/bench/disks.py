"""Disks: EBS volumes as sparse files behind loop devices, root disks as layers of folders.

A machine boots from an overlay: the folders of its image, which nobody writes to, below a folder
of its own. A copy of a disk (a snapshot, an image) is a sparse copy of the file or of that folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.places import run

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Image:
    """What a root disk begins as: folders, the uppermost first."""

    layers: tuple[Path, ...]


@dataclass(slots=True)
class Disks:
    """All disks of one bench, below ``place``."""

    place: Path
    loops: dict[str, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def file(self, volume: str) -> Path:
        """What is on a volume."""
        return self.place / "volumes" / volume

    def copy_file(self, snapshot: str) -> Path:
        """What is in a snapshot of a volume, or of a root disk (then it is a folder)."""
        return self.place / "snapshots" / snapshot

    # --- volumes ----------------------------------------------------------------------------

    def create(self, volume: str, gib: int, snapshot: str | None = None) -> None:
        """A volume, blank or with what a snapshot holds."""
        file = self.file(volume)
        file.parent.mkdir(parents=True, exist_ok=True)
        source = self.copy_file(snapshot) if snapshot else None
        if source is not None and source.is_file():
            _copy(source, file)
        else:
            file.touch()
        os.truncate(file, gib * GIB)

    def loop(self, volume: str) -> str:
        """The loop device of a volume; it has one from now on."""
        with self._lock:
            if volume not in self.loops:
                self.loops[volume] = run("losetup", "-f", "--show", self.file(volume)).strip()
            return self.loops[volume]

    def release(self, volume: str) -> None:
        """Without a loop device again."""
        with self._lock:
            device = self.loops.pop(volume, None)
        if device is not None:
            run("losetup", "-d", device, check=False)

    def grow(self, volume: str, gib: int) -> None:
        """Larger, also for a machine that uses it now."""
        os.truncate(self.file(volume), gib * GIB)
        if volume in self.loops:
            run("losetup", "-c", self.loops[volume])

    def snapshot(self, volume: str, snapshot: str) -> None:
        """A copy of what has reached the disk."""
        with self._lock:
            device = self.loops.get(volume)
        if device is not None:
            run("blockdev", "--flushbufs", device, check=False)
        _copy(self.file(volume), self.copy_file(snapshot))

    def delete(self, volume: str) -> None:
        """The volume and what is on it."""
        self.release(volume)
        self.file(volume).unlink(missing_ok=True)

    def delete_snapshot(self, snapshot: str) -> None:
        """The copy."""
        found = self.copy_file(snapshot)
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)

    # --- root disks -------------------------------------------------------------------------

    def root(self, machine: str) -> Path:
        """Where a machine's root disk is mounted."""
        return self.place / "machines" / machine / "root"

    def mount_root(self, machine: str, image: Image) -> Path:
        """The machine's disk, over its image; what it wrote before is there."""
        root = self.root(machine)
        if root.is_mount():
            return root
        upper, work = root.with_name("upper"), root.with_name("work")
        for folder in (root, upper, work):
            folder.mkdir(parents=True, exist_ok=True)
        # Nothing is forced to the disk of this computer, which all of its users would wait for:
        # what a machine wrote is safe for as long as the computer is on, and needed no longer.
        shutil.rmtree(work / "work" / "incompat", ignore_errors=True)
        lower = ":".join(str(layer) for layer in image.layers)
        options = f"lowerdir={lower},upperdir={upper},workdir={work},volatile"
        run("mount", "-t", "overlay", "overlay", "-o", options, root)
        return root

    def unmount_root(self, machine: str) -> None:
        """Its disk is nobody's now, and can be copied as a whole."""
        root = self.root(machine)
        if root.is_mount():
            run("umount", root)

    def snapshot_root(self, machine: str, snapshot: str) -> Image:
        """A copy of what the machine has written over its image: the layer above that."""
        target = self.copy_file(snapshot)
        _copy(self.root(machine).with_name("upper"), target)
        return Image((target,))

    def delete_root(self, machine: str) -> None:
        """The machine's disk, and all that the bench knew of it."""
        self.unmount_root(machine)
        shutil.rmtree(self.root(machine).parent, ignore_errors=True)

    def close(self) -> None:
        """Every loop device goes."""
        for volume in list(self.loops):
            self.release(volume)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", "--sparse=always", "--reflink=auto", "-T", source, target)


def numbers(device: str) -> tuple[int, int]:
    """A block device's numbers, to make it again elsewhere."""
    found = os.stat(device)
    assert stat.S_ISBLK(found.st_mode)
    return os.major(found.st_rdev), os.minor(found.st_rdev)


def loops_below(place: Path) -> list[str]:
    """Loop devices of files below a folder, whoever made them (also of files that are gone)."""
    found = run("losetup", "-l", "-n", "-O", "NAME,BACK-FILE").splitlines()
    return [line.split()[0] for line in found if f" {place}/" in line]
