"""How long `roost ls` takes on AWS, against `aws ec2 describe-instances`, and where the time goes.

    uv run --group dev python benchmarks/aws_ls.py [--runs 7]

Both as users start them, by turns, against one moto server with a cluster of 10, then of 1,000
machines. Twice: moto itself answers (it takes seconds to describe 1,000 machines, whoever asks),
and the server gives moto's answers again from memory, the same bytes, so that the programs' own
time shows. The aws program is version 1, from PyPI, in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

from aws_bench import ROOST, Bench, account, load, ratio, row
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
from roost.cli.commands.ls import there
from roost.cli.options import Place
(looked_in,) = there(Place())
ec2 = looked_in.connect()
part("configuration, client")
from roost.providers.aws.listing import summaries
summaries(ec2, looked_in.region)
part("both calls, read")
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
    runs = parser.parse_args().runs
    aws = peers()["aws"]
    commands = {"aws": [aws, "ec2", "describe-instances"], "roost": [ROOST, "ls"]}
    spent: dict[int, dict[str, float]] = {}
    with account() as bench:
        print(f"{runs} runs each, {load()}\n")
        print(
            "| machines | answers by | aws s | min-max | moto's part | roost s | min-max "
            "| moto's part | ratio | target |"
        )
        print("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for machines in (10, 1000):
            bench.empty()
            bench.run([ROOST, "up", bench.spec(machines - 1), "--yes"])
            for answers in ("moto", "memory"):
                bench.tell("remember" if answers == "memory" else "forget")
                times = bench.turns(commands, runs)
                told = " | ".join(
                    f"{row(times[one])} | {bench.served(agent) / runs:.2f}"
                    for one, agent in (("aws", "aws-cli"), ("roost", "roost"))
                )
                verdict = ratio(times["roost"], times["aws"])
                print(f"| {machines:,} | {answers} | {told} | {verdict} | <= 0.5 |", flush=True)
            spent[machines] = parts(bench, runs)
            bench.tell("forget")
        starts = bench.turns(
            {
                "`python -c pass`": [sys.executable, "-c", "pass"],
                "`aws --version`": [aws, "--version"],
            },
            runs,
        )
        regions(bench, runs)
    print("\n| part of `roost ls`, ms | 10 | 1,000 |\n|---|--:|--:|")
    for name, found in starts.items():
        print(f"| ({name}) | {1000 * statistics.median(found):.0f} | |")
    for name, ms in spent[10].items():
        print(f"| {name} | {ms:.0f} | {spent[1000][name]:.0f} |")
    print(f"\n{load()}")


def regions(bench: Bench, runs: int) -> None:
    """Four regions at once, against one after the other. Prints a line."""
    bench.empty()
    four = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
    for region in four:
        bench.run([ROOST, "up", bench.spec(9, region), "--yes"])
    bench.tell("remember")
    each = {region: [ROOST, "ls", "--region", region] for region in four}
    times = bench.turns({"all": [ROOST, "ls"], **each}, runs)
    one_by_one = [sum(turn) for turn in zip(*(times[region] for region in four), strict=True)]
    print(f"\nfour regions of 10: `roost ls` {row(times['all'])}; one by one {row(one_by_one)}")


if __name__ == "__main__":
    main()
