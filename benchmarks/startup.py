"""How long roost takes to say hello, against its peers, in one run.

    uv run --group dev python benchmarks/startup.py [--runs 15] [--no-install]

Peers are installed from PyPI into benchmarks/work/peers (flintrock, awscli v1); with --no-install
those that are not there are left out. All commands take turns, so that whatever else the machine
does hits them alike; medians are shown, with the spread.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks" / "work" / "peers"
CLASSROOM = """\
name = "big"
kind = "classroom"
cloud = "aws"
seats = {seats}
[aws]
region = "eu-west-1"
[machine]
cpus = 4
memory = "16GiB"
[[volumes]]
name = "data"
size = "30GB"
mount = "/data"
"""
SHOWS = {
    "roost --help": "Usage: roost",
    "roost --version": "roost",
    "roost plan pixinsight": "pixinsight",
    "roost plan, 1 seat": "big",
    "roost plan, 1000 seats": "big",
}
"""What a command that has done its work prints."""


def peers(install: bool) -> dict[str, str]:
    """The peers' commands, by name: installed where they are missing, or left out."""
    if install and not (PEERS / "bin" / "flintrock").exists():
        subprocess.run(["uv", "venv", "-q", str(PEERS)], check=True)
        packages = ["flintrock==2.1.0", "awscli<2", "setuptools"]
        subprocess.run(
            ["uv", "pip", "install", "-q", "--python", str(PEERS), *packages], check=True
        )
    commands = {name: PEERS / "bin" / name for name in ("flintrock", "aws")}
    for name, path in commands.items():
        if not path.exists():
            print(f"left out, not installed in {PEERS}: {name}", file=sys.stderr)
    return {name: str(path) for name, path in commands.items() if path.exists()}


def once(argv: list[str], shows: str = "") -> float:
    """Seconds. Ends the benchmark where the program fails, or does not print ``shows``."""
    # As a user has it: Python keeps its compiled bytecode after the first run.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, cwd=ROOT, check=False, env=env)
    seconds = time.perf_counter() - begun
    if done.returncode != 0 or shows not in done.stdout.decode():
        raise SystemExit(f"{argv}: {done.stdout.decode()}{done.stderr.decode()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--no-install", action="store_true")
    said = parser.parse_args()
    runs = said.runs
    peer = peers(install=not said.no_install)
    roost = str(Path(sys.executable).parent / "roost")
    with tempfile.TemporaryDirectory() as folder:
        for seats in (1, 1000):
            Path(folder, f"{seats}.toml").write_text(CLASSROOM.format(seats=seats))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            **({"flintrock --help": [peer["flintrock"], "--help"]} if "flintrock" in peer else {}),
            "roost --help": [roost, "--help"],
            "roost --version": [roost, "--version"],
            **({"aws --version": [peer["aws"], "--version"]} if "aws" in peer else {}),
            "roost plan pixinsight": [roost, "plan", "examples/pixinsight.toml"],
            "roost plan, 1 seat": [roost, "plan", f"{folder}/1.toml"],
            "roost plan, 1000 seats": [roost, "plan", f"{folder}/1000.toml"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for name, argv in commands.items():
            once(argv, SHOWS.get(name, ""))  # caches warm for all
        for _ in range(runs):
            for name, argv in commands.items():
                times[name].append(once(argv))
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratios = {
        "roost --help": ("flintrock --help", 0.5),
        "roost --version": ("flintrock --help", 0.5),
        "roost plan pixinsight": ("aws --version", 0.5),
        "roost plan, 1000 seats": ("roost plan, 1 seat", 1.5),
    }
    print(f"{platform.platform()}, Python {platform.python_version()}, {runs} runs each\n")
    print("| command | median s | min-max s | against | ratio | target |")
    print("|---|---|---|---|---|---|")
    for name, found in times.items():
        against, target = ratios.get(name, ("", 0))
        ratio = f"{medians[name] / medians[against]:.2f}" if against in medians else ""
        limit = f"<= {target}" if against else ""
        spread = f"{min(found):.3f}-{max(found):.3f}"
        print(f"| {name} | {medians[name]:.3f} | {spread} | {against} | {ratio} | {limit} |")


if __name__ == "__main__":
    main()
