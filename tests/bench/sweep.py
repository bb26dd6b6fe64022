"""What a killed bench has left behind, and its end."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import TextIO

from tests.bench.disks import loops_below
from tests.bench.groups import end_group
from tests.bench.network import Network
from tests.bench.places import RUNS, alone, run

LOCK, FACTS, SWEEPING = "lock", "bench.json", "sweep.lock"


def hold(place: Path) -> TextIO | None:
    """The lock of a bench's folder; None where its server lives, or the folder is gone."""
    try:
        file = (place / LOCK).open("a")
    except FileNotFoundError:
        return None
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def benches() -> list[Path]:
    """The folders of all benches, dead or alive."""
    return sorted(one for one in RUNS.iterdir() if one.is_dir()) if RUNS.is_dir() else []


def alive() -> list[Path]:
    """Those that run now."""
    found = []
    for place in benches():
        lock = hold(place)
        if lock is None:
            found.append(place)
        else:
            lock.close()
    return found


def sweep() -> list[Path]:
    """End all that belongs to benches whose server is dead; their folders."""
    found = []
    with alone(RUNS.with_name(SWEEPING)):
        for place in benches():
            lock = hold(place)
            if lock is None:
                continue
            with lock:
                end(place)
            found.append(place)
    return found


def begin() -> tuple[Path, TextIO]:
    """A folder for a new bench, and its lock."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with alone(RUNS.with_name(SWEEPING)):
        place = Path(tempfile.mkdtemp(dir=RUNS))
        lock = hold(place)
    assert lock is not None
    return place, lock


def end(place: Path) -> None:
    """Processes, network, loop devices, files."""
    facts = {}
    with suppress(OSError, ValueError):
        facts = json.loads((place / FACTS).read_text())
    if "group" in facts:
        end_group(facts["group"])
    if "network" in facts:
        Network(facts["network"]).close()
    for loop in loops_below(place):
        run("losetup", "-d", loop, check=False)
    shutil.rmtree(place, ignore_errors=True)
