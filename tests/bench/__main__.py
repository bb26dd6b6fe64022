"""A bench by hand: ``python -m tests.bench`` starts one, with a shell in which roost uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.bench import Bench, Roost, at, missing
from tests.bench.machine import within
from tests.bench.sweep import alive, sweep

USAGE = """\
uv run --group dev python -m tests.bench                     a bench, and a shell that uses it
uv run --group dev python -m tests.bench env [BENCH]         the same, as exports for another shell
uv run --group dev python -m tests.bench ls                  benches and their machines
uv run --group dev python -m tests.bench in ID [COMMAND...]  root's shell (or a command) there
uv run --group dev python -m tests.bench sweep               end what dead benches left
"""


def main(words: list[str]) -> int:
    """One of the above."""
    match words:
        case []:
            return shell()
        case ["env", *which]:
            exports(which)
        case ["ls"]:
            listing()
        case ["in", one, *command]:
            return enter(one, command or ["bash", "-l"])
        case ["sweep"]:
            for place in sweep():
                print(f"gone: {place}")
        case _:
            print(USAGE, end="")
            return 2
    return 0


def shell() -> int:
    """Start a bench; when the shell ends, all of it is gone."""
    reason = missing()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    bench = Bench.start()
    try:
        with tempfile.TemporaryDirectory(prefix="roost-bench-home-") as home:
            roost = Roost(bench, Path(home))
            print(f"EC2: {bench.facts['endpoint']}, region {bench.region}, files {bench.place}")
            print(f'[access] ssh = ["{bench.caller}"] (which is "me"); HOME is {home}')
            print("exit ends the bench and all its machines")
            found = {**os.environ, **roost.environment, "PS1": "(bench) \\w \\$ "}
            return subprocess.call(["bash", "--norc"], env=found)
    finally:
        bench.stop()


def exports(which: list[str]) -> None:
    """Of the bench with that name, or that was started last."""
    for name, value in at(_bench(which)).environment.items():
        print(f"export {name}={value}")


def listing() -> None:
    """Every bench that lives, and its machines."""
    for place in alive():
        bench = at(place)
        if "endpoint" not in bench.facts:
            print(f"{place.name}  starting")
            continue
        print(f"{place.name}  {bench.facts['endpoint']}")
        for one, known in bench.control("machines").items():
            state = "off" if known["leader"] is None else f"pid {known['leader']}"
            print(f"  {one}  {known['private']:15}  {state}")


def enter(one: str, command: list[str]) -> int:
    """A command in the machine with that id, or address; the end of either is enough."""
    for place in alive():
        for known, facts in at(place).control("machines").items():
            if known.endswith(one) or facts["private"].endswith(one):
                return subprocess.call([*within(facts["leader"]), *command])
    print(f"no bench has a machine {one}", file=sys.stderr)
    return 1


def _bench(which: list[str]) -> Path:
    found = [place for place in alive() if place.name in which or not which]
    if not found:
        raise SystemExit("no bench runs here; start one: uv run --group dev python -m tests.bench")
    return max(found, key=lambda place: place.stat().st_mtime)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
