"""Run a folder of notebooks twice, on a roost cluster and with Dask alone; compare what fails.

    roost run NAME -- python scripts/run_notebooks.py FOLDER

Each notebook runs in its own folder, as in JupyterLab: once in this program's environment, whose
clients attach to the cluster, and once without roost, where ``Client(n_workers=4)`` makes a
LocalCluster of Dask's own. A cell that fails in one of the two only is printed, and ends this with
1. Notebooks are changed by neither; fetch others' beside the repository, and commit none.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOSTS = ("DASK_", "ROOST_", "PYTHONPATH")
"""Variables that lead a program to the cluster."""
SECONDS = 600
"""For one cell."""


@dataclass(frozen=True)
class Failed:
    """The cells of a notebook that failed: their numbers, from 1, and what was said."""

    cells: dict[int, str]

    @property
    def words(self) -> str:
        """All of them in a line."""
        return "; ".join(f"cell {number}: {said}" for number, said in self.cells.items()) or "none"


def run(path: Path, env: dict[str, str]) -> Failed:
    """Run all cells of a notebook, also those after one that fails."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook, timeout=SECONDS, allow_errors=True, kernel_name="python3", resources=resources
    )
    client.execute(env=env)
    found = {}
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        for output in cell.outputs:
            if output.output_type == "error":
                found[number] = " ".join(f"{output.ename}: {output.evalue}".split())[:200]
    return Failed(found)


def alone(env: dict[str, str]) -> dict[str, str]:
    """Return the environment without roost."""
    return {key: value for key, value in env.items() if not key.startswith(ROOSTS)}


def main() -> int:
    """Run all of them; 1 where a cell fails on one side only."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if "DASK_SCHEDULER_ADDRESS" not in os.environ:
        parser.error("no cluster: roost run NAME -- python scripts/run_notebooks.py FOLDER")
    code = 0
    paths = sorted(p.absolute() for p in options.folder.rglob("*.ipynb"))
    for path in (p for p in paths if ".ipynb_checkpoints" not in p.parts):
        here, there = run(path, dict(os.environ)), run(path, alone(dict(os.environ)))
        same = here.cells.keys() == there.cells.keys()
        print(f"{'same' if same else 'DIFFERENT'}  {path.relative_to(options.folder.absolute())}")
        print(f"    fails on roost: {here.words}")
        if not same:
            print(f"    fails alone:    {there.words}")
            code = 1
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
