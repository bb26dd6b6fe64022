"""Every benchmark at its smallest size: what it measures works, and its results are right.

    uv run --group dev python benchmarks/smoke.py [NAME ...]

Times are not looked at. Each benchmark checks its results itself, and fails where they are wrong.
Peers that are not installed are left out, which is printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
LIMIT = 180
"""Seconds after which a benchmark is taken to hang."""
SMALLEST = {
    "startup": "--runs 1 --no-install",
    "prices": "1",
    "aws": "--runs 1 --workers 1 --upto 10 --no-install",
    "aws_ls": "--runs 1 --machines 10 --no-install",
    "sync": "--runs 1 --files 50 --blocks 2 --objects 100",
    "cluster": "--runs 1",
    "scene": "--runs 1 --data examples/ndvi/data",
    "ready": "--runs 1 --machines 1",
    "openstack_up": "--runs 1 --workers 1 --upto 1 --no-install",
    "wall": "--seats 5 --seconds 6",
}
"""The words of each benchmark's smallest size."""
PYTHON = {"scene": ["uv", "run", "--frozen", "--project", "examples/ndvi", "python"]}
"""Of those that need another environment than this one."""
PARTS = {"aws_bench", "aws_server", "smoke"}
"""Modules in this folder that are no benchmarks."""


def main(names: list[str]) -> int:
    """Run them one after the other; print the whole output of those that fail."""
    there = {path.stem for path in Path(__file__).parent.glob("*.py")} - PARTS
    if there != set(SMALLEST):
        raise SystemExit(f"not in SMALLEST, or not there: {sorted(there ^ set(SMALLEST))}")
    results = [run(name) for name in names or SMALLEST]
    return 0 if all(results) else 1


def run(name: str) -> bool:
    """Whether a benchmark went well, or there was a reason to leave it out."""
    if reason := MISSING.get(name, lambda: None)():
        print(f"{name}: left out: {reason}")
        return True
    python = PYTHON.get(name, [sys.executable])
    line = [*python, f"benchmarks/{name}.py", *SMALLEST[name].split()]
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    begun = time.monotonic()
    try:
        done = subprocess.run(
            line,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        print(f"{name}: not done after {LIMIT} s\n{(error.output or b'').decode()}", flush=True)
        return False
    if done.returncode != 0:
        print(f"{name}: exit code {done.returncode}\n{done.stdout}", flush=True)
        return False
    print(f"{name}: ok, {time.monotonic() - begun:.0f} s", flush=True)
    for text in done.stdout.splitlines():
        if text.startswith("left out"):
            print(f"  {text}", flush=True)
    return True


def _no_bench() -> str | None:
    """Why no real machines can be booted here within the time."""
    from tests.bench.bench import missing
    from tests.bench.places import CACHE

    if (reason := missing()) is not None:
        return reason
    if not CACHE.is_dir():
        return "the machines' base system is not built yet (tests/bench builds it)"
    return None


def _no_openstack() -> str | None:
    """Why OpenStack's services cannot be started here within the time."""
    from tests.openstack.install import is_installed

    if not is_installed():
        return "OpenStack's services are not installed yet (pytest -m openstack installs them)"
    return None


MISSING = {"ready": _no_bench, "openstack_up": _no_openstack}
"""What says why a benchmark cannot be here."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
