"""What `up` costs on AWS: requests by the number of workers, and time against flintrock.

    uv run --group dev python benchmarks/aws.py [--runs 5] [--workers 100] [--upto 1000]
        [--no-install]

Both programs are started as users start them, against one moto server, in an account where nothing
of theirs is; requests are counted by the server's log. A head and N workers, without a disk or
address of its own, as a cluster is. The time is by turns, until they see that all machines run;
neither waits for SSH, which nothing in that account answers. flintrock (2.1.0, from PyPI) ends
in the next function that it calls, `provision_cluster`; roost's next one, `settle`, does nothing.
Fails where machines are missing, or where `up` takes too many requests.
"""

from __future__ import annotations

import argparse
from collections import Counter

from aws_bench import REGION, UP, Bench, account, load, ratio, row
from startup import PEERS, peers

STOPS_AT_RUNNING = """\
import os
import flintrock.ec2
from flintrock.__main__ import main
flintrock.ec2.provision_cluster = lambda **_: os._exit(0)
main()
"""
"""flintrock, up to the point where all machines run."""

MOST = 12
"""Requests of `roost up`, whatever the number of machines."""


def requests(workers: list[int]) -> None:
    """Prints a table: requests of `roost up`, until it sees that all machines run."""
    print("| workers | requests | target |\n|--:|--:|--:|")
    worst = 0
    with account() as bench:
        for number in workers:
            bench.empty()
            bench.clear_log()
            bench.run([*UP, bench.spec(number), "--yes"])
            count = sum(one["program"] == "roost" for one in bench.log())
            print(f"| {number:,} | {count} | <= {MOST} |", flush=True)
            if (machines := bench.machines()) != number + 1:
                raise SystemExit(f"{number + 1} machines wanted, {machines} made")
            worst = max(worst, count)
    if worst > MOST:
        raise SystemExit(f"`roost up` took {worst} requests; {MOST} are wanted")


def flintrock(bench: Bench, workers: int) -> list[str]:
    """The command for the same machines."""
    options = {
        "num-slaves": str(workers),
        "ec2-key-name": "key",
        "ec2-identity-file": str(bench.folder / ".ssh" / "id_ed25519"),
        "ec2-instance-type": "m7i.xlarge",
        "ec2-region": REGION,
        "ec2-ami": "ami-12c6146b",
        "ec2-user": "ubuntu",
        "ec2-authorize-access-from": "203.0.113.7",
    }
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    bare = ["--no-install-hdfs", "--no-install-spark", "--assume-yes"]
    return [str(PEERS / "bin" / "python"), "-c", STOPS_AT_RUNNING, "launch", "big", *words, *bare]


def against_flintrock(workers: int, runs: int) -> None:
    """Prints a table."""
    with account() as bench:
        commands = {
            "flintrock launch": flintrock(bench, workers),
            "roost up": [*UP, bench.spec(workers), "--yes"],
        }
        times = bench.turns(commands, runs, before=bench.empty)
        asked = Counter(one["program"] for one in bench.log())
        moto = {program: bench.served(program) for program in asked}
    print(f"\n1 + {workers} machines, {runs} runs each, {load()}\n")
    print("| command | requests | median s | min-max s | moto's part s | ratio | target |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, program in (("flintrock launch", "Boto3"), ("roost up", "roost")):
        each, served = asked[program] / runs, moto[program] / runs
        verdict = f"{ratio(times[name], times['flintrock launch'])} | <= 0.3"
        told = verdict if program == "roost" else " | "
        print(f"| {name} | {each:g} | {row(times[name])} | {served:.2f} | {told} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--upto", type=int, default=1000)
    parser.add_argument("--no-install", action="store_true")
    said = parser.parse_args()
    requests([number for number in (1, 10, 100, 1000) if number <= said.upto])
    if "flintrock" in peers(install=not said.no_install):
        against_flintrock(said.workers, said.runs)


if __name__ == "__main__":
    main()
