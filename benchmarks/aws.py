"""How many requests `up` costs on AWS, by the number of workers.

    uv run python benchmarks/aws.py

Against moto made as strict as EC2 (tests/aws/strict.py), by its log of calls; a head and N workers
in an account where nothing of roost's is. Without a disk or address of its own, as a cluster is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def count(workers: int) -> tuple[int, int]:
    """Requests to EC2, and to SSM."""
    from moto import mock_aws

    from tests.aws.conftest import Account
    from tests.aws.strict import Weather
    from tests.aws.scenes import cluster

    with mock_aws(), tempfile.TemporaryDirectory() as folder:
        account = Account(Path(folder))
        account.ec2.weather = Weather(delay=0)
        account.up(cluster(workers))
        return len(account.ec2.calls), len(account.ssm.asked)


def main() -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    print("| workers | requests to EC2 | to SSM | together | target |")
    print("|--:|--:|--:|--:|--:|")
    for workers in (1, 10, 100, 1000):
        ec2, ssm = count(workers)
        print(f"| {workers:,} | {ec2} | {ssm} | {ec2 + ssm} | <= 12 |")


if __name__ == "__main__":
    main()
