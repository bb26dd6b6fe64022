"""A machine on OpenStack: who it is, which disk is which volume, and how it ends what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from roost.machine import follow, identity, volumes
from roost.machine.common import Machine, write
from roost.machine.devices import probe
from roost.machine.platform import platform_of
from roost.machine.platforms import openstack
from roost.machine.platforms.openstack import Platform, find
from roost.machine.setup import this_boot
from tests.recipes.conftest import MIB, Disk, tell_facts
from tests.serving import serving

A = "0b7c2f1e-54a1-4b7e-9d1c-6e0d3a5b9c11"
B = "9f3d8c7a-0c4e-4f5b-8a2d-1b6c7d8e9f22"
ALIKE = A[:20] + B[20:]
"""As far as virtio says it, this one is A."""
DATA = {"name": "data", "device": "0", "mount": "/data", "mode": "0755", "warm": False}
SCRATCH = {**DATA, "name": "scratch", "device": "1", "mount": "/scratch", "mode": "1777"}


class Site:
    """A metadata service, Keystone and Nova at one address: what was asked, what is answered."""

    def __init__(self) -> None:
        self.meta: bytes | None = None
        self.asked: list[tuple[str, str, Any, str]] = []
        self.refused: dict[str, int] = {}
        self.times = 100
        self.url = ""

    def answer(self, what: str, done: int) -> int:
        """Return what is said to a POST: the refusal, as often as the test says."""
        if what not in self.refused or not self.times:
            return done
        self.times -= 1
        return self.refused[what]

    def tell(self, **meta: Any) -> None:
        self.meta = json.dumps(meta).encode()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.say(404)  # as Nova answers EC2's question for a token

            def do_GET(self) -> None:
                known = self.path == "/openstack/latest/meta_data.json" and site.meta is not None
                self.say(200 if known else 404, site.meta or b"")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                site.asked.append(("POST", self.path, body, self.headers.get("X-Auth-Token") or ""))
                known = self.path.endswith("/tokens") or "shelve" in body
                done = 202 if known else 400
                self.say(site.answer(self.path.rpartition("/")[2], done))

            def say(self, code: int, text: bytes = b"") -> None:
                self.send_response(code)
                self.send_header("X-Subject-Token", "a-token")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def site(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), site.handler())) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        here = Platform(f"{site.url}/openstack/latest/meta_data.json", machine)
        monkeypatch.setattr(identity, "platform_of", lambda _: here)
        monkeypatch.setattr(volumes, "platform_of", lambda _: here)
        yield site


def disk(machine: Machine, name: str, **said: str) -> str:
    """Add a disk to sysfs, with what it calls itself (``device_wwid`` is ``device/wwid``)."""
    place = machine.at(f"/sys/block/{name}")
    (place / "device").mkdir(parents=True)
    for file, text in said.items():
        (place / file.replace("_", "/", 1)).write_text(text)
    write(machine.at(f"/dev/{name}"), "")
    return str(machine.at(f"/dev/{name}"))


def link(machine: Machine, name: str, to: str) -> None:
    place = machine.at("/dev/disk/by-id")
    place.mkdir(parents=True, exist_ok=True)
    (place / name).symlink_to(f"../../{to}")


# --- which machine it is -------------------------------------------------------------------------


def test_it_is_the_one_of_its_launch_index(machine: Machine, site: Site) -> None:
    """By the metadata service, or by the config drive where none answers."""
    tell_facts(machine, platform="openstack", nodes="worker-1..3 worker-7")
    assert isinstance(platform_of(machine), Platform)
    for wrong in (b"[]", b"\xff", b'{"launch_index": "3"}', b'{"launch_index": -1}', None):
        site.meta = wrong
        with pytest.raises(OSError, match="did not say which machine this is"):
            identity.node(machine, patience=0)
    site.tell(launch_index=3)
    assert identity.node(machine, patience=0) == "worker-7"

    site.meta = None
    machine.at("/var/lib/roost/node.json").unlink()
    drive = machine.at("/config-drive/openstack/latest/meta_data.json")
    write(drive, {"launch_index": 1})
    assert identity.node(machine, patience=0) == "worker-2"


# --- which disk is which volume ------------------------------------------------------------------


def test_a_disk_is_found_by_what_it_calls_itself_and_never_by_its_name(machine: Machine) -> None:
    """Whatever the bus and the order; with and without udev's links; and two are none."""
    disk(machine, "vda")
    page = f"\0\x80\0\x24{A}"
    ways: list[tuple[dict[str, str], str]] = [
        ({"serial": A[:20]}, ""),
        ({"serial": f"{A[:20]}\n"}, f"virtio-{A[:20]}"),
        ({"device_wwid": f"t10.QEMU    QEMU HARDDISK   {A}\n"}, ""),
        ({"device_vpd_pg80": page}, f"scsi-0QEMU_QEMU_HARDDISK_{A}"),
        ({"device_serial": f"{A}\n"}, ""),
        ({}, f"virtio-{A[:20]}"),
        ({}, f"scsi-0QEMU_QEMU_HARDDISK_{A}"),
    ]
    for number, (said, name) in enumerate(ways):
        here = Machine(machine.root / str(number))
        # The volume that is not wanted has the name that comes first.
        disk(here, "vdb", serial=B[:20])
        link(here, f"virtio-{B[:20]}", "vdb")
        wanted = disk(here, "vdc", **said)
        if name:
            link(here, name, "vdc")
            link(here, f"{name}-part1", "vdb")
        assert find(here, A) == wanted, (said, name)
        assert find(here, B) == str(here.at("/dev/vdb"))

        link(here, f"scsi-SQEMU_{A}", "vdb")  # left behind by a disk that has gone
        assert find(here, A) == wanted
        disk(here, "vdd", serial=ALIKE[:20])
        assert find(here, A) is None
    only_link = Machine(machine.root / "gone")
    disk(only_link, "vdb", serial=B[:20])
    link(only_link, f"virtio-{A[:20]}", "vdb")
    assert find(only_link, A) is None


def test_the_metadata_is_read_anew_and_not_believed(machine: Machine, site: Site) -> None:
    platform = volumes.platform_of(machine)
    wanted = disk(machine, "vdb", serial=A[:20])
    disk(machine, "vdc", serial="")
    disk(machine, "vdd", serial="*")
    for meta in (
        *({}, None, [], "x", {"roost_volume_0": None}, {"roost_volume_0": ""}),
        *({"roost_volume_0": "*"}, {"roost_volume_0": A[:20]}, {"roost_volume_0": f"{A}/.."}),
        *({"roost_volume_1": A}, {"roost_volume_0": ".{36}"}),
    ):
        site.tell(meta=meta)
        assert platform.device(machine, "0") is None, meta
    site.meta = None
    assert platform.device(machine, "0") is None
    site.tell(meta={"roost_volume_0": A})
    assert platform.device(machine, "0") == wanted


def test_volumes_with_swapped_names_land_on_their_mounts(
    machine: Machine, disks: Callable[..., Disk], site: Site
) -> None:
    """Both hold data; nothing is formatted, whatever names the kernel gives after a reboot."""
    tell_facts(machine, platform="openstack", volumes=[DATA, SCRATCH])
    by_id = {A: disks("vdb", 8 * MIB), B: disks("vdc", 8 * MIB)}
    site.tell(meta={"roost_volume_0": A, "roost_volume_1": B})

    def linked(**names: Disk) -> None:
        for name, one in names.items():
            place = machine.at("/dev/disk/by-id") / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.symlink_to(one.path)

    linked(**{f"virtio-{A[:20]}": by_id[A], f"scsi-0QEMU_QEMU_HARDDISK_{B}": by_id[B]})
    found = volumes.settle(machine)
    before = {A: probe(by_id[A].path).uuid, B: probe(by_id[B].path).uuid}
    assert [found[one]["uuid"] for one in ("data", "scratch")] == [before[A], before[B]]
    for mount in ("data", "scratch"):
        machine.at(f"/{mount}/which").write_text(mount)
        openstack.run(["umount", str(machine.at(f"/{mount}"))])

    # The same volumes on the other devices: content and serial go with the volume.
    one, two = Path(by_id[A].path), Path(by_id[B].path)
    swapped = {path: path.read_bytes() for path in (one, two)}
    one.write_bytes(swapped[two])
    two.write_bytes(swapped[one])
    linked(**{f"virtio-{A[:20]}": by_id[B], f"scsi-0QEMU_QEMU_HARDDISK_{B}": by_id[A]})
    found = volumes.settle(machine)
    assert [found[one]["uuid"] for one in ("data", "scratch")] == [before[A], before[B]]
    for mount in ("data", "scratch"):
        assert machine.at(f"/{mount}/which").read_text() == mount


# --- the end of costs ----------------------------------------------------------------------------


def test_it_shelves_itself_and_is_powered_off_in_any_case(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(openstack, "run", ran.append)
    platform = volumes.platform_of(machine)
    platform.stop()
    assert (ran, site.asked) == ([["systemctl", "poweroff"]], [])

    right = {"identity": f"{site.url}/v3", "compute": f"{site.url}/v2.1", "server": A}
    write(machine.at(openstack.RIGHT), {**right, "id": "c1", "secret": "s1"}, 0o600)
    platform.stop()
    (_, _, token, none), (_, path, shelved, told) = site.asked
    who = {"id": "c1", "secret": "s1"}
    identity = {"methods": ["application_credential"], "application_credential": who}
    assert (token, none) == ({"auth": {"identity": identity}}, "")
    assert (path, shelved, told) == (f"/v2.1/servers/{A}/action", {"shelve": None}, "a-token")

    for refused in ({"tokens": 401}, {"action": 403}, {"action": 404}):
        site.refused = refused
        platform.stop()
    monkeypatch.setattr(openstack, "PAUSE", 0)
    site.refused = {"action": 503}
    platform.stop()
    site.refused, site.times = {"action": 503}, 1
    platform.stop()  # the second time it is let in
    write(machine.at(openstack.RIGHT), {"identity": "file:///etc/passwd"}, 0o600)
    platform.stop()
    assert ran.count(["systemctl", "poweroff"]) == 8
    log = machine.at("/var/log/roost.log").read_text()
    assert log.count("the server is being shelved") == 2
    assert log.count("not shelved, so it may go on costing") == 3 + 3 + 1 + 3
    assert "s1" not in log
    assert "a-token" not in log
    with pytest.raises(OSError, match="no address of a site"):
        openstack.act({**right, "identity": "gopher://x", "id": "c1", "secret": "s1"}, "shelve")


def test_it_says_at_the_hand_over_why_it_could_not_shelve_itself(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for what Nova does not have: 400 is the answer to who may act."""
    platform = volumes.platform_of(machine)
    monkeypatch.setattr(follow, "platform_of", lambda _: platform)
    assert platform.trouble() == ""
    right = {"identity": f"{site.url}/v3", "compute": f"{site.url}/v2.1", "server": A}
    write(machine.at(openstack.RIGHT), {**right, "id": "c1", "secret": "s1"}, 0o600)
    assert platform.trouble() == ""
    assert not any("shelve" in body for _, _, body, _ in site.asked)
    write(machine.status, {"state": "done", "handover": "d", "boot": this_boot(machine)})
    for refused, why in (
        ({"tokens": 401}, f"{site.url}/v3/auth/tokens: HTTP Error 401"),
        ({"tokens": 400}, f"{site.url}/v3/auth/tokens: HTTP Error 400"),
        ({"action": 401}, f"{site.url}/v2.1/servers/{A}/action: HTTP Error 401"),
    ):
        site.refused = refused
        (*_, last) = follow.follow(machine, "d")
        assert last["trouble"].startswith(why)
    write(machine.at(openstack.RIGHT), {**right, "id": "c1"}, 0o600)
    assert "secret" in platform.trouble()
