"""Control groups: all processes of a machine, or of a bench, by one name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE = 30.0


def hierarchies() -> Iterator[Path]:
    """Where groups are on this computer: the one hierarchy of today, and that of memory of old."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            yield Path(place)


def members(name: str) -> list[int]:
    """All processes in a group, and in those below it."""
    found: set[int] = set()
    for place in [h / name for h in hierarchies()]:
        for folder, _, _ in os.walk(place):
            with suppress(OSError):
                found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return sorted(found)


def end_group(name: str) -> None:
    """Kill whatever is in a group, and take the group away."""
    for place in [h / name for h in hierarchies()]:
        if not place.is_dir():
            continue
        with suppress(OSError):
            (place / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + PATIENCE
        while not _removed(place) and time.monotonic() < deadline:
            time.sleep(0.05)


def _removed(place: Path) -> bool:
    """A group can go when nobody is in it; the innermost first."""
    for folder, _, _ in os.walk(place, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)
    return not place.exists()
