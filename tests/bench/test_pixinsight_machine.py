"""PixInsight's stand-in on a real desktop: installed, licensed, started, and in an image without
its licence."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from roost.recipes.base import Context
from roost.recipes.registry import steps_of
from roost.spec import load
from tests.bench.bench import Bench, Machine, Ran, Roost, wait_for
from tests.recipes.pixinsight_stand_in import NEEDS, build

pytestmark = [pytest.mark.bench, pytest.mark.by_turns, pytest.mark.timeout(1500)]

LICENSE = "4d81-a-licence-of-nobody-c07e"
CONTENT = LICENSE.encode() + b"\r\n\xff\xfe\x80"
"""Whatever it is, it arrives as it is."""
FILE = """\
name = "stars"
kind = "desktop"
apt = [{apt}]

[aws]
region = "{region}"

[machine]
type = "t3.large"
image = "debian-12"
disk = "8GB"

[pixinsight]
installer = "{archive}"
license = "mine"

[[volumes]]
name = "data"
size = "1GB"

[[volumes]]
name = "scratch"
size = "1GB"
park = "discard"

[access]
ssh = ["{caller}"]
"""
SWAP = [f"/scratch/pixinsight/swap{number}" for number in (1, 2, 3, 4)]
INSTALLED = "PixInsight installation completed"
WINDOW = '"PixInsight": ("xmessage"'


def prepared(bench: Bench, roost: Roost) -> Path:
    """The file, its archive and its licence; its packages are in the system already."""
    (roost.home / "mine").write_bytes(CONTENT)
    archive = build(roost.home)
    apt = ", ".join(f'"{name}"' for name in NEEDS)
    words = {"region": bench.region, "caller": bench.caller, "archive": archive.name}
    file = roost.file(FILE.format(apt=apt, **words))
    steps = steps_of(load(file), "desktop", Context(uploads={"pixinsight": ""}))
    bench.debian(bench.layer("pixinsight", sorted({p for s in steps for p in s.packages})))
    return file


def as_user(machine: Machine, *argv: str, seconds: float = 120) -> Ran:
    user = machine.shell("id -un 1000").ok().out.strip()
    home = f"/home/{user}"
    env = ("env", f"HOME={home}", "DISPLAY=:1", f"XAUTHORITY={home}/.Xauthority")
    return machine.run("runuser", "-u", user, "--", *env, *argv, seconds=seconds)


def machine_log(bench: Bench) -> str:
    return bench.machine("stars", "desktop").run("cat", "/var/log/roost.log").ok().out


def windows(machine: Machine) -> str:
    return as_user(machine, "xwininfo", "-root", "-tree").out


def where_the_licence_is(machine: Machine) -> list[str]:
    places = "/home /root /etc /var /opt /usr/lib/roost /usr/local /data /scratch /tmp /run/roost"
    return machine.shell(f"grep -rlsF {LICENSE} {places}").out.split()


def test_pixinsight_from_its_archive_to_an_image(bench: Bench, roost: Roost) -> None:
    file = prepared(bench, roost)
    up = roost("up", file, "--yes").ok()
    assert INSTALLED in machine_log(bench)
    machine = bench.machine("stars", "desktop")
    home = machine.shell("getent passwd 1000 | cut -d: -f6").out.strip()

    licence = f"{home}/.pixinsight-license"
    secret = "/etc/roost/secrets/pixinsight-license"
    assert sorted(where_the_licence_is(machine)) == sorted([licence, secret])
    assert machine.run("stat", "-c", "%a %u", licence).out == "600 1000\n"
    assert machine.run("stat", "-c", "%a %u", secret).out == "600 0\n"
    assert machine.shell(f"base64 -w0 {licence}").out == b64encode(CONTENT).decode()
    assert LICENSE not in up.out + up.err + machine.console

    assert machine.run("stat", "-c", "%a", *SWAP).out == "1777\n" * 4
    assert machine.run("findmnt", "-no", "TARGET", "-T", SWAP[0]).out == "/scratch\n"
    settings = json.loads(machine.run("cat", f"{home}/.PixInsight/settings.json").ok().out)
    assert settings == {
        "ImageWindow_swapDirectories": [[folder] for folder in SWAP],
        "ImageWindow_downloadsDirectory": "/scratch/pixinsight/downloads",
    }

    starts_headless(machine)
    starts_from_its_icon(machine, home)
    again_changes_nothing(roost, machine, file)
    comes_from_an_image_without_its_licence(bench, roost, file, licence)
    roost("down", "stars", "--yes", "--delete-data", "data").ok()


def starts_headless(machine: Machine) -> None:
    flags = ("-n", "--automation-mode", "--force-exit")
    assert as_user(machine, "timeout", "60", "xvfb-run", "-a", "PixInsight", *flags).code == 0
    # It does not take what it does not know: it waits for somebody, as the real one does.
    wrong = as_user(machine, "timeout", "5", "xvfb-run", "-a", "PixInsight", "--quiet")
    assert wrong.code == 124


def starts_from_its_icon(machine: Machine, home: str) -> None:
    """As the desktop does at a double click: by the file manager, which asks where it mistrusts."""
    wait_for(lambda: "xfce4-panel" in windows(machine), 120, "the desktop's panel")
    assert WINDOW not in windows(machine)
    bus = ("env", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus")
    thunar = ("--dest", "org.xfce.FileManager", "--object-path", "/org/xfce/FileManager")
    launch = (
        "--method",
        "org.xfce.FileManager.Launch",
        f"file://{home}/Desktop/PixInsight.desktop",
    )
    as_user(machine, *bus, "gdbus", "call", "--session", *thunar, *launch, ":1", "").ok()
    wait_for(lambda: WINDOW in windows(machine), 60, "PixInsight's window")
    assert "Attention" not in windows(machine)
    machine.run("pkill", "-x", "xmessage")


def again_changes_nothing(roost: Roost, machine: Machine, file: Path) -> None:
    look = "stat -c '%n %Y %i' /opt/PixInsight /usr/local/bin/PixInsight /home/*/.PixInsight/*"
    before = machine.shell(look).ok().out
    roost("up", file, "--yes").ok()
    assert machine.shell(look).ok().out == before


def comes_from_an_image_without_its_licence(
    bench: Bench, roost: Roost, file: Path, licence: str
) -> None:
    roost("image", "bake", "stars", "--yes").ok()
    (image,) = json.loads(roost("image", "ls", "--json").ok().out)
    other = bench.ec2.run_instances(
        ImageId=image["id"], InstanceType="t3.large", MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    plain = bench.one(other)
    plain.wait("running")
    plain.booted()
    assert plain.run("test", "-x", "/opt/PixInsight/bin/PixInsight.sh").code == 0
    assert where_the_licence_is(plain) == []
    assert plain.shell("ls -d /etc/roost /home/*/.pixinsight-license").out == ""
    bench.ec2.terminate_instances(InstanceIds=[other])
    # The machine that was copied has kept it, and so has the next one that is made from the image.
    assert bench.machine("stars", "desktop").run("test", "-s", licence).code == 0
    roost("down", "stars", "--yes").ok()
    roost("up", file, "--yes").ok()
    assert INSTALLED not in machine_log(bench)
    machine = bench.machine("stars", "desktop")
    assert machine.described["ImageId"] == image["id"]
    assert machine.run("stat", "-c", "%a %u", licence).out == "600 1000\n"
    assert machine.run("stat", "-c", "%a", *SWAP).out == "1777\n" * 4
