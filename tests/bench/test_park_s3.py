"""A desktop's volume parked in S3 and brought back: all of it, whatever happens meanwhile."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from roost.recipes.desktop import novnc
from roost.recipes.sync import PACKAGES
from roost.spec import load
from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.config import Keys, Where
from tests.bench.bench import Bench, Machine, Ran, Roost
from tests.transfer.weed import Weed, weed

pytestmark = [pytest.mark.bench, pytest.mark.by_turns, pytest.mark.timeout(2400)]
STARS = """\
name = "stars"
kind = "desktop"
cloud = "aws"
protocol = "novnc"

[aws]
region = "{region}"

[machine]
type = "t3.medium"
image = "debian-12"
disk = "10GB"

[[volumes]]
name = "data"
size = "1GB"
park = "s3"
park_to = "s3://bucket/parked"

[access]
ssh = ["{caller}"]
"""
MAKE = r"""
import os, pathlib
os.chdir("/data")
for folder in range(6):
    pathlib.Path(f"raw/night {folder}").mkdir(parents=True)
    for number in range(50):
        name = f"raw/night {folder}/frame-{number:03}.fits"
        pathlib.Path(name).write_bytes(os.urandom(3000 + number))
for name in ("new\nline", "Ünï", "-rf", "'\"$x", "#%+&=@,;", "\N{SNOWMAN}", "~"):
    pathlib.Path(f"odd {name}").write_text(name)
pathlib.Path("large").write_bytes(os.urandom(20_000_000))
pathlib.Path("empty/inside").mkdir(parents=True)
pathlib.Path("zero").touch()
pathlib.Path("run.sh").write_text("#!/bin/sh\n")
os.chmod("run.sh", 0o755)
pathlib.Path("secret").write_text("root's")
os.chmod("secret", 0o600)
os.symlink("raw/night 0", "tonight")
os.symlink("/nowhere/at/all", "dangling")
os.mkfifo("pipe", 0o640)
os.setxattr("run.sh", "user.note", b"\x00of mine")
for folder, folders, files in os.walk("raw"):
    for name in (folder, *(os.path.join(folder, one) for one in files)):
        os.chown(name, 1000, 1000)
        os.utime(name, ns=(10**18 + len(name), 10**18 + len(name) * 1_000_007))
os.chmod("raw", 0o2775)
"""
ALL = r"""
import hashlib, json, os, stat
found = {}
for folder, folders, files in os.walk("/data"):
    for name in (folder, *(os.path.join(folder, one) for one in (*folders, *files))):
        if os.path.relpath(name, "/data") == "lost+found":
            continue
        info = os.lstat(name)
        kind = stat.S_IFMT(info.st_mode)
        to = os.readlink(name) if stat.S_ISLNK(info.st_mode) else ""
        body = open(name, "rb").read() if stat.S_ISREG(info.st_mode) else b""
        notes = {
            one: os.getxattr(name, one, follow_symlinks=False).hex()
            for one in os.listxattr(name, follow_symlinks=False) if one.startswith("user.")
        }
        found[os.path.relpath(name, "/data")] = [
            kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns,
            to, hashlib.sha256(body).hexdigest(), notes,
        ]
print(json.dumps(found))
"""
MOMENTS = (
    "programs that use its data end",
    "stop 1 instance",
    "record the S3 copy",
    "save the disk",
    "delete 1 instance",
    "delete 1 volume",
)
HOLDS = "exec 9>>/data/raw/held; touch /run/holds; sleep 100000"


@dataclass(frozen=True)
class Stars(Roost):
    """The real command, with S3 elsewhere than the rest of AWS."""

    weed: Weed

    @property
    def environment(self) -> dict[str, str]:
        return {**Roost.environment.fget(self), "AWS_ENDPOINT_URL_S3": self.weed.endpoint}  # type: ignore[attr-defined]

    def killed(self, *words: object, at: str) -> bool:
        """End it at once when it says this; False: it never did, and came to its end."""
        with subprocess.Popen(
            self.line(*words),
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if at in line:
                    process.kill()
                    return True
        return False


@pytest.fixture
def store(bench: Bench, tmp_path: Path) -> Iterator[Weed]:
    """S3, where the machines can reach it."""
    (tmp_path / "weed").mkdir()
    with weed(tmp_path / "weed", bench.caller.partition("/")[0], "testing", "testing") as running:
        yield running


@pytest.fixture
def bucket(store: Weed) -> Bucket:
    where = Where("us-east-1", store.endpoint, Keys("testing", "testing"))
    found = Bucket("bucket", where)
    found.client.call("CreateBucket", "PUT")
    return found


@pytest.fixture
def stars(bench: Bench, store: Weed, bucket: Bucket, tmp_path: Path) -> Stars:
    """The command; its desktop is up."""
    del bucket
    (tmp_path / "home").mkdir()
    stars = Stars(bench, tmp_path / "home", store)
    file = stars.file(STARS.format(region=bench.region, caller=bench.caller))
    packages = {name for step in novnc.steps(load(file)) for name in step.packages}
    bench.debian(bench.layer("desktop-s3", sorted(packages | set(PACKAGES))))
    stars("up", file, "--yes").ok()
    return stars


def all_of(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.run("python3", "-", text=ALL).ok().out)
    return found


def left_of(bench: Bench) -> dict[str, int]:
    mine = [{"Name": "tag:roost", "Values": ["stars"]}]
    reservations = bench.ec2.describe_instances(Filters=mine)["Reservations"]
    return {
        "machines": sum(
            i["State"]["Name"] != "terminated" for r in reservations for i in r["Instances"]
        ),
        "volumes": len(bench.ec2.describe_volumes(Filters=mine)["Volumes"]),
        "images": len(bench.ec2.describe_images(Owners=["self"], Filters=mine)["Images"]),
    }


@contextmanager
def vanishing(bucket: Bucket, key: str) -> Iterator[None]:
    """An object goes as soon as it is there."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            bucket.delete([key])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def objects(bucket: Bucket, base: str) -> dict[str, Any]:
    """What is in S3 of the volume, without roost's own."""
    return {
        one.name: (one.size, one.tag, one.mtime_ns)
        for one in bucket.objects(base)
        if not one.name.startswith(".roost/")
    }


def refused(told: Ran, *texts: str) -> None:
    assert told.code == 3, told.err
    for text in texts:
        assert text in told.err, told.err


def test_a_volume_goes_to_s3_and_comes_back_as_it_was(
    bench: Bench, stars: Stars, bucket: Bucket
) -> None:
    machine = bench.machine("stars", "desktop")
    machine.run("python3", "-", text=MAKE).ok()
    machine.run("systemd-run", "--unit=holds", "--uid=0", "sh", "-c", HOLDS).ok()
    mounted = [{"Name": "tag:roost:mount", "Values": ["/data"]}]
    (volume,) = bench.ec2.describe_volumes(Filters=mounted)["Volumes"]
    base = f"parked/stars/data/{volume['VolumeId']}/"

    # An object is not there when it is looked for: it is named, and nothing is deleted.
    with vanishing(bucket, f"{base}raw/night 3/frame-007.fits"):
        told = stars("park", "stars", "--yes")
    refused(told, "volume data", "raw/night 3/frame-007.fits: ", "next: roost park stars")
    assert machine.state == "running"
    machine.shell("touch /data/still-mine && rm /data/still-mine").ok()
    assert machine.run("systemctl", "is-active", "roost-desktop").out == "active\n"

    # Names that S3 cannot hold, or that this one changes.
    machine.shell("cd /data && touch \"$(printf 'not \\377 utf-8')\" 'a\\b'").ok()
    told = stars("park", "stars", "--yes")
    refused(told, "not \\udcff utf-8: its name is not UTF-8", "a\\b: this S3 keeps it under")
    machine.shell("cd /data && rm not* 'a\\b'").ok()

    # Killed while it was held: whoever wants to go on with work says so.
    assert stars.killed("park", "stars", "--yes", at="programs that use its data end")
    stars("up", stars.home / "spec.toml", "--yes").ok()
    machine.shell("touch /data/still-mine && rm /data/still-mine").ok()
    assert machine.run("systemctl", "is-active", "roost-desktop").out == "active\n"

    was = all_of(machine)
    assert len(was) > 320
    killed = [mark for mark in MOMENTS if stars.killed("park", "stars", "--yes", at=mark)]
    assert len(killed) >= 5, killed
    told = stars("park", "stars", "--yes").ok()
    assert f"data of volume data: s3://bucket/{base}, " in told.err
    assert left_of(bench) == {"machines": 0, "volumes": 0, "images": 1}
    assert sum("/frame-" in name for name in objects(bucket, base)) == 300

    for mark in ("the data of volume data comes from", "installing the S3 client", "is all there"):
        stars.killed("resume", "stars", at=mark)
    stars("resume", "stars", "--yes").ok()
    machine = bench.machine("stars", "desktop")
    now = all_of(machine)
    assert now == was
    assert machine.run("systemctl", "is-active", "roost-desktop").out == "active\n"

    # The second time only what has changed is sent, and what is gone goes.
    before = objects(bucket, base)
    machine.shell("cd /data && echo new > new && echo x >> 'raw/night 1/frame-001.fits'").ok()
    machine.shell("rm '/data/raw/night 2/frame-002.fits'").ok()
    was = all_of(machine)
    stars("park", "stars", "--yes").ok()
    after = objects(bucket, base)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == {
        "new",
        "raw/night 1/frame-001.fits",
        "raw/night 2/frame-002.fits",
    }
    assert "raw/night 2/frame-002.fits" not in after

    # An object that is not what was saved: until it is, nobody but root is let in.
    key = f"{base}raw/night 4/frame-004.fits"
    saved = bucket.get(key)
    bucket.put(key, saved.body[:-1] + b"?", {})
    refused(
        stars("resume", "stars", "--yes"),
        "raw/night 4/frame-004.fits: ",
        "next: roost resume stars",
    )
    machine = bench.machine("stars", "desktop")
    assert machine.run("stat", "-c", "%a %u", "/data").out == "700 0\n"
    assert "data not all back yet" in stars("show", "stars").err
    assert stars("park", "stars", "--mode", "snapshot", "--yes").code == 1
    bucket.put(key, saved.body, {})
    stars("resume", "stars", "--yes").ok()
    assert all_of(bench.machine("stars", "desktop")) == was

    told = stars("down", "stars", "--yes", "--delete-data", "stars").ok()
    assert f"aws s3 rm --recursive s3://bucket/{base}" in told.err
    assert bench.left() == {}
    assert objects(bucket, base)
