"""Killed at any moment: the same command again makes all of it right, and nothing is left over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roost.transfer.key_rules import PART as RECEIVING
from roost.transfer.s3.client import PART
from tests.interrupts import heeds_interrupts
from tests.transfer.conftest import Store, grow, tree


def mixed(seed: int, large: int = 1) -> dict[str, bytes]:
    """Two hundred small files, some empty, and a few large ones."""
    noise = random.Random(seed)
    small = {f"d{i % 7}/f{i}": noise.randbytes(noise.choice([0, 10, 3000])) for i in range(200)}
    big = {f"big/{i}": noise.randbytes(PART * 2 + noise.randrange(PART)) for i in range(large)}
    return {**small, **big}


def start(store: Store, home: Path, *words: object) -> subprocess.Popen[bytes]:
    env = {**os.environ, **store.weed.env(ROOST_HOME=str(home))}
    line = [sys.executable, "-m", "roost", "sync", *map(str, words), "--quiet"]
    return subprocess.Popen(
        line,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=heeds_interrupts,
    )


def finish(store: Store, home: Path, *words: object) -> float:
    """Run it to its end; how long that took."""
    begun = time.monotonic()
    process = start(store, home, *words)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out.decode()
    return time.monotonic() - begun


def kill_at(store: Store, home: Path, moment: float, *words: object) -> bool:
    """Kill it after so many seconds; whether it was still at work."""
    process = start(store, home, *words)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def check_killed(tmp_path: Path, home: Path, store: Store, times: int, large: int) -> int:
    """Up and down again, killed so many times each way; how often it was at work then."""
    noise = random.Random(times)
    files = mixed(times, large)
    source = grow(tmp_path / "source", files)
    killed = 0
    took = finish(store, home, source, f"s3://{store.bucket.name}/{store.base}dry-run")
    up, down = (source, store.place), (store.place, tmp_path / "back")
    for way in (up, down):
        for _ in range(times):
            while not kill_at(store, home, noise.uniform(0.1, 0.9) * took, *way):
                # It was done before that moment: give it something to do.
                grow(source, {"big/0": noise.randbytes(PART * 2 + noise.randrange(PART))})
                changed = source / f"d1/f{noise.randrange(0, 28) * 7 + 1}"
                changed.write_bytes(noise.randbytes(2000))
                if way == down:
                    finish(store, home, *up)
                took *= 0.9
            killed += 1
        finish(store, home, *way)
    finish(store, home, *up)
    finish(store, home, *down, "--delete", "--yes", "--exclude", "dry-run")
    assert store.unfinished() == []
    assert list((tmp_path / "back").rglob(f"*{RECEIVING}")) == []
    back = {k: v for k, v in tree(tmp_path / "back").items() if not k.startswith("dry-run")}
    assert back == tree(source)
    for name in files:
        there, here = (tmp_path / "back" / name).stat(), (source / name).stat()
        assert there.st_mtime_ns == here.st_mtime_ns
    return killed


@pytest.mark.slow
def test_killed_once_each_way(tmp_path: Path, home: Path, store: Store) -> None:
    check_killed(tmp_path, home, store, times=1, large=1)


@pytest.mark.slow
def test_killed_at_many_moments(tmp_path: Path, home: Path, store: Store) -> None:
    assert check_killed(tmp_path, home, store, times=12, large=2) == 24


def test_an_interrupt_ends_it_soon_and_the_next_run_goes_on(
    tmp_path: Path, home: Path, store: Store
) -> None:
    source = grow(tmp_path / "source", mixed(3, large=0))
    process = start(store, home, source, store.place, "--concurrency", "2")
    time.sleep(0.8)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode in {130, 0}, out.decode()
    finish(store, home, source, store.place)
    assert store.all() == tree(source)
    assert store.unfinished() == []
