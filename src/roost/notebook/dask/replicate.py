"""``python -m roost.notebook.dask.replicate [NAME...]``: copy what only these workers hold.

For machines that may be taken away soon: should that happen, nothing need be computed again. They
go on working. Nothing is copied where the other workers have too little room for it. Prints the
number of results that were copied.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import suppress
from typing import Any

from roost.home import Folder
from roost.notebook.dask.discovery import scheduler, tls_variables
from roost.notebook.dask.membership import of_nodes
from roost.notebook.dask.retire import PATIENCE, options_of

TRIES = 3
FULL = 0.6
"""The part of its memory up to which a worker takes copies; above, it would write to disk."""


async def spread(address: str, names: list[str]) -> int:
    """Copy each result that only the named workers hold to one other worker; how many."""
    from distributed.core import rpc
    from distributed.security import Security

    args = Security().get_connection_args("client")
    async with rpc(address, connection_args=args) as asked:
        workers = (await asked.identity(n_workers=-1))["workers"]
        those = of_nodes((str(worker["name"]) for worker in workers.values()), names)
        going = {at for at, worker in workers.items() if str(worker["name"]) in those}
        staying = {at: worker for at, worker in workers.items() if at not in going}
        held = await asked.has_what(workers=sorted(going))
        holders = await asked.who_has(keys=list({key for keys in held.values() for key in keys}))
        alone = [key for key, those in holders.items() if those and going.issuperset(those)]
        if not alone or sum((await asked.nbytes(keys=alone)).values()) > room(staying):
            return 0
        await asked.replicate(keys=alone, n=1, workers=sorted(staying), delete=False)
    return len(alone)


def room(workers: dict[str, dict[str, Any]]) -> float:
    """Return the bytes that these workers can take."""
    free = (
        float(worker["memory_limit"] * FULL - worker["metrics"]["memory"])
        for worker in workers.values()
        if worker["memory_limit"]
    )
    return sum(max(0.0, one) for one in free)


def main() -> None:
    """Copy, and say how many."""
    options = options_of(argparse.ArgumentParser(description=__doc__))
    place = Folder(options.folder)
    os.environ.update(tls_variables(place))
    said = scheduler(place)
    if said is None:
        return
    for _ in range(TRIES):
        with suppress(KeyError):  # a result that was dropped meanwhile
            copied = asyncio.run(asyncio.wait_for(spread(said["address"], options.names), PATIENCE))
            print(copied)  # noqa: T201
            return


if __name__ == "__main__":
    main()
