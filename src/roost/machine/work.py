"""``run work look WHO SECONDS CPUS``: tell a follower what the head's scheduler has to do.

One follower at a time: who looks holds the name for so many seconds, and another one is told who
that is; a worker has so many CPUs. The clock is this machine's alone. Told is also what stops this
head, and with it all of the cluster. ``hold WHO SECONDS`` is for a follower that is at work on the
number of workers. ``close WORKER...`` keeps new work from workers that are about to go, and prints
those that had none; ``release WHO`` lets others follow at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from roost.machine import limits
from roost.machine.common import Failed, Machine, read, write

HOOKS = "/etc/roost/work.d"
"""One program that knows the scheduler of this head: ``look``, and ``close WORKER...``."""
LEASE = "/run/roost/work.json"
LONGEST = 3600.0
PATIENCE = 60.0


def look(machine: Machine, who: str, seconds: float, now: float, cpus: int) -> dict[str, Any]:
    """Return the work and the limits of this head, or who follows it already."""
    if another := hold(machine, who, seconds, now):
        return another
    wall = time.time()
    return {
        **scheduler(machine, "look", str(cpus)),
        "limits": limits.held(machine, wall),
        "wall": wall,
    }


def hold(machine: Machine, who: str, seconds: float, now: float) -> dict[str, Any]:
    """Let nobody else follow for so many seconds from now; return who does so already, if any."""
    who = who[:200]
    with machine.alone("work"):
        held = read(machine.at(LEASE))
        left = min(float(held.get("until", 0)) - now, LONGEST)
        if left > 0 and held.get("who") != who:
            return {"follower": str(held.get("who")), "seconds": round(left, 1)}
        until = now + min(max(seconds, 0.0), LONGEST)
        write(machine.at(LEASE), {"who": who, "until": until}, 0o600)
    return {}


def release(machine: Machine, who: str) -> dict[str, Any]:
    """Let others follow, if it was this one who did."""
    with machine.alone("work"):
        if read(machine.at(LEASE)).get("who") == who:
            machine.at(LEASE).unlink(missing_ok=True)
    return {}


def scheduler(machine: Machine, *words: str) -> dict[str, Any]:
    """Ask the program of this head's scheduler. Raises Failed with its last line."""
    place = machine.at(HOOKS)
    programs = sorted(place.iterdir()) if place.is_dir() else []
    program = next((one for one in programs if os.access(one, os.X_OK)), None)
    if program is None:
        raise Failed("this head was set up before it could be asked for its work: roost up FILE")
    return _answer(program, *words)


def _answer(program: Path, *words: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"the scheduler had no answer within {PATIENCE:g} s") from None
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["no message"])[-1])
    found = json.loads(done.stdout)
    return found if isinstance(found, dict) else {}


def answer(machine: Machine, words: list[str], now: float) -> dict[str, Any]:
    """Do what is asked at ``now``, in seconds since the boot. Raises Failed, ValueError."""
    match words:
        case ["look", who, seconds, cpus]:
            return look(machine, who, float(seconds), now, int(cpus))
        case ["hold", who, seconds]:
            return hold(machine, who, float(seconds), now)
        case ["release", who]:
            return release(machine, who)
        case ["close", *workers]:
            return scheduler(machine, "close", *workers)
    raise ValueError("look WHO SECONDS CPUS, hold WHO SECONDS, close WORKER..., or release WHO")


def main() -> None:
    """Print the answer as JSON."""
    try:
        found = answer(Machine(), sys.argv[1:], time.clock_gettime(time.CLOCK_BOOTTIME))
    except (Failed, ValueError) as why:
        sys.exit(str(why))
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
