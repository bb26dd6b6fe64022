"""Scenes of the life of a desktop and a cluster on OpenStack, each a command as a user types it.

A life is a way through its scenes: each begins where another has ended. So a sweep prepares nothing
for a point: what the last one came to is where the next begins.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import ndiff
from typing import Any

from roost.providers.openstack import marks, record
from tests.cli.calling import Ran
from tests.openstack.command_line import CommandLine
from tests.openstack.site import CLOUD, Project, wait_for
from tests.openstack.weather import ID, Moment, Weather

NOT_WHOLE = ("creating", "downloading", "deleting", "error", "error_deleting")
"""States of a volume that holds nothing yet, or nothing any more."""
PATIENCE = 30
"""Seconds until a site has done what it was told to do."""
FLAVORS = {"sweep.one": 1, "sweep.two": 2}
"""With so many processors, and disks of one size: a machine goes from each to the other."""
MACHINE = 'type = "sweep.one"\nimage = "debian-12"\n'
SITE = f'[openstack]\ncloud = "{CLOUD}"\n'
STARS = f"""name = "stars"\nkind = "desktop"\ncloud = "openstack"
[machine]\n{MACHINE}[[volumes]]\nname = "data"\nsize = "1GB"\n{SITE}"""
MANY = f"""name = "many"\nkind = "cluster"\ncloud = "openstack"
[head]\n{MACHINE}[workers]\ncount = 2\n{MACHINE}{SITE}"""
FILES = {"stars.toml": STARS, "many.toml": MANY}
NOTHING = re.compile("no such name")
NUMBERED = re.compile(r"worker(-\d+)?(\.\.\d+)?( worker-[\d.]+)*")


@dataclass(frozen=True)
class Scene:
    """A line, the states in which it begins and ends; of some others go through all points."""

    line: str
    begins: str
    ends: str
    swept: bool = True


DELETE = "down stars --yes --delete-data stars"
LIVES: dict[str, dict[str, Scene]] = {
    "stars": {
        "up": Scene("up stars.toml --yes", "gone", "on"),
        "stop": Scene("stop stars", "on", "off"),
        "start": Scene("start stars", "off", "on"),
        "resize": Scene("resize stars --type sweep.two --yes", "on", "larger"),
        "resize back": Scene("resize stars --type sweep.one --yes", "larger", "on"),
        "down": Scene(DELETE, "on", "gone"),
        "park": Scene("park stars --yes", "on", "parked", swept=False),
        "resume": Scene("resume stars --yes", "parked", "back"),
        "park again": Scene("park stars --yes", "back", "parked"),
        "down parked": Scene(DELETE, "parked", "gone"),
    },
    "many": {
        "up": Scene("up many.toml --yes", "gone", "on"),
        "scale": Scene("scale many 4 --yes", "on", "more"),
        "scale back": Scene("scale many 2 --yes", "more", "on"),
        "stop": Scene("stop many", "on", "off"),
        "start": Scene("start many", "off", "on"),
        "down": Scene("down many --yes", "on", "gone"),
    },
}


@dataclass
class Life:
    """A name on its way; ``held`` are the ids of all that ever held its data.

    ``moments`` and ``ends`` are of the calm scenes: what was called, and what was there then.
    """

    roost: CommandLine
    scenes: dict[str, Scene]
    state: str = "gone"
    moments: dict[str, list[Moment]] = field(default_factory=dict)
    ends: dict[str, list[str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    @property
    def project(self) -> Project:
        return self.roost.project

    def call(self, line: str, weather: Weather | None = None) -> Ran:
        """One line; whatever happens, an expected error shows no traceback, and no data goes."""
        ran = self.roost(line, weather)
        assert "Traceback" not in ran.err, ran.err
        if self.state != "gone" and not line.startswith(("up", "down")):
            self._follow_data(ran)
        return ran

    def calm(self) -> None:
        """Each scene once: what it calls, and what it comes to."""
        self.ends["gone"] = summary(self.project)
        for name, scene in self.scenes.items():
            self.reach(scene.begins)
            if name not in self.moments:
                self._play(name)

    def reach(self, state: str) -> None:
        """Play scenes until it is there, as few as can be."""
        for name in self._way(state):
            self._play(name)

    def _way(self, state: str) -> list[str]:
        ways = deque[tuple[str, list[str]]]([(self.state, [])])
        while ways:
            here, way = ways.popleft()
            if here == state:
                return way
            ways += [
                (scene.ends, [*way, name])
                for name, scene in self.scenes.items()
                if scene.begins == here and len(way) < len(self.scenes)
            ]
        raise ValueError(f"no scene leads to {state}")

    def _play(self, name: str) -> None:
        """One scene in good weather."""
        ran = self.call(self.scenes[name].line)
        assert ran.code == 0, ran.err
        self.moments.setdefault(name, list(self.project.site.proxy.moments))
        self.arrive(name)

    def again(self, name: str) -> None:
        """The same line comes to the same end; where all is deleted it may say just that."""
        ran = self.call(self.scenes[name].line)
        gone = self.scenes[name].ends == "gone" and ran.code == 2 and NOTHING.search(ran.err)
        assert gone or ran.code == 0, ran.err
        self.arrive(name)

    def arrive(self, name: str) -> None:
        """Compare what is there with what was there when the same was reached before."""
        state = self.scenes[name].ends
        if state not in self.ends:
            self.ends[state] = settled(self.project)
        wanted, end = self.ends[state], time.monotonic() + PATIENCE
        while (there := summary(self.project)) != wanted and time.monotonic() < end:
            time.sleep(0.3)
        assert there == wanted, "\n".join(ndiff(wanted, there))
        self.state = state
        if state == "gone":
            self.held.clear()
        else:
            self._follow_data(None)

    def _follow_data(self, ran: Ran | None) -> None:
        """Some volume or copy is there that holds the data, or was made of one that did."""
        holders = data_in(self.project, self.held)
        assert holders or not self.held, f"the data is gone: {ran}"
        self.held |= holders


def data_in(project: Project, held: set[str]) -> set[str]:
    """The ids of volumes and images that are whole, and of those or made of those in ``held``;
    of all volumes, where none is known yet."""
    asked = project.site.admin
    volumes = [
        one
        for one in asked.block_storage.volumes(all_projects=True, project_id=project.id)
        if one.status not in NOT_WHOLE and marks.NAME in one.metadata
    ]
    images = [
        one
        for one in asked.image.images()
        if one.owner_id == project.id
        and one.status == "active"
        and marks.NODE in one.properties
        and one.properties.get(marks.SOURCE) in held
    ]
    known = held | {one.id for one in images}
    made = {
        one.id
        for one in volumes
        if one.id in held
        or not held
        or (one.volume_image_metadata or {}).get("image_id") in known
        or one.snapshot_id in held
    }
    return made | {one.id for one in images}


def flavors(project: Project) -> None:
    """Let the project have the flavors of the scenes, which no other test sees."""
    asked = project.site.admin.compute
    there = {one.name: one for one in asked.flavors(is_public=None)}
    for name, cpus in FLAVORS.items():
        one = there.get(name) or asked.create_flavor(
            name=name, ram=512, vcpus=cpus, disk=1, is_public=False
        )
        asked.flavor_add_tenant_access(one, project.id)


# --- what is there -------------------------------------------------------------------------------


def settled(project: Project) -> list[str]:
    """The summary, once the site has done all that it was told to do."""
    found = [summary(project)]

    def same() -> bool:
        found.append(summary(project))
        return found[-1] == found[-2]

    wait_for(same, PATIENCE)
    return found[-1]


def summary(project: Project) -> list[str]:
    """All of the project, a line each, with names for the ids that differ from run to run."""
    things = everything(project)
    names = {one["id"]: f"<{one['kind']} {one.get('name') or one['kind']}>" for one in things}
    lines = []
    for one in things:
        text = json.dumps({k: v for k, v in one.items() if k != "id"}, sort_keys=True)
        known = ID.sub(lambda found: names.get(found[0], "<gone>"), text)
        lines.append(NUMBERED.sub("worker", known))
    return sorted(lines)


def everything(project: Project) -> Iterable[dict[str, Any]]:
    """What is there of each kind, by what matters of it."""
    asked, own = project.site.admin, {"project_id": project.id}
    everywhere = {"all_projects": True, **own}
    user = asked.identity.find_user(project.login.user).id
    keys = asked.compute.get(f"/os-keypairs?user_id={user}", microversion="2.10").json()
    found: list[dict[str, Any]] = [
        _named("key", one["keypair"], id=one["keypair"]["fingerprint"]) for one in keys["keypairs"]
    ]
    found += [
        _named(
            "server",
            one,
            status=one.status,
            task=one.task_state,
            flavor=one.flavor.original_name,
            image=one.image.id,
            groups=sorted({group["name"] for group in one.security_groups or ()}),
            volumes=sorted(volume["id"] for volume in one.attached_volumes),
            metadata={k: v for k, v in one.metadata.items() if k != marks.WISH},
        )
        for one in asked.compute.servers(details=True, **everywhere)
    ]
    found += [
        _named(
            "volume",
            one,
            status=one.status,
            size=one.size,
            image=(one.volume_image_metadata or {}).get("image_id"),
            metadata={k: v for k, v in one.metadata.items() if k != marks.WISH},
        )
        for one in asked.block_storage.volumes(**everywhere)
    ]
    found += [_named("snapshot", one) for one in asked.block_storage.snapshots(**everywhere)]
    found += [
        {"kind": "float", "id": one.id, "name": one.description, "port": one.port_id}
        for one in asked.network.ips(**own)
    ]
    found += [
        {"kind": "port", "id": one.id, "of": one.device_id}
        for one in asked.network.ports(**own)
        if not one.device_owner.startswith("network:")
    ]
    found += [
        _named("group", one, rules=len(one.security_group_rules), about=one.description)
        for one in asked.network.security_groups(**own)
    ]
    images = [*asked.image.images(), *asked.image.images(is_hidden=True)]
    return found + [_image(one) for one in images if one.owner_id == project.id]


def _named(kind: str, one: Any, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": one.get("id"), "name": one["name"], **more}


def _image(one: Any) -> dict[str, Any]:
    """An image; of the record what it says, and not how the ledger is written."""
    held = {k: v for k, v in one.properties.items() if k.startswith("roost")}
    kept = record.kept_in(held, one.id, one.created_at)
    backups = sorted((copy.kind, copy.name, copy.id) for copy in kept.backups)
    plain = {k: v for k, v in held.items() if not record.PROPERTY.fullmatch(k) and k in PLAIN}
    return _named(
        "image",
        one,
        status=one.status,
        hidden=one.is_hidden,
        protected=one.is_protected,
        tags=sorted(one.tags),
        record=kept.record,
        backups=backups,
        marks=plain,
    )


PLAIN = (marks.NAME, marks.NODE, marks.ROLE, marks.SOURCE, marks.SEALED, marks.SIZE)
