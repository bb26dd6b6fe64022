"""What `up` costs on AWS: requests by the number of workers, and time against flintrock.

    uv run python benchmarks/aws.py [--runs 5] [--workers 100]

The requests are counted by the log of a moto that is as strict as EC2 (tests/aws/strict.py); a
head and N workers, in an account where nothing of roost's is. Without a disk or address of its own,
as a cluster is. The time is of both programs as users start them, by turns, against one moto
server, until they see that all machines run. flintrock (2.1.0, from PyPI) would go on and wait for
SSH: the next function that it calls, `provision_cluster`, ends the process instead.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from aws_bench import REGION, ROOST, Bench, account, load, ratio, row
from startup import PEERS, peers

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
STOPS_AT_RUNNING = """\
import os
import flintrock.ec2
from flintrock.__main__ import main
flintrock.ec2.provision_cluster = lambda **_: os._exit(0)
main()
"""
"""flintrock, up to the point where all machines run."""


def count(workers: int) -> tuple[int, int]:
    """Requests to EC2, and to SSM."""
    from moto import mock_aws

    from tests.aws.conftest import Account
    from tests.aws.scenes import cluster
    from tests.aws.strict import Weather

    with mock_aws(), tempfile.TemporaryDirectory() as folder:
        account = Account(Path(folder))
        account.ec2.weather = Weather(delay=0)
        account.up(cluster(workers))
        return len(account.ec2.calls), len(account.ssm.asked)


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
        requests, served = asked[program] / (runs + 1), moto[program] / (runs + 1)
        verdict = f"{ratio(times[name], times['flintrock launch'])} | <= 0.3"
        told = verdict if program == "roost" else " | "
        print(f"| {name} | {requests:g} | {row(times[name])} | {served:.2f} | {told} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=100)
    said = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    print("| workers | requests to EC2 | to SSM | together | target |")
    print("|--:|--:|--:|--:|--:|")
    for workers in (1, 10, 100, 1000):
        ec2, ssm = count(workers)
        print(f"| {workers:,} | {ec2} | {ssm} | {ec2 + ssm} | <= 12 |")
    against_flintrock(said.workers, said.runs)


if __name__ == "__main__":
    main()
