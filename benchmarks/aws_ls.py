"""How long `roost ls` takes on AWS, against `aws ec2 describe-instances`, and where the time goes.

    uv run --group dev python benchmarks/aws_ls.py [--runs 7] [--machines 10 1000]
        [--no-install]

Both as users start them, by turns, against one moto server with a cluster of 10, then of 1,000
machines. Twice: moto itself answers (it takes seconds to describe 1,000 machines, whoever asks),
and the server gives moto's answers again from memory, the same bytes, so that the programs' own
time shows. The aws program is version 1, from PyPI, in an environment of its own. Fails where
`roost ls` does not count the machines that there are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping

from aws_bench import ROOST, UP, Bench, Command, account, load, ratio, row
from startup import peers

PARTS = """\
import gc, json, time
gc.set_threshold(100_000, 20, 20)
spent, last = {}, time.perf_counter()
def part(name):
    global last
    now = time.perf_counter()
    spent[name] = now - last
    last = now
import roost.cli.main
part("click and roost")
import botocore.session
import botocore.client
part("import of botocore")
from roost.providers.aws.listing import listings, summaries
from roost.providers.aws.optional import Unknowns
(looked_in,) = listings(("eu-central-1",), None, Unknowns())
ec2 = looked_in.connect()
part("configuration, client")
summaries(ec2, looked_in.region, looked_in.unknowns)
part("all calls, read")
print(json.dumps(spent))
"""
"""What `roost ls` does, with a clock."""


def parts(bench: Bench, runs: int) -> dict[str, float]:
    """Milliseconds of each part, medians."""
    found: list[dict[str, float]] = []
    for _ in range(runs + 1):
        done = subprocess.run(
            [sys.executable, "-c", PARTS],
            capture_output=True,
            check=True,
            env=bench.environment,
            cwd=bench.folder,
        )
        found.append(json.loads(done.stdout))
    return {name: 1000 * statistics.median(one[name] for one in found[1:]) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--machines", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--no-install", action="store_true")
    said = parser.parse_args()
    aws = peers(install=not said.no_install).get("aws")
    commands = {"roost": [ROOST, "ls"]}
    versions = {"`python -c pass`": [sys.executable, "-c", "pass"]}
    if aws is not None:
        commands |= {"aws": [aws, "ec2", "describe-instances"]}
        versions |= {"`aws --version`": [aws, "--version"]}
    spent: dict[int, dict[str, float]] = {}
    with account() as bench:
        print(f"{said.runs} runs each, {load()}\n")
        print(
            "| machines | answers by | aws s | min-max | moto's part | roost s | min-max "
            "| moto's part | ratio | target |"
        )
        print("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for machines in said.machines:
            fill(bench, machines)
            for answers in ("moto", "memory"):
                bench.tell("remember" if answers == "memory" else "forget")
                compare(bench, commands, said.runs, f"{machines:,} | {answers}")
            spent[machines] = parts(bench, said.runs)
            bench.tell("forget")
        starts = bench.turns(versions, said.runs)
        regions(bench, said.runs)
    sizes = [f"{machines:,}" for machines in said.machines]
    print(f"\n| part of `roost ls`, ms | {' | '.join(sizes)} |\n|---|{'--:|' * len(sizes)}")
    for name, found in starts.items():
        print(f"| ({name}) | {1000 * statistics.median(found):.0f} |{' |' * (len(sizes) - 1)}")
    for name in spent[said.machines[0]]:
        cells = [f"{spent[machines][name]:.0f}" for machines in said.machines]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{load()}")


def fill(bench: Bench, machines: int) -> None:
    """An account with a cluster of so many machines, which `roost ls` counts."""
    bench.empty()
    bench.run([*UP, bench.spec(machines - 1), "--yes"])
    if (counted := bench.machines()) != machines:
        raise SystemExit(f"there are {machines} machines; `roost ls` counts {counted}")


def compare(bench: Bench, commands: Mapping[str, Command], runs: int, title: str) -> None:
    """Prints a row; empty cells where aws is not installed."""
    times = bench.turns(commands, runs)
    told = " | ".join(
        f"{row(times[program])} | {bench.served(agent) / runs:.2f}" if program in times else " | | "
        for program, agent in (("aws", "aws-cli"), ("roost", "roost"))
    )
    verdict = ratio(times["roost"], times["aws"]) if "aws" in times else ""
    print(f"| {title} | {told} | {verdict} | <= 0.5 |", flush=True)


def regions(bench: Bench, runs: int) -> None:
    """Four regions at once, against one after the other. Prints a line."""
    bench.empty()
    four = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
    for region in four:
        bench.run([*UP, bench.spec(9, region), "--yes"])
    if (counted := bench.machines()) != 10 * len(four):
        raise SystemExit(f"there are {10 * len(four)} machines; `roost ls` counts {counted}")
    bench.tell("remember")
    each = {region: [ROOST, "ls", "--region", region] for region in four}
    times = bench.turns({"all": [ROOST, "ls"], **each}, runs)
    one_by_one = [sum(turn) for turn in zip(*(times[region] for region in four), strict=True)]
    print(f"\nfour regions of 10: `roost ls` {row(times['all'])}; one by one {row(one_by_one)}")


if __name__ == "__main__":
    main()
