"""Layers: packages that are in an image already, so that a scenario need not install them.

A layer is a folder above the base system with what apt has written. It is built once and kept, by
what it is made of; machines from it boot as fast as others, and their set-up finds all installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.places import CACHE, alone, run

DOWNLOADS = CACHE / "packages"
"""Packages that any machine has downloaded, for the next ones."""
APT = ("apt-get", "-q", "-y", "-o", "DPkg::Options::=--force-unsafe-io", "-o", "Acquire::Retries=5")
INSTALLING = 3600.0


def layer(below: Sequence[Path], packages: Sequence[str], *, recommends: bool) -> Path:
    """The folder with these packages above those folders, built now if it is not there."""
    folder = folder_of(below, packages, recommends=recommends)
    with alone(CACHE / f"{folder.name}.lock"):
        if not folder.is_dir():
            _build(folder, below, packages, recommends)
        os.utime(folder)
    return folder


def folder_of(below: Sequence[Path], packages: Sequence[str], *, recommends: bool) -> Path:
    """Where that layer is kept. Pure."""
    recipe = json.dumps([[one.name for one in below], sorted(packages), recommends])
    return CACHE / f"layer-{hashlib.sha256(recipe.encode()).hexdigest()[:17]}"


def _build(folder: Path, below: Sequence[Path], packages: Sequence[str], recommends: bool) -> None:
    work = folder.with_name(f".{folder.name}")
    shutil.rmtree(work, ignore_errors=True)
    with _mounted(work, below) as root:
        policy = root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # nothing is started here
        policy.chmod(0o755)
        resolv = root / "etc/resolv.conf"
        resolv.unlink(missing_ok=True)
        shutil.copyfile("/etc/resolv.conf", resolv)
        with_those = () if recommends else ("--no-install-recommends",)
        inside = ("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", *APT)
        run(*inside, "update", seconds=INSTALLING)
        run(*inside, *with_those, "install", *packages, seconds=INSTALLING)
        policy.unlink()
        resolv.unlink()
    (work / "upper").rename(folder)
    shutil.rmtree(work)


@contextmanager
def _mounted(work: Path, below: Sequence[Path]) -> Iterator[Path]:
    """A root in which packages can be installed."""
    root, upper, scratch = work / "root", work / "upper", work / "work"
    for one in (root, upper, scratch, DOWNLOADS / "partial"):
        one.mkdir(parents=True, exist_ok=True)
    lower = ":".join(str(one) for one in below)
    options = f"lowerdir={lower},upperdir={upper},workdir={scratch}"
    run("mount", "-t", "overlay", "overlay", "-o", options, root)
    try:
        run("mount", "-t", "proc", "proc", root / "proc")
        run("mount", "--bind", "/dev", root / "dev")
        run("mount", "--bind", DOWNLOADS, root / "var/cache/apt/archives")
        yield root
    finally:
        run("umount", "-R", root)
