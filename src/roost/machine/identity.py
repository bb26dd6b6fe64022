"""The name of this machine among those of its launch, which all share their user-data."""

from __future__ import annotations

import time

from roost.machine.common import Machine, read, write
from roost.machine.platform import platform_of


def names(launch: str) -> list[str]:
    """Return the nodes of a launch, by launch index: ``"worker-1..3 worker-7"`` has four."""
    found: list[str] = []
    for part in launch.split():
        first, dots, last = part.partition("..")
        stem, _, number = first.rpartition("-")
        if dots and stem and number.isdigit() and last.isdigit():
            found += [f"{stem}-{one}" for one in range(int(number), int(last) + 1)]
        else:
            found.append(part)
    return found


def node(machine: Machine, patience: float = 120) -> str:
    """Return this machine's name, asked for once in its life; waits for the network."""
    kept = machine.at("/var/lib/roost/node.json")
    if "node" in read(kept):
        return str(read(kept)["node"])
    launch, platform = names(machine.facts["nodes"]), platform_of(machine)
    deadline = time.monotonic() + patience
    while True:
        try:
            index = platform.launch_index()
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise OSError(
                    f"the metadata service did not say which machine this is: {error}"
                ) from None
            time.sleep(1)
    if index >= len(launch):
        raise ValueError(f"launch index {index}, but the launch is {machine.facts['nodes']}")
    write(kept, {"node": launch[index], "index": index})
    return launch[index]
