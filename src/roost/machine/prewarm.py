"""Read every block of a volume once: one that was made from a snapshot is slow until then.

Direct reads (nothing is cached), many at once; after a restart it continues where it was.
"""

from __future__ import annotations

import mmap
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from roost.machine.common import Machine, read, write
from roost.machine.devices import MIB, size_of

STATE = "/var/lib/roost/warm.json"
AT_ONCE = 16
STRIDE = 256 * MIB
"""The bytes read between two notes of the progress."""


def warm(machine: Machine, name: str, found: dict[str, str], step: int = STRIDE) -> int:
    """Read the rest of one volume; return the bytes. ``found`` is its volumes.json entry."""
    # A copy has its original's UUID, and is as slow as any: the cloud's own id tells them apart.
    path, key = found["device"], f"{name} {found.get('serial') or found['uuid']}"
    size = size_of(path)
    done = int(read(machine.at(STATE)).get(key, {}).get("done", 0))
    start = done
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECT", 0))
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while done < size:
                end = min(size, done + step)
                for _ in pool.map(lambda at: _read(opened, at), range(done, end, MIB)):
                    pass
                done = end
                progress = read(machine.at(STATE))
                progress[key] = {"done": done, "of": size}
                write(machine.at(STATE), progress)
    finally:
        os.close(opened)
    return done - start


def _read(opened: int, at: int) -> None:
    with mmap.mmap(-1, MIB) as aligned:
        os.preadv(opened, [aligned], at)


def main() -> None:
    """Read all new volumes; exit with 1, to be tried again, where one is not there."""
    machine = Machine()
    volumes = read(machine.at("/var/lib/roost/volumes.json"))
    asked = sys.argv[1:] or [v["name"] for v in machine.facts.get("volumes", []) if v["warm"]]
    for name in asked:
        found = volumes.get(name, {})
        if found.get("state") == "mounted":
            much = warm(machine, name, found)
            machine.log(f"volume {name}: read {much // MIB} MiB to warm it up")
    if any(volumes.get(name, {}).get("state") != "mounted" for name in asked):
        sys.exit(1)


if __name__ == "__main__":
    main()
