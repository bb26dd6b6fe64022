"""One small function for each cloud: an empty one, how to open it, and what is wanted of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from roost.home import Folder, folder
from roost.model.resources import (
    Address,
    Group,
    Instance,
    KeyPair,
    Rule,
    SecurityGroup,
    Shape,
    Volume,
    Wanted,
)
from roost.providers.fake.cloud import FakeCloud
from roost.providers.local import processes
from roost.providers.local.cloud import LocalCloud
from roost.providers.provider import Cloud
from roost.recipes.step import Boot, Service
from tests.aws.conftest import Account, account, credentials
from tests.openstack.conftest import fake_site, project, the_fake_site
from tests.openstack.roosts import opener
from tests.openstack.site import Project

__all__ = ["account", "credentials", "fake_site", "project", "the_fake_site"]

NAME = "stars"
RENTED = Shape(type="m5.large", cpus=2, memory_gib=8, image="ubuntu-24.04", disk_gib=30)
TINY = Shape(type="m1.tiny", cpus=1, memory_gib=0.5, image="debian-12", disk_gib=1)
DESKTOP = Wanted(
    name=NAME,
    record=f'{{"name": "{NAME}", "kind": "desktop"}}',
    groups=(
        Group(role="desktop", count=1, shape=RENTED),
        Group(role="gateway", count=1, shape=RENTED),
    ),
    key_pairs=(KeyPair(name=NAME),),
    security_groups=(
        SecurityGroup(name=NAME),
        SecurityGroup(name=f"{NAME}.gateway", rules=(Rule(port=22, source="192.0.2.0/24"),)),
    ),
    volumes=(Volume(name="data", size_gib=50, type="gp3", holder="desktop", mount="/data"),),
    addresses=(
        Address(name="desktop", holder="desktop"),
        Address(name="gateway", holder="gateway"),
    ),
)
PROCESS = Shape(type="process", cpus=1, memory_gib=1)
CLUSTER = Wanted(
    name=NAME,
    record=f'{{"name": "{NAME}", "kind": "cluster"}}',
    groups=(
        Group(role="head", count=1, shape=PROCESS),
        Group(role="desktop", count=1, shape=PROCESS),
    ),
)


@dataclass(frozen=True)
class Rig:
    """A cloud with nothing in it. ``open`` is a new roost, which remembers nothing of the last."""

    open: Callable[[], Cloud]
    wanted: Wanted


def fake(request: pytest.FixtureRequest) -> Rig:
    """The cloud is in the object itself, so every roost opens the same one."""
    del request
    cloud = FakeCloud()
    return Rig(lambda: cloud, DESKTOP)


def local(request: pytest.FixtureRequest) -> Rig:
    """Machines that only sleep."""
    home: Path = request.getfixturevalue("tmp_path")
    place = folder(NAME, home)
    request.addfinalizer(lambda: processes.end(place.machines.glob("[!.]*")))

    def boot(record: str, instance: Instance, place: Folder) -> Boot:
        del record, place
        return Boot(services=(Service(name=instance.role, argv=("sleep", "600")),))

    return Rig(lambda: LocalCloud(boot, home), CLUSTER)


def aws(request: pytest.FixtureRequest) -> Rig:
    """An account in memory, as strict as EC2."""
    made: Account = request.getfixturevalue("account")
    return Rig(made.roost, DESKTOP)


def openstack(request: pytest.FixtureRequest) -> Rig:
    """A project at a site whose services are real, and whose machines are only said to be there."""
    groups = tuple(replace(group, shape=TINY) for group in DESKTOP.groups)
    volumes = (replace(DESKTOP.volumes[0], size_gib=1, type=""),)
    wanted = replace(DESKTOP, groups=groups, volumes=volumes)
    made: Project = request.getfixturevalue("project")
    folder: Path = request.getfixturevalue("tmp_path")
    return Rig(opener(made, folder, request.getfixturevalue("monkeypatch")), wanted)


REAL = pytest.param(openstack, marks=pytest.mark.openstack)


@pytest.fixture(params=[fake, local, aws, REAL], ids=lambda made: made.__name__)
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each cloud in turn."""
    made: Rig = request.param(request)
    return made


QUICK = ("nothing_left_to_do", "down_leaves_nothing", "called_as", "cannot_do", "is_called")
"""Parts of the names of the laws that are not left to a run by hand on real services."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave most laws that make machines on OpenStack's real services to a run by hand."""
    for item in items:
        if "[openstack" in item.name and not any(part in item.name for part in QUICK):
            item.add_marker(pytest.mark.long)
