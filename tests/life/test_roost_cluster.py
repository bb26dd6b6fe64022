"""``RoostCluster``, as a notebook uses it: in the cluster's environment, on the running cluster."""

from __future__ import annotations

import pytest

from tests.life.lab import Lab

pytestmark = pytest.mark.cluster

BEGIN = """
import os, time
from dask.distributed import Client
from roost.dask import RoostCluster

def until(true, patience=30):
    end = time.monotonic() + patience
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    assert true()
"""


@pytest.fixture
def up(lab: Lab) -> Lab:
    lab.roost("up")
    return lab


def test_a_client_on_it_and_closing_only_detaches(up: Lab) -> None:
    said = up.python(
        BEGIN
        + """
with RoostCluster("life") as cluster, Client(cluster) as client:
    assert cluster.observed == {"worker-1", "worker-2"}, cluster.observed
    assert cluster.dashboard_link.startswith("http://127.0.0.1:")
    assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
    print(client.submit(pow, 2, 10).result())
print(len(Client(RoostCluster.from_name("life")).nthreads()))
print(len(Client(n_workers=9, threads_per_worker=2).nthreads()))
"""
    )
    assert said.split() == ["1024", "2", "2"]


@pytest.mark.slow
def test_all_attachments_see_the_same(up: Lab) -> None:
    """Dask's own worker-status plugin knows one listener; ours are as many as there are."""
    up.python(
        BEGIN
        + """
one, two = RoostCluster(), RoostCluster()
one.scale(3)
until(lambda: len(one.observed) == 3 and len(two.observed) == 3)
two.scale(1)
until(lambda: len(one.observed) == 1 and len(two.observed) == 1)
assert one.plan == two.plan == one.observed, one.plan
"""
    )
    assert len(up.states()) == 2


@pytest.mark.slow
def test_adapting_follows_the_work(up: Lab) -> None:
    up.python(
        BEGIN
        + """
cluster = RoostCluster()
client = Client(cluster)
adaptive = cluster.adapt(minimum=0, maximum=3, interval="200ms", wait_count=2)
until(lambda: len(cluster.plan) == 0)
slow = client.map(lambda i: time.sleep(0.5) or i, range(40), pure=False)
until(lambda: len(cluster.plan) == 3)
assert client.gather(slow) == list(range(40))
del slow
until(lambda: len(cluster.plan) == 0)
assert adaptive.state == "running"
assert (adaptive.range.minimum, adaptive.range.maximum) == (0, 3)
assert adaptive.range.by == "cluster.adapt()"
cluster.scale(1)
assert adaptive.state == "stopped"
time.sleep(1)
assert len(cluster.plan) == 1
"""
    )
    assert len(up.states()) == 2


@pytest.mark.slow
def test_it_finds_a_restarted_scheduler(up: Lab) -> None:
    up.python(
        BEGIN
        + """
import psutil, signal
from roost.home import home
cluster = RoostCluster()
folder = str(home() / "local" / "life")
lines = {p.pid: " ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])}
module = "roost.notebook.dask.scheduler"
(pid,) = [pid for pid, line in lines.items() if folder in line.partition(module)[2]]
before = cluster.scheduler_info["id"]
assert before.startswith("Scheduler-")
os.kill(pid, signal.SIGKILL)
until(lambda: len(cluster.observed) == 2 and cluster.scheduler_info["id"] != before, 60)
assert Client(cluster).submit(sum, [1, 2]).result() == 3
"""
    )


@pytest.mark.slow
def test_asynchronous(up: Lab) -> None:
    said = up.python(
        BEGIN
        + """
import asyncio
async def main():
    async with RoostCluster("life", asynchronous=True) as cluster:
        async with Client(cluster, asynchronous=True) as client:
            print(await client.submit(sum, [1, 2, 3]))
asyncio.run(main())
"""
    )
    assert said == "6"


@pytest.mark.slow
def test_errors_say_what_to_do(up: Lab) -> None:
    said = up.python(
        BEGIN
        + """
for name in ("lief", "life"):
    try:
        RoostCluster(name)
    except Exception as error:
        print(type(error).__name__, error, error.next)
    if name == "lief":
        import subprocess, sys, json
        from roost.home import folder
        control = json.loads(folder("life").control.read_text())
        subprocess.run([*control["roost"], "stop", "life"], check=True, capture_output=True,
                       env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")})
"""
    )
    lines = said.splitlines()
    assert lines[0].startswith("NotFoundError no such cluster: lief. There are: life")
    assert lines[1] == "RoostError life does not run roost up life"
