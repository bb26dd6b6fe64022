"""Spot notices, which only EC2 has: two minutes before it takes a machine back.

On the notice every program in ``/etc/roost/retire.d`` runs once (to hand over data and tasks);
on a mere recommendation to rebalance, those in ``/etc/roost/rebalance.d``.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress

from roost.machine.common import Machine, read, write
from roost.machine.platforms.ec2 import Platform

EVERY = 5.0
PATIENCE = 100.0
"""Seconds for a program; of the 120 that there are, some pass until the notice is seen."""
TOLD = "/run/roost/spot.json"
ITEMS = {
    "spot/instance-action": "retire.d",
    "events/recommendations/rebalance": "rebalance.d",
}


def look(machine: Machine, metadata: Platform) -> None:
    """Act on a new notice; a second look at the same one does nothing."""
    for item, folder in ITEMS.items():
        said = metadata.get(item)
        told = read(machine.at(TOLD))
        if said is None or told.get(item) == said:
            continue
        write(machine.at(TOLD), {**told, item: said})
        machine.log(f"spot: {item}: {said}")
        if folder == "retire.d":
            machine.log(_text(said))
        machine.hooks(folder, said, seconds=PATIENCE)


def _text(said: str) -> str:
    try:
        found = json.loads(said)
        return f"spot: the cloud will {found['action']} this machine at {found['time']}"
    except (ValueError, KeyError, TypeError):
        return f"spot: the cloud takes this machine back: {said}"


def main() -> None:
    """Run the service of spot machines."""
    metadata = Platform()
    while True:
        with suppress(OSError):  # the metadata service is away for a moment
            look(Machine(), metadata)
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
