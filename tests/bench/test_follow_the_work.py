"""Workers that follow the work on real machines: from 0 to as many as the queue needs, and to 0."""

from __future__ import annotations

import signal
import subprocess
import threading
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
max = 3
type = "t3.small"
image = "debian-12"

[jupyter]
enabled = false

[access]
ssh = ["{caller}"]
"""
NODES = "scontrol --oneliner show nodes"
TASKS = """\
import time
from dask.distributed import Client

def work(number):
    with open(f"/tmp/ran-{number}", "a") as file:
        file.write("ran\\n")
    time.sleep(20)
    return number

client = Client()
found = client.gather(client.map(work, range(40), pure=False))
print(sum(found))
"""


@contextmanager
def following(roost: Roost) -> Iterator[list[str]]:
    """`roost follow` in the foreground, until Ctrl-C; its lines as they come."""
    line = roost.line("follow", "queue", "--every", "5s", "--quiet", "30s", "--yes")
    lines: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env=roost.environment, stdout=pipe, text=True) as follower:
        out = follower.stdout
        assert out is not None
        reading = threading.Thread(target=lambda: lines.extend(map(str.strip, out)))
        reading.start()
        try:
            yield lines
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.wait(60) == 130
            reading.join()


def changes(lines: list[str]) -> list[str]:
    """``["0 -> 1", "1 -> 3", ...]``, as far as they are told."""
    return [line.split("queue: ")[1].split(" workers")[0] for line in lines]


def back_to_none(lines: list[str]) -> bool:
    """It has grown, and says itself that it is back."""
    return len(lines) > 1 and changes(lines)[-1].endswith("-> 0")


def workers(roost: Roost) -> int:
    """As many as are rented."""
    shown = roost("show", "queue", "--json").ok().json["instances"]
    return sum(one["role"] == "worker" for one in shown)


def up(bench: Bench, roost: Roost, scheduler: str, more: str = "") -> None:
    text = SPEC.format(region=bench.region, caller=bench.caller, scheduler=scheduler, more=more)
    told = roost("up", roost.file(text), "--yes", seconds=1500).ok()
    assert "between 0 and 3 (as the file says), while `roost follow queue` runs" in told.err
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
        wait_for(lambda: workers(roost) == 3, 600, "three workers")
        wait_for(lambda: head("squeue --noheader").strip() == "", 600, "no job")
        wait_for(lambda: back_to_none(lines), 900, "no worker")
    assert workers(roost) == 0
    assert head("cat ran-* | wc -l").strip() == "4"  # each once
    assert len(set(head("cat both").split())) == 2
    assert changes(lines)[0] == "0 -> 3"
    roost("down", "queue", "--yes").ok()
    assert bench.left() == {}


def test_a_worker_that_slurm_gives_up_is_replaced(bench: Bench, roost: Roost) -> None:
    """Its machine runs and answers, and takes no job any more: the one that it had begins again."""
    up(bench, roost, "slurm", 'shared = "/shared"')

    def head(line: str) -> str:
        words = ("bash", "-lc", f"cd /shared && {line}")
        return roost("ssh", "queue", "--", *words, seconds=180).ok().out

    with following(roost) as lines:
        head("sbatch -o /dev/null --wrap 'date >> again; sleep 40'")
        wait_for(lambda: head("cat again 2>&1 | grep -c 20 || true").strip() == "1", 600, "a job")
        hung = bench.machine("queue", "worker-1")
        assert hung.run("systemctl", "kill", "--signal=STOP", "roost-slurmd").code == 0
        wait_for(lambda: "State=DOWN" in head(NODES), 400, "a node that is down")
        wait_for(lambda: head("squeue --noheader").strip() == "", 900, "no job")
        wait_for(lambda: back_to_none(lines), 600, "no worker")
    assert head("cat again | wc -l").strip() == "2"
    assert changes(lines) == ["0 -> 1", "1 -> 0", "0 -> 1", "1 -> 0"]
    roost("down", "queue", "--yes").ok()
    assert bench.left() == {}


def test_a_dask_cluster_follows_its_queue(bench: Bench, roost: Roost) -> None:
    bench.debian(bench.layer("dask", ("ca-certificates", "python3-venv")))
    up(bench, roost, "dask")
    (roost.home / "tasks.py").write_text(TASKS)
    roost("cp", roost.home / "tasks.py", "queue:queue/").ok()
    with following(roost) as lines:
        said = roost("run", "queue", "--", "python", "tasks.py", seconds=1200).ok().out
        assert said == "780\n"
        wait_for(lambda: back_to_none(lines), 900, "no worker")
    assert workers(roost) == 0
    assert any(change.endswith("-> 3") for change in changes(lines))
    roost("down", "queue", "--yes").ok()
    assert bench.left() == {}
