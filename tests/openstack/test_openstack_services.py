"""The site itself: that the services are there as users of OpenStack know them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.openstack.seed import ZONES
from tests.openstack.site import Project, Site, becomes, wait_for
from tests.openstack.weather import Weather

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
CREATE = "POST compute /servers"


def server(connection: Any, name: str, flavor: str = "m1.small", **more: Any) -> Any:
    """Asked for, not waited for."""
    return connection.compute.create_server(
        name=name,
        flavor_id=connection.compute.find_flavor(flavor).id,
        image_id=connection.image.find_image("debian-12").id,
        networks=[{"uuid": connection.network.find_network("private").id}],
        **more,
    )


def test_a_server_with_an_address_and_a_volume_comes_and_goes(project: Project) -> None:
    asked = project.connect()
    one = becomes(asked, server(asked, "one", metadata={"roost": "x"}), "ACTIVE")
    port = next(asked.network.ports(device_id=one.id))
    public = asked.network.find_network("public").id
    address = asked.network.create_ip(floating_network_id=public, port_id=port.id)
    volume = asked.block_storage.create_volume(size=1, name="data")
    wait_for(lambda: asked.block_storage.get_volume(volume.id).status == "available")
    asked.compute.create_volume_attachment(one, volume)
    wait_for(lambda: asked.block_storage.get_volume(volume.id).status == "in-use")
    assert project.left() == {
        "servers": ["one"],
        "volumes": ["data"],
        "addresses": [address.floating_ip_address],
        "ports": [port.id],
    }
    asked.compute.shelve_server(one)
    becomes(asked, one, "SHELVED_OFFLOADED")
    assert project.left()["images"] == ["one-shelved"]
    asked.network.delete_ip(address)
    asked.compute.delete_server(one)
    wait_for(lambda: not list(asked.compute.servers()))
    wait_for(lambda: asked.block_storage.get_volume(volume.id).status == "available")
    asked.block_storage.delete_volume(volume)
    wait_for(lambda: project.left() == {})


def test_nobody_sees_what_is_of_another_project(fake_site: Site, project: Project) -> None:
    from openstack import exceptions

    mine, others = project.connect(), fake_site.bob.connect()
    mine.network.create_security_group(name="mine")
    one = server(mine, "mine")
    assert project.left()["groups"] == ["mine"]
    assert list(others.compute.servers()) == []
    assert others.network.find_security_group("mine") is None
    with pytest.raises(exceptions.NotFoundException):
        others.compute.get_server(one.id)


def test_a_token_of_egi_opens_the_project_of_its_vo(fake_site: Site) -> None:
    import openstack
    from keystoneauth1.exceptions import Unauthorized

    asked = openstack.connection.Connection(
        config=openstack.config.OpenStackConfig(
            config_files=[str(fake_site.clouds)], load_envvars=False
        ).get_one("egi")
    )
    assert list(asked.compute.servers()) == []
    project = fake_site.admin.identity.find_project("roost").id
    for token in ("dave", "unknown", fake_site.egi_token(seconds=-1)):
        refused = openstack.connect(
            load_envvars=False, load_yaml_config=False, **fake_site.egi(token, project)
        )
        with pytest.raises(Unauthorized):
            refused.compute.get("/servers")


def test_what_a_site_refuses(fake_site: Site, project: Project) -> None:
    from openstack import exceptions

    asked = project.connect()
    becomes(asked, server(asked, "ill", metadata={"fake_fault": "spawn"}), "ERROR")
    huge = becomes(asked, server(asked, "huge", "x9.huge"), "ERROR")
    assert "No valid host" in huge.fault["message"]
    fake_site.faults(full={"*": ["m1.small"]}, volume_fail="^bad")
    full = becomes(asked, server(asked, "full"), "ERROR")
    assert "No valid host" in full.fault["message"]
    becomes(asked, server(asked, "other", "m1.tiny"), "ACTIVE")
    volume = asked.block_storage.create_volume(size=1, name="bad")
    wait_for(lambda: asked.block_storage.get_volume(volume.id).status == "error")
    project.quota(instances=4, floating_ips=0)
    with pytest.raises(exceptions.ForbiddenException, match="Quota exceeded"):
        server(asked, "fifth", "m1.tiny")
    with pytest.raises(exceptions.ConflictException, match="Quota exceeded"):
        asked.network.create_ip(floating_network_id=asked.network.find_network("public").id)


def test_another_zone_and_other_networks(fake_site: Site) -> None:
    from openstack import exceptions

    found = fake_site.project("private", "closed", "direct")
    asked = found.connect()
    names = {one.name for one in asked.network.networks()}
    assert names == {"private", "closed", "direct", "public"}
    with pytest.raises(exceptions.ConflictException, match="Multiple possible networks"):
        asked.compute.create_server(
            name="which",
            flavor_id=asked.compute.find_flavor("m1.tiny").id,
            image_id=asked.image.find_image("debian-12").id,
            networks="auto",
        )
    one = becomes(asked, server(asked, "far", availability_zone=ZONES[1]), "ACTIVE")
    assert one.availability_zone == ZONES[1]
    fake_site.faults(full={"bench-1": ["*"]})
    becomes(asked, server(asked, "near"), "ERROR")
    becomes(asked, server(asked, "far-2", availability_zone=ZONES[1]), "ACTIVE")
    found.clear()


def test_a_command_gives_a_new_token_each_time_and_it_ends(fake_site: Site) -> None:
    import openstack
    from keystoneauth1.exceptions import Unauthorized

    command = fake_site.token_command(seconds=5)
    first, second = (subprocess.check_output([command], text=True).strip() for _ in range(2))
    assert first != second
    project = fake_site.admin.identity.find_project("roost").id

    def with_token() -> Any:
        entry = fake_site.egi(second, project)
        return openstack.connect(load_envvars=False, load_yaml_config=False, **entry)

    assert list(with_token().compute.servers()) == []
    time.sleep(5)
    with pytest.raises(Unauthorized):
        list(with_token().compute.servers())


# --- the proxy -----------------------------------------------------------------------------------


def test_each_call_is_counted_and_fails_when_told(fake_site: Site, project: Project) -> None:
    from openstack import exceptions

    asked, proxy = project.connect(), fake_site.proxy
    proxy.begin(Weather(errors={(CREATE, 0): 500}))
    with pytest.raises(exceptions.HttpException, match="Unexpected API Error"):
        server(asked, "never")
    assert (proxy.calls[-1], project.left()) == (CREATE, {})
    proxy.begin(Weather(refuse={"GET network /networks": 409}))
    with pytest.raises(exceptions.ConflictException):
        list(asked.network.networks())


def test_a_lost_answer_is_of_a_call_that_was_done(fake_site: Site, project: Project) -> None:
    from keystoneauth1.exceptions import ConnectFailure
    from openstack import exceptions

    asked = project.connect()
    fake_site.proxy.begin(
        Weather(lost_answers=frozenset({(CREATE, 0)}), done_but={(CREATE, 1): 504})
    )
    with pytest.raises(ConnectFailure):
        server(asked, "lost")
    with pytest.raises(exceptions.HttpException):
        server(asked, "late")
    assert project.left()["servers"] == ["late", "lost"]


@pytest.mark.parametrize("when", ["kill_before", "kill_after"])
def test_a_client_is_killed(fake_site: Site, project: Project, tmp_path: Path, when: str) -> None:
    code = (
        "import openstack; c = openstack.connect(cloud='roost'); input();"
        "c.block_storage.create_volume(size=1, name='v'); print('survived')"
    )
    process = subprocess.Popen(
        ["python", "-c", code],
        env={"PATH": os.environ["PATH"], **project.environment(tmp_path)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    weather = Weather(**{when: ("POST block-storage /volumes", 0)})
    fake_site.proxy.begin(weather, victim=process.pid)
    process.communicate(b"\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert ("volumes" in project.left()) == (when == "kill_after")


def test_a_token_ends_after_so_many_calls(fake_site: Site, project: Project) -> None:
    asked, proxy = project.connect(), fake_site.proxy
    proxy.begin(Weather(token_calls=3))
    for _ in range(5):
        list(asked.compute.servers(details=False))
    assert proxy.calls.count("POST identity /auth/tokens") in (1, 2)
    proxy.begin(Weather(token_seconds=0.5))
    list(asked.compute.servers(details=False))
    time.sleep(0.6)
    list(asked.compute.servers(details=False))
    assert proxy.calls.count("POST identity /auth/tokens") == 1
