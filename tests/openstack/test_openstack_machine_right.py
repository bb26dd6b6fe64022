"""The right of a machine on itself, against Keystone, Nova and their access rules."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openstack")

from roost.machine.common import Machine, write
from roost.machine.platforms import openstack as platform
from roost.model.host import Host
from roost.model.resources import Instance, Shape, State
from roost.plan.down import plan_down
from roost.plan.up import plan_up
from roost.plan.wanted import wanted_of
from roost.providers.openstack import machine_right
from roost.providers.openstack.client import Site as Client
from roost.providers.openstack.cloud import OpenStackCloud
from roost.providers.openstack.machine_right import (
    SECRET,
    ServerRights,
    existing,
    make,
    release,
)
from roost.providers.openstack.session import connect
from roost.reconcile.loop import reconcile
from roost.spec import from_json
from tests.aws.conftest import KEY
from tests.openstack.site import Project, Site, becomes, wait_for

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
]
SPEC = {
    "name": "stars",
    "kind": "desktop",
    "cloud": "openstack",
    "machine": {},
    "schedule": {"idle": "30m"},
    "openstack": {"guard": "shelve"},
}


def servers(asked: Any, *names: str) -> tuple[Instance, ...]:
    found = [
        asked.compute.create_server(
            name=name,
            flavor_id=asked.compute.find_flavor("m1.tiny").id,
            image_id=asked.image.find_image("debian-12").id,
            networks=[{"uuid": asked.network.find_network("private").id}],
        )
        for name in names
    ]
    for one in found:
        becomes(asked, one, "ACTIVE")
    shape = Shape(type="m1.tiny", cpus=1, memory_gib=1)
    return tuple(
        Instance(name=name, role="desktop", shape=shape, id=one.id)
        for name, one in zip(names, found, strict=True)
    )


def refused(right: dict[str, Any], what: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as error:
        platform.act(right, what)
    return error.value.code


def test_a_machine_can_shelve_itself_and_do_nothing_else(project: Project, tmp_path: Path) -> None:
    """Another server is out of its reach; `down` takes the credential and its rules along."""
    machine, asked = Machine(tmp_path), project.connect()
    site = Client(lambda: asked)
    mine, other = servers(asked, "mine", "other")
    spec, state = from_json(json.dumps(SPEC)), State(name="stars", instances=(mine,))
    handout = ServerRights(site).begin(spec, state)
    brought = handout.right(mine, "")
    assert handout.end(frozenset({"mine"})) == ()
    (kept,) = existing(site, "stars")
    assert (kept.id, kept.servers) == (brought.id, {mine.id})
    right = json.loads(brought.secrets[SECRET])

    write(machine.at(platform.RIGHT), brought.secrets[SECRET].decode(), 0o600)
    here = platform.Platform(machine=machine)
    assert here.trouble() == ""
    assert asked.compute.get_server(mine.id).status == "ACTIVE"
    assert refused({**right, "server": other.id}, "shelve") == 401
    assert refused({**right, "secret": "guessed"}, "shelve") == 401
    for path in ("/servers/detail", f"/servers/{mine.id}", "/flavors"):
        assert looked(right, path) == 401

    platform.act(right, "shelve")
    wait_for(lambda: asked.compute.get_server(mine.id).status == "SHELVED_OFFLOADED")
    assert asked.compute.get_server(other.id).status == "ACTIVE"

    record = json.dumps(SPEC)
    release(site, "stars", record, frozenset({mine.id}))
    assert existing(site, "stars") == (kept,)
    release(site, "stars", record)
    assert existing(site, "stars") == ()
    rules = site.get("identity", f"/users/{site.user[0]}/access_rules")["access_rules"]
    assert not [one for one in rules if mine.id in one["path"]]
    assert refused(right, "unshelve") == 404  # Keystone knows no such credential
    assert "HTTP Error 404" in here.trouble()


def looked(right: dict[str, Any], path: str) -> int:
    """What Nova answers to a GET by the token of this right."""
    who = {"id": right["id"], "secret": right["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": who}
    trust = platform.ssl.create_default_context()
    token = platform.ask(
        f"{right['identity']}/auth/tokens", {"auth": {"identity": identity}}, "", trust
    )
    asked = urllib.request.Request(right["compute"] + path, headers={"X-Auth-Token": token})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(asked, timeout=30)
    return error.value.code


def test_down_takes_the_right_of_machines_along(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose machines went before a kill; that of another name stays."""

    def begin() -> OpenStackCloud:
        """A new roost, which remembers nothing of the last."""
        return OpenStackCloud(
            site=Client(project.connect),
            region="roost",
            caller=lambda: "203.0.113.7/32",
            public_key=lambda: KEY,
            locks=tmp_path / "locks",
        )

    spec = from_json(json.dumps({**SPEC, "machine": {"type": "m1.tiny", "image": "debian-12"}}))
    cloud = begin()
    site = cloud.site
    assert cloud.can.fitting is not None
    wanted = cloud.can.fitting.fit(spec, wanted_of(spec, Host(0, 0)), cloud.observe("stars"))
    state = reconcile(cloud, "stars", lambda have, up: plan_up(wanted, have, given_up=up))
    (machine,) = state.instances
    for name in ("stars", "stars-2"):
        make(site, name, frozenset({machine.id}))

    def stop_before_the_right_goes(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(machine_right, "release", stop_before_the_right_goes)
        with pytest.raises(KeyboardInterrupt):
            reconcile(begin(), "stars", lambda have, _: plan_down(have, frozenset()))
    assert len(existing(site, "stars")) == 1
    state = reconcile(begin(), "stars", lambda have, _: plan_down(have, frozenset()))
    assert state.empty
    assert existing(site, "stars") == ()
    assert len(existing(site, "stars-2")) == 1
    release(site, "stars-2", None)
    assert existing(site, "stars-2") == ()
    assert site.get("identity", f"/users/{site.user[0]}/access_rules")["access_rules"] == []


def test_whoever_may_make_none_is_told_and_the_guard_powers_off(
    fake_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EGI's users, whose roles come with each login."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(fake_site.clouds))
    site = Client(lambda: connect("egi", None))
    shape = Shape(type="m1.tiny", cpus=1, memory_gib=1)
    mine = Instance(name="desktop", role="desktop", shape=shape, id=site.project)
    state = State(name="stars", instances=(mine,))
    handout = ServerRights(site).begin(from_json(json.dumps(SPEC)), state)
    assert handout.right(mine, "").secrets == {}
    (note,) = handout.end(frozenset({"desktop"}))
    assert "is powered off, and many sites charge for it as if it ran" in note
    assert "Could not find role assignment" in note
