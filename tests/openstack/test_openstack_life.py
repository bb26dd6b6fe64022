"""A desktop's whole life at a site whose machines boot, by the real command; roost's own are all
that it makes, and all that it takes away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench.seats import desktop_packages
from tests.openstack.booted import FACTS, MEMORY, Booted, booted
from tests.openstack.site import CLOUD, Site, wait_for

pytestmark = [
    pytest.mark.bench,
    pytest.mark.by_turns,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
STARS = f"""name = "stars"
kind = "desktop"
cloud = "openstack"
protocol = "novnc"

[openstack]
cloud = "{CLOUD}"
guard = "shelve"
zones = ["nova", "zone-2"]

[machine]
type = "m1.small"
image = "debian-12-roost"

[[volumes]]
name = "data"
size = "1GB"
park = "snapshot"

[[volumes]]
name = "more"
size = "2GB"
mount = "/more"
park = "snapshot"

[access]
reach = "public"

[schedule]
"""
KEPT = "cat /data/f /more/g; df --output=target,size /data /more | tail -n 2"
SIZES = "cd /dev; for d in sdb sdc; do blockdev --getsize64 $d; done"


@pytest.fixture
def stars(site: Site, tmp_path: Path) -> Iterator[Booted]:
    with booted(site, tmp_path, "stars", desktop_packages(), "desktop", "data") as stars:
        stars.file(STARS + 'idle = "3h"\n')
        yield stars


def seen_in_a_browser(stars: Booted) -> None:
    """Its page takes its password and shows XFCE's background."""
    test_desktop = pytest.importorskip("tests.bench.test_desktop")
    if test_desktop.CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH")
    with test_desktop.sync_playwright() as playwright:
        chromium = playwright.chromium
        browser = chromium.launch(executable_path=test_desktop.CHROMIUM, args=["--no-sandbox"])
        with test_desktop.opened(stars.roost, browser):
            pass
        browser.close()


def test_a_desktop_from_up_to_down(stars: Booted) -> None:
    """Reached by the host keys of its console; its volumes found whatever their devices' names."""
    stars("up", "stars.toml", "--yes")
    server = stars.server
    assert (stars.roost.home / "roost/ssh/names/stars/pinned" / server.id).is_file()
    result = json.loads(stars.inside("cat /run/cloud-init/result.json"))["v1"]
    assert "ConfigDrive" in result["datasource"]
    assert result["errors"] == []
    stars.ssh("echo precious > /data/f; echo bigger > /more/g; sync")
    kept = stars.ssh(KEPT)
    assert kept.split()[:2] == ["precious", "bigger"]
    shown = stars("show", "stars", "--json").json
    assert [i["state"] for i in shown["instances"]] == ["running"]
    seen_in_a_browser(stars)

    sizes = stars.inside(SIZES).split()
    assert stars.project.site.machines is not None
    stars.project.site.machines.swap(server.id)
    stars("restart", "stars")
    assert stars.inside(SIZES).split() == sizes[::-1]
    assert stars.ssh(KEPT) == kept

    stars("stop", "stars")
    assert stars.server.status == "SHELVED_OFFLOADED"
    assert server.id not in stars.project.site.machines.known()
    stars("start", "stars")
    assert stars.server.id == server.id
    assert stars.ssh(KEPT) == kept
    stars("down", "stars", "--yes", "--delete-data", "stars")
    stars.nothing_left()


def test_it_shelves_itself_is_parked_and_comes_back_elsewhere(stars: Booted) -> None:
    """With no roost at work, at its end time; then from copies, in the other zone, larger."""
    end = datetime.now(UTC) + timedelta(hours=3)
    stars.file(STARS + f"end = {end:%Y-%m-%dT%H:%M:%SZ}\n")
    stars("up", "stars.toml", "--yes")
    first = stars.server
    assert first.availability_zone == "nova"
    stars.ssh("echo precious > /data/f; echo bigger > /more/g; echo mine > mine; sync")
    kept = stars.ssh(KEPT)

    stars.change(FACTS, end=datetime.now(UTC).isoformat())
    stars.inside("systemctl start roost-guard.service")
    assert "its end time is" in stars.inside("cat /var/lib/roost/notice")
    assert stars.server.status == "ACTIVE"
    stars.change(MEMORY, told={"end": -10_000.0})  # the ten minutes after the warning are over
    stars.look()
    wait_for(lambda: stars.server.status == "SHELVED_OFFLOADED", 240)

    stars("park", "stars", "--yes")
    left = stars.project.left()
    for kind in ("servers", "volumes"):
        assert left[kind] == stars.before[kind]
    stars.project.site.faults(full={"bench-1": ["*"]})
    stars("resume", "stars", "--yes")
    stars.project.site.faults()
    assert stars.server.id != first.id
    assert stars.server.availability_zone == "zone-2"
    assert stars.ssh(KEPT) == kept
    assert stars.ssh("cat mine") == "mine\n"

    stars("resize", "stars", "--type", "m1.medium", "--yes")
    assert (stars.server.flavor.original_name, stars.server.status) == ("m1.medium", "ACTIVE")
    assert stars.ssh(KEPT) == kept
    stars("down", "stars", "--yes", "--delete-data", "stars")
    stars.nothing_left()


def test_no_disk_of_its_own_volumes_by_scsi_and_a_public_network(
    site: Site, tmp_path: Path
) -> None:
    """It boots from a volume that ``down`` removes, and its own address is reached from here."""
    scsi = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
    with booted(
        site,
        tmp_path,
        "stars",
        desktop_packages(),
        "desktop",
        "data",
        ("private", "direct"),
        **scsi,
    ) as stars:
        own = 'network = "direct"\npublic_network = "direct"'
        text = STARS.replace("m1.small", "d1.small").replace('guard = "shelve"', own)
        stars("up", stars.file(text + 'idle = "3h"\n'), "--yes")
        assert stars.floats == []
        server = stars.server
        assert list(server.addresses) == ["direct"]
        assert len(stars.project.left()["volumes"]) == len(stars.before["volumes"]) + 3
        assert "scsi-0QEMU_QEMU_HARDDISK_" in stars.inside("ls /dev/disk/by-id")
        stars.ssh("echo precious > /data/f; echo bigger > /more/g; echo mine > mine; sync")
        kept = stars.ssh(KEPT)

        assert stars.project.site.machines is not None
        stars.project.site.machines.swap(server.id)
        sizes = stars.inside(SIZES).split()
        stars("restart", "stars")
        assert stars.inside(SIZES).split() == sizes[::-1]
        assert stars.ssh(KEPT) == kept
        stars("stop", "stars")
        stars("start", "stars")
        assert stars.ssh(KEPT) == kept
        assert stars.ssh("cat mine") == "mine\n"
        stars("down", "stars", "--yes", "--delete-data", "stars")
        stars.nothing_left()


@pytest.mark.long
def test_a_machine_is_baked_and_its_image_keeps_nothing_personal(stars: Booted) -> None:
    """A helper cleans a copy of its disk; the next machine has what was installed, and no more."""
    key = "cat /etc/ssh/ssh_host_ed25519_key.pub"
    stars("up", "stars.toml", "--yes")
    old = stars.inside(key)
    stars.ssh("echo mine > .bash_history; sudo touch /opt/installed; sync")
    stars("image", "bake", "stars", "--yes")
    assert [*stars.servers] == ["desktop"]
    assert stars.server.status == "ACTIVE"
    assert stars.ssh("cat .bash_history") == "mine\n"
    stars("down", "stars", "--yes", "--delete-data", "stars")
    said = stars("up", "stars.toml", "--yes").err
    assert "starts from image stars" in said
    assert stars.ssh("ls -A /opt/installed .bash_history 2>/dev/null || true") == "/opt/installed\n"
    assert stars.inside(key) != old
    stars("down", "stars", "--yes", "--delete-data", "stars")
    stars("image", "rm", "stars", "--yes")
    stars.nothing_left()
