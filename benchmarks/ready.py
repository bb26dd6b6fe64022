"""How long from `roost up` to ready, with 1, 4 and 8 machines at once: real ones, on the bench.

    uv run --group dev python benchmarks/ready.py [--runs 3] [--machines 1 4 8]

Machines of a classroom: the base set-up only, so that what is measured is what grows with the
number: EC2's calls, boots, connections, hand-overs. Beside it the same machines by hand: one
RunInstances, and `ssh HOST true` again and again until each answers and cloud-init is done. Both
boot the same machines on the same computer, by turns. Needs what the bench needs (root).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bench.bench import Bench, Roost, missing
from tests.bench.seats import CLASSROOM, spec


def with_roost(bench: Bench, seats: int) -> float:
    """Seconds of the whole command, which ends when all are ready."""
    with tempfile.TemporaryDirectory() as place:
        roost = Roost(bench, Path(place))
        file = roost.file(spec(bench, CLASSROOM).replace("seats = 2", f"seats = {seats}"))
        began = time.monotonic()
        roost("up", file, "--yes").ok()
        took = time.monotonic() - began
        roost("down", "room", "--yes").ok()
    bench.clear()
    return took


def by_hand(bench: Bench, seats: int) -> float:
    """Seconds until ssh gets in everywhere and cloud-init says that it is done."""
    with tempfile.TemporaryDirectory() as place:
        key = Path(place) / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        public = key.with_suffix(".pub").read_bytes()
        bench.ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=public)
        group = bench.ec2.create_security_group(GroupName="mine", Description="ssh")["GroupId"]
        bench.ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp=bench.caller
        )
        began = time.monotonic()
        made = bench.ec2.run_instances(
            ImageId=bench.image,
            InstanceType="t3.small",
            MinCount=seats,
            MaxCount=seats,
            KeyName="mine",
            SecurityGroupIds=[group],
            UserData="#cloud-config\n{}\n",
        )["Instances"]
        left = {one["InstanceId"] for one in made}
        while left:
            for one in list(left):
                if _answers(bench, one, key):
                    left.remove(one)
            time.sleep(0.2)
        took = time.monotonic() - began
    bench.clear()
    return took


def _answers(bench: Bench, instance: str, key: Path) -> bool:
    """Whether cloud-init is done there."""
    described = bench.one(instance).described
    if described["State"]["Name"] != "running" or "PublicIpAddress" not in described:
        return False
    line = ["ssh", "-F", "/dev/null", "-i", str(key), "-o", "StrictHostKeyChecking=no"]
    line += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"]
    line += [f"admin@{described['PublicIpAddress']}", "cloud-init status --wait"]
    return subprocess.run(line, capture_output=True, check=False).returncode in (0, 2)


def main() -> None:
    """A table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 4, 8])
    said = parser.parse_args()
    if (reason := missing()) is not None:
        sys.exit(reason)
    bench = Bench.start()
    times: dict[tuple[int, str], list[float]] = {}
    try:
        with_roost(bench, 1)  # the base system is built, and in memory
        for _ in range(said.runs):
            for seats in said.machines:
                times.setdefault((seats, "roost"), []).append(with_roost(bench, seats))
                times.setdefault((seats, "hand"), []).append(by_hand(bench, seats))
    finally:
        bench.stop()
    print("| machines | roost up, s | by hand, s | ratio |")
    print("|--:|--:|--:|--:|")
    for seats in said.machines:
        ours, hand = times[seats, "roost"], times[seats, "hand"]
        ratio = statistics.median(ours) / statistics.median(hand)
        print(f"| {seats} | {_spread(ours)} | {_spread(hand)} | {ratio:.2f} |")


def _spread(found: list[float]) -> str:
    return f"{statistics.median(found):.1f} ({min(found):.1f}-{max(found):.1f})"


if __name__ == "__main__":
    main()
