"""A desktop's whole life at a site whose machines boot, by the real command; roost's own are all
that it makes, and all that it takes away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, cast

import pytest

from tests.bench.bench import Bench, Roost
from tests.bench.seats import desktop_packages
from tests.cli.calling import Ran
from tests.openstack.site import CLOUD, Project, Site, wait_for
from tests.openstack.test_openstack_commands import neighbours

pytestmark = [
    pytest.mark.bench,
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
FACTS, MEMORY = "/etc/roost/machine.json", "/var/lib/roost/guard.json"
KEPT = "cat /data/f /more/g; df --output=target,size /data /more | tail -n 2"
SIZES = "cd /dev; for d in sdb sdc; do blockdev --getsize64 $d; done"


@dataclass(frozen=True)
class Stars:
    """The name, as its user and the site see it."""

    roost: Roost
    project: Project
    asked: Any

    def __call__(self, *words: object) -> Ran:
        return cast("Ran", self.roost(*words).ok())

    def ssh(self, line: str) -> str:
        return self("ssh", "stars", "--", line).out

    @property
    def server(self) -> Any:
        """The one of the project that is roost's."""
        (found,) = (s for s in self.asked.compute.servers() if s.metadata.get("roost") == "stars")
        return found

    def inside(self, script: str) -> str:
        """Root's sh on it, without ssh."""
        machines = self.project.site.machines
        assert machines is not None
        done = machines.run(self.server.id, "sh", "-c", script)
        assert done.code == 0, done.err
        return done.out

    def change(self, file: str, **more: object) -> None:
        """Something of a JSON file on it."""
        known = json.dumps(json.loads(self.inside(f"cat {file}")) | more)
        self.inside(f"cat > {file} <<'X'\n{known}\nX")


@pytest.fixture
def stars(site: Site, tmp_path: Path) -> Iterator[Stars]:
    """Beside a neighbour's things; the packages of a desktop are in the image, which is quicker."""
    assert site.machines is not None
    project = site.project()
    neighbours(project)
    project.debian(desktop_packages())

    @dataclass(frozen=True)
    class There:
        environment: dict[str, str]

    known = project.environment(tmp_path) | {"ROOST_MY_ADDRESS": site.machines.caller}
    roost = Roost(cast("Bench", There(known)), tmp_path)
    roost.file(STARS + 'idle = "3h"\n', "stars.toml")
    yield Stars(roost, project, project.connect())
    project.clear()


def seen_in_a_browser(stars: Stars) -> None:
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


def test_a_desktop_from_up_to_down(stars: Stars) -> None:
    """Reached by the host keys of its console; its volumes found whatever their devices' names."""
    before = stars.project.left()
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
    wait_for(lambda: stars.project.left() == before)


@pytest.mark.long
def test_it_shelves_itself_is_parked_and_comes_back_elsewhere(stars: Stars) -> None:
    """With no roost at work, at its end time; then from copies, in the other zone, larger."""
    before = stars.project.left()
    end = datetime.now(UTC) + timedelta(hours=3)
    stars.roost.file(STARS + f"end = {end:%Y-%m-%dT%H:%M:%SZ}\n", "stars.toml")
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
    with suppress(AssertionError, TimeoutExpired):  # it goes off meanwhile
        stars.inside("systemctl start roost-guard.service")
    wait_for(lambda: stars.server.status == "SHELVED_OFFLOADED", 240)

    stars("park", "stars", "--yes")
    left = stars.project.left()
    assert [left[kind] for kind in ("servers", "volumes")] == [before["servers"], before["volumes"]]
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
    wait_for(lambda: stars.project.left() == before)
