"""Detect running notebooks of this head: ask JupyterLab; exit with 0 if so, for ``busy.d``.

What waits for Dask, or for a slow download, uses no CPU here.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

from roost.machine.cluster import folder
from roost.machine.common import Machine, read

SECONDS = 10.0


def running(place: Path) -> int:
    """Return the number of busy kernels; 0 where no JupyterLab answers."""
    try:
        url = read(place / "jupyter.json")["url"]
        token = (place / "token").read_text().strip()
        asked = urllib.request.Request(  # noqa: S310 - its own address
            f"{url}api/kernels", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310
            kernels = json.load(answer)
    except (OSError, ValueError, KeyError):
        return 0
    return sum(kernel.get("execution_state") == "busy" for kernel in kernels)


def main() -> None:
    """Run the check, for ``busy.d``."""
    machine = Machine()
    found = running(folder(machine, machine.facts["name"]))
    if not found:
        sys.exit(1)
    print("a notebook is at work" if found == 1 else f"{found} notebooks are at work")  # noqa: T201


if __name__ == "__main__":
    main()
