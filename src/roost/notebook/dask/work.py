"""``python -m roost.notebook.dask.work look CPUS``: print what the scheduler has to do, as JSON.

A machine has so many CPUs. ``close WORKER...``: these get no more tasks, as they are about to go;
printed are those that had none, and no others may go. The scheduler's own preload (``follow``)
answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from roost.home import folder
from roost.notebook.dask.discovery import scheduler, tls_variables

PATIENCE = 30.0


async def ask(address: str, what: str, words: list[str]) -> dict[str, Any]:
    """Ask the scheduler's own preload."""
    from distributed.core import rpc
    from distributed.security import Security

    args = Security().get_connection_args("client")
    async with rpc(address, connection_args=args) as asked:
        if what == "close":
            return {"closed": await asked.roost_close(names=words)}
        found: dict[str, Any] = await asked.roost_work(cpus=int(words[0]))
        return found


def main() -> None:
    """Print the answer."""
    what, *names = sys.argv[1:]
    place = folder(os.environ["ROOST_NAME"])
    os.environ.update(tls_variables(place))
    said = scheduler(place)
    if said is None:
        sys.exit("Dask's scheduler does not run yet")
    try:
        found = asyncio.run(asyncio.wait_for(ask(said["address"], what, names), PATIENCE))
    except (TimeoutError, OSError) as error:
        sys.exit(f"Dask's scheduler does not answer: {str(error) or 'no answer in time'}")
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
