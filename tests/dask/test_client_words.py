"""``Client(n_workers=4)`` of a program that runs on a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import roost
from roost.machine.cluster import STARTUP

PACKAGE = Path(roost.__file__).parent
PROGRAM = """
import warnings
from distributed import Client
print(Client.__init__.__wrapped__.__name__)
for words in ({"n_workers": 4}, {"n_workers": 4, "processes": False}, {}):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            Client(timeout="10ms", **words)
        except OSError:
            pass
    print([str(one.message) for one in said if "attaches" in str(one.message)])
try:
    Client("tcp://127.0.0.1:1", n_workers=4)
except ValueError as error:
    print(error)
"""


def test_it_attaches_and_says_what_it_ignored(tmp_path: Path) -> None:
    """The address leads nowhere: it is tried all the same, and no cluster is made."""
    (tmp_path / "sitecustomize.py").write_text("print('the hidden one')\n")
    startup = PACKAGE.parent / STARTUP
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{startup}:{PACKAGE.parent}:{tmp_path}",
        "ROOST_NAME": "ndvi",
        "DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:1",
    }
    line = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    said = "this runs on the cluster ndvi, and the client attaches to it:"
    assert done.stdout.splitlines() == [
        "the hidden one",
        "__init__",
        f"['{said} n_workers ignored']",
        f"['{said} n_workers, processes ignored']",
        "[]",
        "Unexpected keyword arguments: ['n_workers']",
    ]
