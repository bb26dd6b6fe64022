"""A name of roost at a site whose machines boot, as its user and the site see it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, cast

from roost.providers.openstack import marks
from tests.bench.bench import Bench, Roost
from tests.cli.calling import Ran
from tests.openstack.site import Project, Site, wait_for
from tests.openstack.test_openstack_commands import neighbours

FACTS, MEMORY = "/etc/roost/machine.json", "/var/lib/roost/guard.json"


@dataclass(frozen=True)
class There:
    """What ``Roost`` asks of a bench."""

    environment: dict[str, str]


@dataclass(frozen=True)
class Booted:
    """``others`` are a neighbour's things in the same project, with names as roost gives them."""

    name: str
    roost: Roost
    project: Project
    asked: Any
    others: dict[str, Any]
    before: dict[str, list[str]]

    def __call__(self, *words: object, seconds: float = 1500) -> Ran:
        return cast("Ran", self.roost(*words, seconds=seconds).ok())

    def file(self, text: str) -> Path:
        return self.roost.file(text, f"{self.name}.toml")

    def ssh(self, line: str, node: str = "") -> str:
        return self("ssh", f"{self.name}/{node}" if node else self.name, "--", line).out

    @property
    def servers(self) -> dict[str, Any]:
        """Those of the project that are roost's, by their nodes."""
        ours = (s for s in self.asked.compute.servers() if s.metadata.get("roost") == self.name)
        return {marks.read_server(server).node: server for server in ours}

    @property
    def server(self) -> Any:
        """The only one."""
        (found,) = self.servers.values()
        return found

    @property
    def floats(self) -> list[str]:
        """The floating addresses that are not the neighbour's."""
        own = self.others["float"].id
        ips = self.asked.network.ips(project_id=self.project.id)
        return sorted(one.floating_ip_address for one in ips if one.id != own)

    def inside(self, script: str, node: str = "") -> str:
        """Root's sh on a machine, without ssh."""
        machines = self.project.site.machines
        assert machines is not None
        server = self.servers[node] if node else self.server
        done = machines.run(server.id, "sh", "-c", script)
        assert done.code == 0, done.err
        return done.out

    def change(self, file: str, node: str = "", **more: object) -> None:
        """Something of a JSON file on a machine."""
        known = json.dumps(json.loads(self.inside(f"cat {file}", node)) | more)
        self.inside(f"cat > {file} <<'X'\n{known}\nX", node)

    def look(self, node: str = "") -> None:
        """Have its guard look now; a machine may go off meanwhile."""
        with suppress(AssertionError, TimeoutExpired, KeyError):
            self.inside("systemctl start roost-guard.service", node)

    def nothing_left(self) -> None:
        """Nothing is there but what was before; the neighbour's are the very same things."""
        wait_for(lambda: self.project.left() == self.before)
        asked, others = self.asked, self.others
        assert asked.compute.get_server(others["server"].id).status == "ACTIVE"
        assert asked.block_storage.get_volume(others["volume"].id).status == "available"
        assert asked.network.get_ip(others["float"].id).port_id is None
        group = asked.network.get_security_group(others["group"].id)
        assert len(group.security_group_rules) == len(others["group"].security_group_rules)
        assert asked.image.get_image(others["image"].id).name == others["image"].name


@contextmanager
def booted(
    site: Site,
    folder: Path,
    name: str,
    packages: Iterable[str],
    node: str = "head",
    volume: str = "shared",
    networks: Iterable[str] = (),
    **image: str,
) -> Iterator[Booted]:
    """Beside a neighbour's things; the packages are in the image already, which is quicker."""
    assert site.machines is not None
    project = site.project(*networks)
    try:
        others = neighbours(project, name, node, volume)
        project.debian(packages, **image)
        known = project.environment(folder) | {"ROOST_MY_ADDRESS": site.machines.caller}
        roost = Roost(cast("Bench", There(known)), folder)
        yield Booted(name, roost, project, project.connect(), others, project.left())
    finally:
        project.clear()
