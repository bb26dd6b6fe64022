"""The number of workers follows the work by itself: no client, no notebook and no roost runs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.life.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

WORK = """
import sys, time
from dask.distributed import Client, fire_and_forget
from roost.dask import RoostCluster

def work(number, seconds, log):
    with open(log, "a") as file:
        file.write(f"{number}\\n")
    time.sleep(seconds)
    return number

client = Client(RoostCluster("life"))
"""


def workers(lab: Lab) -> int:
    return sum(name.startswith("worker-") for name in lab.states())


def until(lab: Lab, count: int, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while workers(lab) != count:
        assert time.monotonic() < end, (count, lab.states())
        time.sleep(0.2)


def test_the_file_says_a_range_and_the_queue_fills_it(lab: Lab, tmp_path: Path) -> None:
    """0 to 3 by the queue and back to 0, with nobody there; each task runs once."""
    lab.write(workers=0, most=3)
    said = lab.roost("up").stderr
    assert "follows the work, between 0 and 3 (as the file says)" in said
    log = tmp_path / "ran"
    lab.python(
        f"{WORK}\nfire_and_forget(client.map(work, range(12), seconds=2, log={str(log)!r}))\n"
        "time.sleep(0.5)\n"
    )
    until(lab, 3)
    until(lab, 0)
    assert sorted(map(int, log.read_text().split())) == list(range(12))
    assert "follows the work" in lab.roost("up").stderr
    assert workers(lab) == 0  # `up` again adds nobody to what follows the work
    lab.roost("scale", "life", "1")
    time.sleep(5)
    assert workers(lab) == 1  # a number holds until a range is given again
    lab.roost("scale", "life", "0..2")
    until(lab, 0)
    # A script that waits for workers before it has any work is not left alone.
    lab.python(f"{WORK}\nclient.wait_for_workers(1, timeout=60)\n")
    wrong = lab.roost("scale", "life", "0..9", code=2).stderr
    assert "the file of life says max = 3 workers" in wrong
    assert json.loads((lab.home / "local" / "life" / "range.json").read_text())["maximum"] == 2


def test_tasks_that_come_as_a_worker_goes_run_once(lab: Lab, tmp_path: Path) -> None:
    """A worker gets no task from the moment on at which it is decided that it goes."""
    lab.roost("up")
    log = tmp_path / "ran"
    lab.python(
        f"""{WORK}
RoostCluster("life").adapt(minimum=0, maximum=2, interval="1s")
for round in range(4):
    time.sleep(4.5 - round / 4)
    both = client.map(work, [10 * round, 10 * round + 1], seconds=4, log={str(log)!r}, pure=False)
    assert len(client.gather(both)) == 2
    del both
"""
    )
    ran = sorted(map(int, log.read_text().split()))
    assert ran == [10 * turn + one for turn in range(4) for one in (0, 1)]
    lab.roost("stop", "life")
    time.sleep(3)
    assert set(lab.states().values()) == {"stopped"}  # what is stopped asks for nothing
