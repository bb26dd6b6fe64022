"""``python -m roost.dask.retire --folder F NAME...``: let workers hand over before they go.

Names that the scheduler does not know are fine: asking twice is asking once. Without a scheduler
there is nothing to hand over, and that is fine too. Prints the names that were retired, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from roost.dask.attach import scheduler, tls_variables
from roost.home import Folder

PATIENCE = 90.0


async def retire(address: str, names: list[str]) -> list[str]:
    """Retire workers by name; those that the scheduler knew."""
    from distributed.core import rpc
    from distributed.security import Security

    args = Security().get_connection_args("client")
    async with rpc(address, connection_args=args) as asked:
        gone = await asked.retire_workers(names=names, close_workers=True, remove=True)
    return sorted(str(worker["name"]) for worker in gone.values())


def main() -> None:
    """Retire, and say who went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
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
