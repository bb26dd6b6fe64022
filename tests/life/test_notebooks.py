"""Notebooks of the public tutorials' shapes: on a roost cluster the same cells fail as alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.life.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "scripts" / "run_notebooks.py"
FIRST = "from dask.distributed import Client\nclient = Client(n_workers=2, threads_per_worker=1)"
NOTEBOOKS = {
    # How most of them begin: a cluster of one's own, which attaches here; and one that fails.
    "01-array.ipynb": [
        FIRST,
        "import dask.array as da\nx = da.ones((400, 400), chunks=100)",
        "assert x.sum().compute() == 160000",
        "1 / 0",
        "client.submit(lambda: 1 / 0).result()",
        "client.close()",
    ],
    # Relative paths, of a frame that one part of the notebook writes and another one reads.
    "02-frame.ipynb": [
        "from dask.distributed import Client\nclient = Client(processes=False, memory_limit='1GB')",
        "import os\nos.makedirs('data', exist_ok=True)\n"
        "import pandas as pd, dask.dataframe as dd\n"
        "frame = dd.from_pandas(pd.DataFrame({'x': range(100)}), npartitions=4)\n"
        "_ = frame.to_csv('data/part-*.csv', index=False)",
        "assert dd.read_csv('data/part-*.csv').x.sum().compute() == 4950",
        "dd.read_csv('data/none-*.csv')",
    ],
    # A module beside the notebook; a local cluster that is asked for by name; bags and delayed.
    "03-modules.ipynb": [
        "from dask.distributed import Client, LocalCluster\nclient = Client()",
        "import helper\nassert client.submit(helper.twice, 21).result() == 42",
        "import dask\nassert dask.delayed(helper.twice)(4).compute() == 8",
        "import dask.bag as db\nbag = db.from_sequence(range(10)).map(helper.twice)",
        "assert bag.sum().compute() == 90",
        "import no_such_module",
    ],
}


def notebook(*cells: str) -> str:
    made = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": text,
        }
        for number, text in enumerate(cells)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole)


def test_the_same_cells_fail_as_alone(lab: Lab) -> None:
    lab.file.write_text(
        'name = "life"\nkind = "cluster"\n[jupyter]\nenabled = false\n'
        '[local]\nmemory = "2GB"\n[workers]\ncount = 2\n'
    )
    (lab.folder / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    for name, cells in NOTEBOOKS.items():
        (lab.folder / name).write_text(notebook(*cells))
    lab.roost("up")
    running = lab.begin("run", "life", "--", "python", str(SCRIPT), ".")
    said, errors = running.communicate(timeout=550)
    assert running.returncode == 0, said + errors
    assert said.splitlines() == [
        "same  01-array.ipynb",
        "    fails on roost: cell 4: ZeroDivisionError: division by zero; "
        "cell 5: ZeroDivisionError: division by zero",
        "same  02-frame.ipynb",
        *(line for line in said.splitlines() if "fails on roost: cell 4: OSError" in line),
        "same  03-modules.ipynb",
        "    fails on roost: cell 6: ModuleNotFoundError: No module named 'no_such_module'",
    ]
