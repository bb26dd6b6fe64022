"""Commands as users type them, against OpenStack's real services: what they make, keep and leave.

The machines are only said to be there, so what is done by ssh is left out (``all_ready``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost.providers.openstack import marks
from tests.aws.conftest import KEY
from tests.cli.calling import Ran, all_ready, caller
from tests.openstack.site import CLOUD, Project, becomes
from tests.openstack.weather import Weather

pytestmark = pytest.mark.openstack

MACHINE = 'cpus = 1\nmemory = "500MB"\nimage = "debian-12"\ndisk = "1GB"\n'
SITE = f'[openstack]\ncloud = "{CLOUD}"\n'
DESKTOP = f"""name = "stars"\nkind = "desktop"\ncloud = "openstack"
[machine]\n{MACHINE}[[volumes]]\nname = "data"\nsize = "1GB"\n{SITE}"""
CLUSTER = f"""name = "many"\nkind = "cluster"\ncloud = "openstack"
[head]\n{MACHINE}[workers]\ncount = 2\n{MACHINE}{SITE}"""

Typed = Callable[..., Ran]


@pytest.fixture
def roost(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    """``roost("up", "stars", "--yes")``: a command of the project's user, whose file is there."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_bytes(KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROOST_MY_ADDRESS", "203.0.113.7")
    monkeypatch.chdir(tmp_path)
    for key, value in project.environment(tmp_path).items():
        monkeypatch.setenv(key, value)
    Path("stars.toml").write_text(DESKTOP)
    Path("many.toml").write_text(CLUSTER)
    all_ready(monkeypatch)
    return caller(monkeypatch, capsys)


def well(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.err


def counts(project: Project) -> dict[str, int]:
    """How many things of each kind are in it."""
    return {kind: len(names) for kind, names in project.left().items()}


def neighbours(
    project: Project, name: str = "stars", node: str = "desktop", volume: str = "data"
) -> dict[str, Any]:
    """Things of somebody else in the same project, by names that roost could have given."""
    asked = project.connect()
    network = asked.network.find_network("private").id
    public = asked.network.find_network("public").id
    image = asked.image.find_image("debian-12").id
    flavor = asked.compute.find_flavor("m1.tiny").id
    there = {
        "group": asked.network.create_security_group(name=f"roost-{name}"),
        "float": asked.network.create_ip(floating_network_id=public, description=f"roost:{name}"),
        "volume": asked.block_storage.create_volume(name=f"{name}-{volume}", size=1),
        "server": asked.compute.create_server(
            name=f"{name}-{node}",
            flavor_id=flavor,
            image_id=image,
            networks=[{"uuid": network}],
            metadata={"roost": "other", "roost_node": node},
            tags=[f"roost:name={name}", "roost"],
        ),
        "image": asked.image.create_image(name=f"roost-{name}", tags=[f"roost:name={name}"]),
    }
    becomes(asked, there["server"], "ACTIVE")
    return there


def test_a_desktop_lives_and_leaves_nothing_but_what_is_others(
    roost: Typed, project: Project
) -> None:
    neighbours(project)
    before = project.left()
    well(roost("up", "stars.toml", "--yes"))
    shown = roost("show", "stars", "--json").json
    assert [i["state"] for i in shown["instances"]] == ["running"]
    assert "  4." not in roost("plan", "stars.toml", "--diff").out
    assert "nothing" in roost("plan", "stars.toml", "--diff").out.lower()
    asked = project.connect()
    servers = asked.compute.servers(details=True)
    (server,) = (s for s in servers if s.metadata.get(marks.NAME) == "stars")
    (volume,) = (v for v in asked.block_storage.volumes() if v.metadata.get(marks.NAME))
    assert server.metadata[f"{marks.VOLUME}0"] == volume.id
    well(roost("stop", "stars"))
    assert asked.compute.get_server(server.id).status == "SHELVED_OFFLOADED"
    assert "stars" in roost("ls").out
    well(roost("start", "stars"))
    well(roost("restart", "stars"))
    assert asked.compute.get_server(server.id).status in ("ACTIVE", "REBOOT")
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == before


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_workers_cost_no_more_calls_when_there_are_more(roost: Typed, project: Project) -> None:
    """But for the end of each, which Nova takes one call for."""
    calls = {}
    for number in (1, 10, 100):
        text = CLUSTER.replace("count = 2", f"count = {number}")
        Path("many.toml").write_text(text.replace('"many"', f'"many{number}"'))
        project.site.proxy.begin()
        well(roost("up", "many.toml", "--yes"))
        changes = [m.name for m in project.site.proxy.moments if m.changes]
        calls[number] = sorted(changes)
    assert calls[1] == calls[10] == calls[100]
    well(roost("scale", "many10", "2", "--yes"))
    shown = roost("show", "many10", "--json").json
    assert [i["name"] for i in shown["instances"]] == ["head", "worker-1", "worker-2"]
    for number, machines in ((1, 2), (10, 3), (100, 101)):
        project.site.proxy.begin()
        well(roost("down", f"many{number}", "--yes"))
        assert project.site.proxy.calls.count("DELETE compute /servers/{id}") == machines
    assert project.left() == {}


def test_an_answer_that_is_lost_makes_nothing_twice(roost: Typed, project: Project) -> None:
    proxy = project.site.proxy
    proxy.begin()
    well(roost("up", "stars.toml", "--yes"))
    changes = [m.at for m in proxy.moments if m.changes]
    calm = counts(project)
    proxy.begin(Weather(lost_answers=frozenset({("DELETE compute /servers/{id}", 0)})))
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == {}
    proxy.begin(Weather(lost_answers=frozenset(changes)))
    well(roost("up", "stars.toml", "--yes"))
    assert counts(project) == calm
    gateway = dict.fromkeys(changes, 504)
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    proxy.begin(Weather(done_but=gateway))
    well(roost("up", "stars.toml", "--yes"))
    assert counts(project) == calm
    proxy.begin()
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))


def test_what_the_site_cannot_make_is_deleted_and_its_fault_is_said(
    roost: Typed, project: Project
) -> None:
    site = project.site
    site.faults(spawn_fail="stars")
    failed = roost("up", "stars.toml", "--yes")
    assert failed.code == 1
    assert "injected" in failed.err or "could not make it" in failed.err
    assert "servers" not in project.left()
    site.faults(full={"*": ["*"]})
    full = roost("up", "stars.toml", "--yes")
    assert full.code == 1
    assert "No valid host" in full.err
    assert "servers" not in project.left()
    site.faults()
    well(roost("up", "stars.toml", "--yes"))
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == {}


def test_a_network_without_a_router_is_said_and_its_addresses_are_released(
    roost: Typed, project: Project
) -> None:
    asked = project.connect()
    own = asked.network.create_network(name="closed")
    asked.network.create_subnet(network_id=own.id, ip_version=4, cidr="10.77.0.0/24")
    which = roost("up", "stars.toml", "--yes")
    assert which.code == 2
    assert "which network?" in which.err
    assert {"closed", "private"} <= {word.strip(",") for word in which.err.split()}
    Path("stars.toml").write_text(DESKTOP + 'network = "closed"\n')
    closed = roost("up", "stars.toml", "--yes")
    assert closed.code == 1
    assert "no router leads from the network closed to public" in closed.err
    assert "addresses" not in project.left()
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == {}


@pytest.mark.long
def test_the_record_is_in_a_firewall_where_no_images_may_be_made(
    roost: Typed, project: Project
) -> None:
    refuse = {"POST image /images": 403}
    project.site.proxy.begin(Weather(refuse=refuse))
    well(roost("up", "many.toml", "--yes"))
    assert "images" not in project.left()
    assert "many" in roost("ls").out
    assert "nothing" in roost("plan", "many", "--diff").out.lower()
    well(roost("scale", "many", "1", "--yes"))
    well(roost("down", "many", "--yes"))
    assert project.left() == {}


@pytest.mark.long
def test_a_flavor_without_disk_boots_from_a_volume_that_goes_with_its_machine(
    roost: Typed, project: Project
) -> None:
    admin = project.site.admin.compute
    name = f"nodisk-{project.id[:8]}"
    flavor = admin.create_flavor(name=name, ram=512, vcpus=1, disk=0, is_public=False)
    admin.flavor_add_tenant_access(flavor, project.id)
    text = DESKTOP.replace('cpus = 1\nmemory = "500MB"', f'type = "{name}"')
    Path("stars.toml").write_text(f'{text}prices = "site.toml"\n')
    Path("site.toml").write_text(
        f'unit = "SU"\nsource = "a list"\n[flavors]\n"{name}" = 0\n'
        "[volumes]\nany = 730\n[addresses]\nfloating = 0\n"
    )
    well(roost("up", "stars.toml", "--yes"))
    assert len(project.left()["volumes"]) == 2
    shown = roost("show", "stars", "--json").json
    assert [v["name"] for v in shown["volumes"]] == ["data"]
    assert "11.00 SU" in roost("cost", "stars").out, "1 GB of data, and 10 that it boots from"
    refused = roost("park", "stars", "--yes")
    assert (refused.code, "it boots from a volume" in refused.err) == (1, True), refused.err
    assert roost("show", "stars", "--json").json["instances"][0]["state"] == "running"
    well(roost("stop", "stars"))
    well(roost("start", "stars"))
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == {}


@pytest.mark.long
def test_one_address_for_a_name_whose_machines_are_behind_its_gateway(
    roost: Typed, project: Project
) -> None:
    Path("many.toml").write_text(CLUSTER + '[access]\nreach = "jump"\n')
    well(roost("up", "many.toml", "--yes"))
    assert counts(project)["addresses"] == 1
    asked = project.connect()
    servers = {s.name: s for s in asked.compute.servers(details=True)}
    groups = {name: {g["name"] for g in one.security_groups} for name, one in servers.items()}
    assert groups["many-gateway"] == {"roost-many", "roost-many.gateway"}
    assert groups["many-head"] == groups["many-worker-1"] == {"roost-many"}
    assert "nothing" in roost("plan", "many", "--diff").out.lower()
    well(roost("stop", "many"))
    well(roost("start", "many"))
    well(roost("down", "many", "--yes"))
    assert project.left() == {}


@pytest.mark.long
def test_the_next_zone_where_there_is_no_room(roost: Typed, project: Project) -> None:
    zones = [z.name for z in project.connect().compute.availability_zones()]
    Path("stars.toml").write_text(DESKTOP + f'zones = ["nowhere", "{zones[0]}"]\n')
    told = well(roost("up", "stars.toml", "--yes"))
    assert f"no room for m1.tiny in nowhere: trying m1.tiny in {zones[0]}" in told
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == {}


def test_a_quota_that_is_too_small_is_said_before_anything_is_made(
    roost: Typed, project: Project
) -> None:
    for limit, most, text in (
        ("instances", 1, "instances: 2 more are needed, and 1 are left"),
        ("cores", 1, "cores: 2 more are needed, and 1 are left"),
        ("floating_ips", 0, "floating addresses: 1 more are needed, and 0 are left"),
        ("security_groups", 1, "security groups: 1 more are needed, and 0 are left"),
    ):
        project.quota(**{limit: most})
        refused = roost("up", "many.toml", "--yes")
        assert (refused.code, text in refused.err) == (5, True), refused.err
        assert project.left() == {}
        project.quota(**{limit: 50})
    project.quota(volumes=0)
    refused = roost("up", "stars.toml", "--yes")
    assert refused.code == 5
    assert "volumes: 1 more are needed, and 0 are left" in refused.err
    assert project.left() == {}


def test_a_quota_that_no_look_tells_is_met_half_way_and_said(
    roost: Typed, project: Project
) -> None:
    """What is there by then is named, and goes with ``down``."""
    hidden = (
        "GET compute /limits",
        "GET block-storage /limits",
        "GET network /quotas/{id}/details",
    )
    project.quota(volumes=0)
    project.site.proxy.begin(Weather(refuse=dict.fromkeys(hidden, 403)))
    met = roost("up", "stars.toml", "--yes")
    assert met.code == 5, met.err
    assert "for quota 'volumes'" in met.err, met.err
    assert "roost down stars" in met.err
    assert project.left()["servers"] == ["stars-desktop"]
    assert project.site.proxy.calls.count("POST block-storage /volumes") <= 2
    project.quota(volumes=1)
    well(roost("up", "stars.toml", "--yes"))
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert project.left() == {}
