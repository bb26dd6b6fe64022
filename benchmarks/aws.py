"""What `up` costs on AWS: requests by the number of workers, and time against flintrock.

    uv run --group dev python benchmarks/aws.py [--runs 5] [--workers 100]

Both programs are started as users start them, against one moto server, in an account where nothing
of theirs is; requests are counted by the server's log. A head and N workers, without a disk or
address of its own, as a cluster is. The time is by turns, until they see that all machines run.
flintrock (2.1.0, from PyPI) would go on and wait for SSH: the next function that it calls,
`provision_cluster`, ends the process instead.
"""

from __future__ import annotations

import argparse
from collections import Counter

from aws_bench import REGION, ROOST, Bench, account, load, ratio, row
from startup import PEERS, peers

STOPS_AT_RUNNING = """\
import os
import flintrock.ec2
from flintrock.__main__ import main
flintrock.ec2.provision_cluster = lambda **_: os._exit(0)
main()
"""
"""flintrock, up to the point where all machines run."""


def requests(workers: tuple[int, ...]) -> None:
    """Prints a table: requests of `roost up`, until it sees that all machines run."""
    print("| workers | requests | target |\n|--:|--:|--:|")
    with account() as bench:
        for number in workers:
            bench.empty()
            bench.clear_log()
            bench.run([ROOST, "up", bench.spec(number), "--yes"])
            asked = [one for one in bench.log() if one["program"] == "roost"]
            print(f"| {number:,} | {len(asked)} | <= 12 |", flush=True)


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
    peers()
    with account() as bench:
        commands = {
            "flintrock launch": flintrock(bench, workers),
            "roost up": [ROOST, "up", bench.spec(workers), "--yes"],
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
    said = parser.parse_args()
    requests((1, 10, 100, 1000))
    against_flintrock(said.workers, said.runs)


if __name__ == "__main__":
    main()
