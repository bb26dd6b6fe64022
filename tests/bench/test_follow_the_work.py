"""Workers that follow the work on real machines: from 0 to as many as the queue needs, and to 0."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.bench import Bench, Roost, wait_for

pytestmark = [pytest.mark.bench, pytest.mark.long, pytest.mark.timeout(2400)]

SPEC = """\
name = "queue"
kind = "cluster"
cloud = "aws"
scheduler = "{scheduler}"
{more}
[aws]
region = "{region}"

[head]
type = "t3.small"
image = "debian-12"

[workers]
count = 0
min = 0
max = 2
type = "t3.small"
image = "debian-12"

[jupyter]
enabled = false

[access]
ssh = ["{caller}"]
"""
TASKS = """\
import time
from dask.distributed import Client

def work(number):
    with open(f"/tmp/ran-{number}", "a") as file:
        file.write("ran\\n")
    time.sleep(20)
    return number

client = Client()
found = client.gather(client.map(work, range(8), pure=False))
print(sum(found))
"""


@contextmanager
def following(roost: Roost) -> Iterator[list[str]]:
    """`roost follow` in the foreground; its lines, once it has ended by Ctrl-C."""
    line = roost.line("follow", "queue", "--every", "5s", "--quiet", "30s", "--yes")
    lines: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env=roost.environment, stdout=pipe, text=True) as follower:
        try:
            yield lines
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.stdout is not None
            lines += follower.stdout.read().splitlines()
            assert follower.wait(60) == 130


def workers(roost: Roost) -> int:
    """As many as are rented."""
    shown = roost("show", "queue", "--json").ok().json["instances"]
    return sum(one["role"] == "worker" for one in shown)


def up(bench: Bench, roost: Roost, scheduler: str, more: str = "") -> None:
    text = SPEC.format(region=bench.region, caller=bench.caller, scheduler=scheduler, more=more)
    told = roost("up", roost.file(text), "--yes", seconds=1500).ok()
    assert "between 0 and 2 (as the file says), while `roost follow queue` runs" in told.err
    assert workers(roost) == 0


def test_a_slurm_cluster_follows_its_queue(bench: Bench, roost: Roost) -> None:
    up(bench, roost, "slurm", 'shared = "/shared"')

    def head(line: str) -> str:
        words = ("bash", "-lc", f"cd /shared && {line}")
        return roost("ssh", "queue", "--", *words, seconds=180).ok().out

    with following(roost) as lines:
        job = "date >> ran-$SLURM_ARRAY_TASK_ID; sleep 20"
        head(f"sbatch --array=1-4 -c2 -o /dev/null --wrap '{job}'")
        head("sbatch -N2 -o /dev/null --wrap 'srun hostname > both'")
        wait_for(lambda: workers(roost) == 2, 600, "two workers")
        wait_for(lambda: head("squeue --noheader").strip() == "", 600, "no job")
        wait_for(lambda: workers(roost) == 0, 900, "no worker")
    assert head("cat ran-* | wc -l").strip() == "4"  # each once
    assert sorted(head("cat both").split()) == ["queue-worker-1", "queue-worker-2"]
    assert "0 -> 2 workers" in lines[0]
    roost("down", "queue", "--yes").ok()
    assert bench.left() == {}


def test_a_dask_cluster_follows_its_queue(bench: Bench, roost: Roost) -> None:
    bench.debian(bench.layer("dask", ("ca-certificates", "python3-venv")))
    up(bench, roost, "dask")
    (roost.home / "tasks.py").write_text(TASKS)
    roost("cp", roost.home / "tasks.py", "queue:queue/").ok()
    with following(roost) as lines:
        said = roost("run", "queue", "--", "python", "tasks.py", seconds=900).ok().out
        assert said == "28\n"
        wait_for(lambda: workers(roost) == 0, 900, "no worker")
    assert [line.split("queue: ")[1].split(" workers")[0] for line in lines][-1].endswith("-> 0")
    assert any("-> 2 workers" in line for line in lines)
    roost("down", "queue", "--yes").ok()
    assert bench.left() == {}
