"""What `up` costs on OpenStack: requests by the number of workers, and time against `openstack`.

    uv run --group dev python benchmarks/openstack_up.py [--runs 3] [--workers 10] [--upto 100]
        [--no-install]

Both ask OpenStack's own services, which are real; their machines are only said to be there
(tests/openstack). Each time is in a project where nothing is. A head with a floating address and N
workers, as a cluster is. The peer is a script of python-openstackclient's commands, as the sites'
documentation has them, until all machines are ACTIVE; roost ends at the same moment, before the
hand-over by ssh. Requests are counted by a proxy in front of the services.
Fails where machines are missing, or where more workers take more requests that change something.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aws_bench import ROOST, UP, load, ratio, row

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.openstack import install
from tests.openstack.site import CLOUD, Project, Site, running

LIMIT = 1800
"""Seconds after which a program is taken to hang."""
SPEC = """\
name = "big"
kind = "cluster"
cloud = "openstack"
[openstack]
cloud = "{cloud}"
[head]
type = "m1.tiny"
image = "debian-12"
[workers]
count = {workers}
type = "m1.tiny"
image = "debian-12"
"""
BY_HAND = """\
set -e
openstack keypair create --public-key .ssh/id_ed25519.pub big
openstack security group create big
openstack security group rule create --protocol tcp --dst-port 22 --remote-ip 203.0.113.7/32 big
openstack security group rule create --protocol tcp --remote-group big big
same="--flavor m1.tiny --image debian-12 --network private --key-name big --security-group big"
openstack server create $same --wait big-head
address=$(openstack floating ip create -f value -c floating_ip_address public)
openstack server add floating ip big-head "$address"
openstack server create $same --min {workers} --max {workers} --wait big-worker
active="openstack server list --status ACTIVE -f value -c ID"
until [ "$($active | wc -l)" = {all} ]; do sleep 1; done
"""


def run(project: Project, folder: Path, argv: Sequence[str], path: str = "") -> float:
    """Seconds. Ends the benchmark where the program fails."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "ROOST_"))}
    environment = kept | project.environment(folder)
    environment |= {"OS_CLOUD": CLOUD, "HOME": str(folder), "ROOST_MY_ADDRESS": "203.0.113.7"}
    environment["PATH"] = f"{path}:{kept['PATH']}" if path else kept["PATH"]
    begun = time.perf_counter()
    done = subprocess.run(
        argv, capture_output=True, cwd=folder, check=False, env=environment, timeout=LIMIT
    )
    seconds = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit(f"{argv}: {done.stderr.decode()[-3000:]}")
    return seconds


def spec(folder: Path, workers: int) -> str:
    """The file of a cluster of a head and so many workers."""
    (folder / "big.toml").write_text(SPEC.format(cloud=CLOUD, workers=workers))
    return "big.toml"


def check(project: Project, workers: int) -> None:
    """Raise SystemExit where not all machines are there."""
    there = len(project.left().get("servers", ()))
    if there != workers + 1:
        raise SystemExit(f"{workers + 1} machines wanted, {there} made")


def requests(site: Site, folder: Path, workers: list[int]) -> None:
    """Prints a table: requests of `up`, and of `down`, which Nova takes one for each machine."""
    print("| workers | `up`: changes | looks | s | `down`: changes | looks | s |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    made: set[int] = set()
    for number in workers:
        project = site.project()
        counts: list[object] = []
        for argv in ([*UP, spec(folder, number), "--yes"], [ROOST, "down", "big", "--yes"]):
            site.proxy.begin()
            seconds = run(project, folder, argv)
            changes = sum(one.changes for one in site.proxy.moments)
            counts += [changes, len(site.proxy.moments) - changes, f"{seconds:.1f}"]
            if argv[-2] != "big":
                check(project, number)
                made.add(changes)
        print(f"| {number:,} | {' | '.join(map(str, counts))} |", flush=True)
    if len(made) > 1:
        raise SystemExit(f"`roost up` took {sorted(made)} requests that change something")


def against_the_client(site: Site, folder: Path, client: Path, workers: int, runs: int) -> None:
    """Prints a table."""
    script = BY_HAND.format(workers=workers, all=workers + 1)
    commands = {
        "openstack, ten commands": ["sh", "-c", script],
        "roost up": [*UP, spec(folder, workers), "--yes"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    asked: dict[str, int] = {}
    for _ in range(runs):
        for name, argv in commands.items():
            project = site.project()
            site.proxy.begin()
            times[name].append(run(project, folder, argv, str(client / "bin")))
            asked[name] = len(site.proxy.moments)
            check(project, workers)
            project.clear()
    print(f"\n1 + {workers} machines, {runs} runs each, {load()}\n")
    print("| command | requests | median s | min-max s | ratio |\n|---|--:|--:|--:|--:|")
    by_hand, _ = times.values()
    for name, found in times.items():
        print(f"| {name} | {asked[name]} | {row(found)} | {ratio(found, by_hand)} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--upto", type=int, default=100)
    parser.add_argument("--no-install", action="store_true")
    said = parser.parse_args()
    if (reason := install.missing()) is not None:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "site") as site:
        folder = Path(place) / "user"
        (folder / ".ssh").mkdir(parents=True)
        key = folder / ".ssh" / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        requests(site, folder, [n for n in (1, 10, 100) if n <= said.upto])
        if said.no_install and not install.is_installed(install.CLIENT):
            print("left out: openstack (its client is not installed)")
            return
        client = install.environment(install.CLIENT)
        against_the_client(site, folder, client, said.workers, said.runs)


if __name__ == "__main__":
    main()
