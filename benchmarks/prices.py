"""Time of what `roost plan` asks of the catalogue: import, load, search, estimate.

    python benchmarks/prices.py [REPEATS]

Each repeat is a fresh interpreter, since a catalogue is read once. Printed: the median in ms.
"""

import statistics
import subprocess
import sys

STEPS = """
import json, time
seconds = [time.perf_counter()]
def step(): seconds.append(time.perf_counter())
import dataclasses, decimal, difflib, datetime, pathlib, tomllib, typing; step()
import roost.catalogue; step()
aws = roost.catalogue.load("aws"); step()
aws.region("eu-west-1"); step()
import roost.cost.estimate, roost.cost.machines as machines; step()
needs = machines.Needs(gpus=1, memory_gib=16, cpus=4)
offers = machines.cheapest(aws, "eu-west-1", needs); step()
machines.cheapest(aws, "eu-west-1", needs); step()
from roost.cost.bill import Bill, Instances, Use, Volumes
from roost.cost.book import PriceBook
book = PriceBook(aws, datetime.date(2026, 10, 15))
kind = offers[0].instance_type.name
volumes = Volumes(30, "eu-west-1", volume_type="gp3", count=20)
bill = Bill((Instances(kind, "eu-west-1", 20), volumes))
roost.cost.estimate.estimate(bill, Use(16, 48), book); step()
print(json.dumps([after - before for before, after in zip(seconds, seconds[1:])]))
"""
NAMES = (
    "import of the standard library's parts",
    "import of roost.catalogue",
    "load of the instance types",
    "load of a region",
    "import of roost.cost",
    "first search (builds 1,395 types)",
    "second search",
    "estimate",
)


def main(argv: list[str]) -> int:
    import json

    repeats = int(argv[1]) if len(argv) > 1 else 20
    runs = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, "-c", STEPS], check=True, capture_output=True)
        runs.append(json.loads(done.stdout))
    for name, seconds in zip(NAMES, zip(*runs, strict=True), strict=True):
        print(f"{name:45} {1000 * statistics.median(seconds):7.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
