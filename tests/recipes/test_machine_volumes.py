"""Volumes on real block devices: only what is blank is formatted, nothing else is changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.machine import devices, prewarm, volumes
from roost.machine.common import Machine, read, write
from roost.machine.devices import Content, decide, probe
from roost.machine.platforms.ec2 import ebs_name, find, identify
from tests.recipes.conftest import MIB, Disk, tell_facts

Disks = Callable[..., Disk]
DATA = {"name": "data", "device": "/dev/sdf", "mount": "/data", "mode": "0755", "warm": False}
SCRATCH = {**DATA, "name": "scratch", "device": "/dev/sdg", "mount": "/scratch", "mode": "1777"}


def digest(disk: Disk) -> str:
    return hashlib.sha256(disk.file.read_bytes()).hexdigest()


def sh(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (Content(blank=True), "format"),
        (Content(blank=False), "refuse"),
        (Content(kind="ext4", uuid="u"), "mount"),
        (Content(kind="xfs", uuid="u"), "mount"),
        (Content(kind="LVM2_member", uuid="u"), "refuse"),
        (Content(kind="crypto_LUKS", uuid="u"), "refuse"),
        (Content(table="gpt"), "refuse"),
        (Content(table="dos", blank=True), "refuse"),
        (Content(kind="ext4", uuid="u", table="gpt"), "refuse"),
        (Content(unclear="two signatures", blank=True), "refuse"),
    ],
)
def test_only_what_is_blank_is_formatted(content: Content, verdict: str) -> None:
    assert decide(content)[0] == verdict


def test_a_blank_volume_is_formatted_mounted_and_given_to_the_user(
    machine: Machine, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "first_user", lambda: (1000, 1000))
    tell_facts(machine, volumes=[DATA, SCRATCH])
    disk, _ = disks("sdf"), disks("sdg")

    found = volumes.settle(machine)

    data = machine.at("/data").stat()
    assert (data.st_uid, data.st_mode & 0o7777) == (1000, 0o755)
    assert machine.at("/scratch").stat().st_mode & 0o7777 == 0o1777
    assert os.path.ismount(machine.at("/data"))
    assert found["data"]["state"] == "mounted"
    assert found["data"]["fs"] == "ext4"
    uuid = probe(disk.path).uuid
    line = machine.at("/etc/fstab").read_text().splitlines()[0]
    assert line == (
        f"UUID={uuid} /data ext4 "
        "defaults,noatime,nofail,x-systemd.device-timeout=30s,x-roost=data 0 2"
    )
    assert list(machine.at(volumes.FORMATTING).iterdir()) == []


def test_what_is_on_it_stays_and_twice_is_once(machine: Machine, disks: Disks) -> None:
    tell_facts(machine, volumes=[DATA])
    disk = disks("sdf")
    sh("mkfs.ext4", "-q", disk.path)
    before = probe(disk.path).uuid
    machine.at("/etc/fstab").write_text(
        "# mine\nUUID=root / ext4 defaults 0 1\nUUID=old /data xfs nofail,x-roost=data 0 0\n"
    )

    volumes.settle(machine)
    machine.at("/data/result").write_text("42")
    machine.at("/data").chmod(0o700)
    first = machine.at("/etc/fstab").read_text()
    again = volumes.settle(machine)

    assert again["data"]["uuid"] == before
    assert machine.at("/data/result").read_text() == "42"
    assert machine.at("/data").stat().st_mode & 0o777 == 0o700
    assert machine.at("/etc/fstab").read_text() == first
    assert first.splitlines()[:2] == ["# mine", "UUID=root / ext4 defaults 0 1"]
    assert len(first.splitlines()) == 3
    assert f"UUID={before} /data ext4 " in first


def test_a_restart_finds_the_same_data(machine: Machine, disks: Disks) -> None:
    tell_facts(machine, volumes=[DATA])
    disks("sdf")
    volumes.settle(machine)
    machine.at("/data/result").write_text("42")
    sh("umount", str(machine.at("/data")))

    assert volumes.settle(machine)["data"]["state"] == "mounted"
    assert machine.at("/data/result").read_text() == "42"


def write_gpt(disk: Disk) -> None:
    """Write a GPT of one partition for Linux, as the first blocks of the disk hold it."""
    last = disk.file.stat().st_size // 512 - 1
    linux = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
    entry = struct.pack("<16s16sQQQ72s", linux, uuid.uuid4().bytes_le, 2048, last - 34, 0, b"")
    entries = entry + bytes(127 * len(entry))

    def header(crc: int) -> bytes:
        begin = struct.pack("<8sIIII", b"EFI PART", 0x10000, 92, crc, 0)
        places = struct.pack("<QQQQ16s", 1, last, 34, last - 33, uuid.UUID(int=1).bytes_le)
        return begin + places + struct.pack("<QIII", 2, 128, len(entry), zlib.crc32(entries))

    covers_all = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, last)
    protective = bytes(446) + covers_all + bytes(48) + b"\x55\xaa"
    with open(disk.path, "r+b") as file:
        file.write(protective + header(zlib.crc32(header(0))).ljust(512, b"\0") + entries)


@pytest.mark.parametrize("what", ["swap", "partitions", "noise at the front", "noise in the end"])
def test_what_it_does_not_know_it_does_not_touch(machine: Machine, disks: Disks, what: str) -> None:
    tell_facts(machine, volumes=[DATA])
    disk = disks("sdf")
    if what == "swap":
        sh("mkswap", disk.path)
    elif what == "partitions":
        write_gpt(disk)
    else:
        with open(disk.path, "r+b") as file:
            file.seek(5000 if "front" in what else -5000, 0 if "front" in what else 2)
            file.write(b"data")
    sh("sync")
    before = digest(disk)

    found = volumes.settle(machine)["data"]

    assert found["state"] == "refused"
    expected = {
        "swap": "it holds swap",
        "partitions": "it has a partition table (gpt)",
    }.get(what, "it has no file system, and is not blank")
    assert found["note"].startswith(expected)
    assert digest(disk) == before
    assert not machine.at("/etc/fstab").exists()


def test_samples_between_the_ends_are_looked_at(disks: Disks) -> None:
    disk = disks("sdf")
    assert devices.is_blank(disk.path, 64 * MIB)
    with open(disk.path, "r+b") as file:
        file.seek(32 * MIB)
        file.write(b"1")
    assert not devices.is_blank(disk.path, 64 * MIB)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_it_grows_with_its_volume_while_mounted(machine: Machine, disks: Disks, kind: str) -> None:
    if kind == "ext4" and not may_resize():
        pytest.skip("this container may not grow ext4 (CAP_SYS_RESOURCE)")
    if kind == "xfs" and not shutil.which("mkfs.xfs"):
        pytest.skip("no xfsprogs")
    tell_facts(machine, volumes=[DATA])
    disk = disks("sdf", 400 * MIB)
    if kind == "xfs":
        sh("mkfs.xfs", "-q", disk.path)
    assert volumes.settle(machine)["data"]["fs"] == kind
    machine.at("/data/result").write_text("42")
    before = os.statvfs(machine.at("/data"))

    disk.grow(1024 * MIB)
    found = volumes.settle(machine)["data"]

    after = os.statvfs(machine.at("/data"))
    assert found["bytes"] == 1024 * MIB, found["note"]
    assert before.f_blocks * before.f_frsize < 400 * MIB
    assert 900 * MIB < after.f_blocks * after.f_frsize < 1024 * MIB
    assert machine.at("/data/result").read_text() == "42"


def may_resize() -> bool:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "CapEff" in x)
    return bool(int(line.split()[1], 16) >> 24 & 1)


def test_it_says_why_it_did_not_grow_and_tries_again(
    machine: Machine, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_facts(machine, volumes=[DATA])
    disk = disks("sdf", 64 * MIB)
    volumes.settle(machine)
    disk.grow(128 * MIB)
    monkeypatch.setattr(volumes, "grow", lambda *_: "resize2fs ended with 1")
    found = volumes.settle(machine)["data"]
    assert found["state"] == "mounted"
    assert found["note"].endswith("on /data; it did not grow: resize2fs ended with 1")

    monkeypatch.setattr(volumes, "grow", lambda *_: "")
    assert volumes.settle(machine)["data"]["bytes"] == 128 * MIB


def test_one_that_comes_later_is_waited_for(machine: Machine, disks: Disks) -> None:
    tell_facts(machine, volumes=[DATA])

    found = volumes.wait(machine, patience=0)
    assert found["data"] == {"state": "waiting", "note": "/dev/sdf is not attached"}

    disks("sdf")
    assert volumes.wait(machine, patience=0)["data"]["state"] == "mounted"


def test_a_copy_of_another_is_not_mounted_beside_it(machine: Machine, disks: Disks) -> None:
    other = {**DATA, "name": "other", "device": "/dev/sdg", "mount": "/other"}
    tell_facts(machine, volumes=[DATA, other])
    one, two = disks("sdf"), disks("sdg")
    sh("mkfs.ext4", "-q", one.path)
    sh("dd", f"if={one.path}", f"of={two.path}", "bs=1M")

    found = volumes.settle(machine)

    assert found["data"]["state"] == "mounted"
    assert found["other"]["note"] == "its file system is a copy of data's (same UUID)"
    assert not os.path.ismount(machine.at("/other"))


def test_a_format_that_was_cut_short_is_done_again(
    machine: Machine, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_facts(machine, volumes=[DATA])
    disk = disks("sdf")
    with open(disk.path, "r+b") as file:
        file.seek(200_000)
        file.write(b"half of a file system")
    assert volumes.settle(machine)["data"]["state"] == "refused"

    monkeypatch.setattr(volumes, "_serial", lambda path: "vol0123")
    write(machine.at(f"{volumes.FORMATTING}/data"), {"serial": "vol0999", "uuid": "x"})
    assert volumes.settle(machine)["data"]["state"] == "refused"  # another volume's

    write(machine.at(f"{volumes.FORMATTING}/data"), {"serial": "vol0123", "uuid": "x"})
    assert volumes.settle(machine)["data"]["state"] == "mounted"


def test_a_place_that_is_taken_is_left(machine: Machine, disks: Disks) -> None:
    tell_facts(machine, volumes=[DATA])
    disks("sdf")
    machine.at("/data").mkdir()
    sh("mount", "-t", "tmpfs", "somebody", str(machine.at("/data")))
    found = volumes.settle(machine)["data"]
    assert (found["state"], found["note"]) == ("refused", "/data is taken by somebody")


def test_warming_up_goes_on_where_it_was(machine: Machine, disks: Disks) -> None:
    disk = disks("sdf", 10 * MIB)
    found = {"device": disk.path, "uuid": "u", "serial": "vol1"}
    assert prewarm.warm(machine, "data", found, step=4 * MIB) == 10 * MIB
    assert read(machine.at(prewarm.STATE)) == {"data vol1": {"done": 10 * MIB, "of": 10 * MIB}}
    write(machine.at(prewarm.STATE), {"data vol1": {"done": 4 * MIB, "of": 10 * MIB}})
    assert prewarm.warm(machine, "data", found, step=4 * MIB) == 6 * MIB
    copy = {**found, "serial": "vol2"}
    assert prewarm.warm(machine, "data", copy, step=4 * MIB) == 10 * MIB


# --- which device --------------------------------------------------------------------------------


def page(model: str, name: bytes) -> bytes:
    """What a controller says of itself: serial at 4, model at 24, EC2's name at 3072."""
    head = struct.pack("<HH20s40s", 0x1D0F, 0x1D0F, b"vol0123456789abcdef0", model.encode())
    return head.ljust(3072, b"\0") + name.ljust(1024, b" ")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (page("Amazon Elastic Block Store".ljust(40), b"sdf"), "sdf"),
        (page("Amazon Elastic Block Store".ljust(40), b"/dev/sdf"), "sdf"),
        (page("Amazon Elastic Block Store".ljust(40), b"xvdf\0\0"), "xvdf"),
        (page("Amazon EC2 NVMe Instance Storage", b"ephemeral0:sdf"), None),
    ],
)
def test_the_name_that_ec2_gave(said: bytes, name: str | None) -> None:
    assert ebs_name(said) == name


def test_a_device_is_found_by_what_its_controller_says(machine: Machine) -> None:
    pages = {}
    for disk, name in (("nvme0n1", b"/dev/sda1"), ("nvme1n1", b"sdg"), ("nvme2n1", b"sdf")):
        machine.at(f"/sys/block/{disk}").mkdir(parents=True)
        pages[str(machine.at(f"/dev/{disk}"))] = page("Amazon Elastic Block Store".ljust(40), name)

    def identify(path: str) -> bytes:
        return pages[path]

    assert find(machine, "/dev/sdf", identify) == str(machine.at("/dev/nvme2n1"))
    assert find(machine, "/dev/sdg", identify) == str(machine.at("/dev/nvme1n1"))
    assert find(machine, "/dev/sdh", identify) is None


def test_a_file_in_the_place_of_a_device_is_none(machine: Machine) -> None:
    machine.at("/dev/sdf").write_text("")
    assert find(machine, "/dev/sdf") is None


def test_asking_what_is_no_nvme_device_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        identify(str(tmp_path / "file"))
