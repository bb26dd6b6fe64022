"""``python -m roost.notebook.dask.retire [NAME...]``: let workers hand over before they go.

On a node, its own cluster and worker are meant where none are named. Names that the scheduler does
not know are fine: asking twice is asking once. Without a scheduler there is nothing to hand over,
and that is fine too. Prints the names that were retired, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from roost.home import Folder, folder
from roost.notebook.dask.discovery import scheduler, tls_variables
from roost.notebook.dask.membership import of_nodes

PATIENCE = 90.0
MARK_VARIABLE = "ROOST_RETIRED"
"""The variable with the file in which a worker notes that it has retired."""
AWAY = 600.0
"""Seconds for which a retired worker stays away. A machine that is not gone by then stays."""


async def retire(address: str, names: list[str]) -> list[str]:
    """Retire the workers of these nodes; return those that the scheduler knew."""
    from distributed.core import rpc
    from distributed.security import Security

    args = Security().get_connection_args("client")
    async with rpc(address, connection_args=args) as asked:
        known = (await asked.identity(n_workers=-1))["workers"]
        names = of_nodes((str(worker["name"]) for worker in known.values()), names)
        await _tell(asked, known, names)
        gone = await asked.retire_workers(names=names, close_workers=True, remove=True)
    return sorted(str(worker["name"]) for worker in gone.values())


async def _tell(asked: Any, known: dict[str, Any], names: list[str]) -> None:
    """Tell these workers not to come back, although their supervisors start them again."""
    from distributed.protocol.pickle import dumps

    those = [address for address, worker in known.items() if str(worker["name"]) in names]
    if those:
        note = {"op": "run", "function": dumps(stay_away), "args": dumps(()), "kwargs": dumps({})}
        await asked.broadcast(msg={**note, "wait": True}, workers=those, on_error="ignore")


def stay_away() -> None:
    """Keep this worker from coming back once it has ended."""
    if MARK_VARIABLE in os.environ:
        with suppress(OSError):
            Path(os.environ[MARK_VARIABLE]).touch()


def still_retired() -> bool:
    """Return whether this worker has retired a short while ago."""
    try:
        since = Path(os.environ[MARK_VARIABLE]).stat().st_mtime
    except (KeyError, OSError):
        return False
    return 0 <= time.time() - since < AWAY


def options_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the folder and the names; without names, those of this node."""
    parser.add_argument("--folder", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.folder is None:
        options.folder = folder(os.environ["ROOST_NAME"]).path
    options.names = options.names or [os.environ["ROOST_NODE"]]
    return options


def main() -> None:
    """Retire the workers, and print which ones did."""
    options = options_of(argparse.ArgumentParser(description=__doc__))
    place = Folder(options.folder)
    os.environ.update(tls_variables(place))
    said = scheduler(place)
    gone: list[str] = []
    if said is not None:
        try:
            asked = retire(said["address"], options.names)
            gone = asyncio.run(asyncio.wait_for(asked, PATIENCE))
        except TimeoutError:
            names = ", ".join(options.names)
            sys.exit(f"{names} did not hand over within {PATIENCE:g} s; nothing was deleted")
        except OSError:
            pass  # the scheduler that wrote this is gone
    print(json.dumps(gone))  # noqa: T201


if __name__ == "__main__":
    main()
