"""The pure parts of the provider: what a site says is parsed, bounded, and not believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from roost.app.host import this_host
from roost.errors import CapacityError, NotYetError, QuotaError, RoostError, UsageError
from roost.model.owner import Owner
from roost.model.resources import Backup, Rule, Shape, State
from roost.model.steps import Modify
from roost.plan.up import plan_up
from roost.plan.wanted import wanted_of
from roost.providers.openstack import (
    client,
    failures,
    firewall,
    flavors,
    images_lookup,
    marks,
    network,
    parse,
    record,
    record_group,
)
from roost.providers.openstack.failures import CallError, known
from roost.providers.openstack.firewall import Caller
from roost.providers.openstack.flavors import Flavor
from roost.providers.openstack.offers import Offers
from roost.providers.openstack.rules import ANY_FLAVOR
from roost.recipes.user_data import cloud_config, facts_of
from roost.spec import load
from roost.ssh.config import user_of


def server(name: str = "stars-desktop", **more: Any) -> dict[str, Any]:
    held = {"roost": "stars", "roost_node": "desktop", "roost_role": "desktop"}
    return {"id": "1", "name": name, "status": "ACTIVE", "metadata": held, **more}


def seats(name: str, nodes: str = "seat-1..3") -> dict[str, Any]:
    held = {"roost": "course", "roost_node": nodes, "roost_role": "seat"}
    return server(name, metadata=held)


def test_a_server_is_known_by_its_marks_and_the_number_that_ends_its_name() -> None:
    assert marks.read_server(server("renamed by hand")).node == "desktop"
    assert marks.read_server(seats("course-seat-3")).node == "seat-3"
    for odd in (seats("course-seat"), seats("course-seat-4"), seats("course-seat-0")):
        assert marks.read_server(odd).wrong
    for held in ({}, None, {"roost_node": 7}, {"roost_node": "head", "roost_role": "desktop"}):
        assert marks.read_server(server(metadata=held)).wrong
    ours, others = parse.sort_servers([server(), seats("x"), server(metadata={})], "stars")
    assert ([one["id"] for one in ours], others) == (["1"], [])
    ours, others = parse.sort_servers([seats("renamed")], "course")
    assert (ours, [one.why for one in others]) == (
        [],
        ["it was renamed: its name must end with its number (-1, -2)"],
    )


def test_a_machine_is_where_neutron_says_before_nova_has_heard_of_it() -> None:
    at = {"net": [{"addr": "10.0.0.4", "version": 4, "OS-EXT-IPS:type": "fixed"}]}
    known = parse.instances([server(addresses=at)])
    given = {"id": "f", "description": "roost:stars:desktop", "floating_ip_address": "192.0.2.9"}
    for port, address in (("p", "192.0.2.9"), (None, "10.0.0.4")):
        float_ = given | {"port_id": port, "fixed_ip_address": "10.0.0.4" if port else None}
        floats = parse.addresses([float_], {"10.0.0.4": "desktop"})
        (found,) = parse.at_their_floats(known, floats)
        assert (found.address, found.private) == (address, "10.0.0.4")


def test_the_states_of_servers() -> None:
    states = {
        ("ACTIVE", None): "running",
        ("ACTIVE", "powering-off"): "stopping",
        ("ACTIVE", "shelving_image_uploading"): "stopping",
        ("ACTIVE", "image_uploading"): "running",
        ("ACTIVE", "deleting"): "deleting",
        ("SHUTOFF", "powering-on"): "pending",
        ("SHUTOFF", None): "stopped",
        ("SHELVED_OFFLOADED", None): "stopped",
        ("SHELVED_OFFLOADED", "unshelving"): "pending",
        ("BUILD", "spawning"): "pending",
        ("ERROR", None): "failed",
        ("A NEW WORD", None): "unknown",
    }
    for (status, task), state in states.items():
        one = server(status=status, **{"OS-EXT-STS:task_state": task})
        assert parse.instances([one])[0].state == state, (status, task)
    off, shelved = (parse.instances([server(status=s)])[0] for s in ("SHUTOFF", "SHELVED"))
    assert (off.billed, shelved.billed) == (True, False)
    assert not parse.instances([server(status="SHUTOFF")], {"1"})[0].billed
    two = parse.instances([server(created="2"), server(created="1") | {"id": "0"}])
    assert [(i.name, i.id) for i in two] == [("desktop", "0"), ("desktop+", "1")]


def test_a_record_comes_back_from_an_image_and_from_a_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = '{"name": "stars", "kind": "desktop", "x": "' + "".join(map(chr, range(35, 90))) + '"}'
    backup = Backup(kind="snapshot", name="data", id="snap", taken=1, size_gib=2, used_gib=1)
    owner = Owner(caller="user:1/alice", key="SHA256:x")
    kept = record.Kept(record=text, backups=(backup,), owner=owner)
    monkeypatch.setattr(record, "PART", 50)  # many properties
    held = record.properties(kept)
    assert len(held) > 5
    back = record.read({"id": "i", **held, "created_at": "2026-11-27T06:54:01Z"})
    assert (back.record, back.backups, back.owner) == (text, (backup,), owner)
    assert (back.kind, back.unread) == ("desktop", False)
    for length in record_group.LENGTHS:
        tags = record_group._packed(held, length)
        group = {"id": "g", "tags": [*reversed(tags)]}
        again = record_group.read(group)
        assert (again.record, again.backups, again.in_group) == (text, (backup,), True)
    broken = {k: v for k, v in held.items() if k != "roost_record_1"}
    assert record.read({"id": "i", **broken}).record == ""
    assert record.read({"id": "i", **held, "roost_backups_2": "x"}).unread
    assert record.read({"id": "i", **held, "roost_backups_0": "!"}).unread
    for odd in ({}, {"roost_record_0": 7}, {"roost_record_0": "!"}, {"tags": {"a": 1}}):
        assert record.read({"id": "i", **odd}).record == ""
        assert record_group.read({"id": "g", **odd}).record == ""
    assert not record.name_in({"os_hidden": True, "name": "roost-a", "tags": ["roost:name=b"]})


FLAVORS = (
    Flavor(id="1", name="tiny", cpus=1, memory_gib=1, disk_gib=10),
    Flavor(id="2", name="diskless", cpus=2, memory_gib=4, disk_gib=0),
    Flavor(id="3", name="large", cpus=8, memory_gib=32, disk_gib=100),
    Flavor(id="4", name="gpu", cpus=8, memory_gib=32, disk_gib=100, gpus=1),
)


def test_a_volume_changes_its_type_only_where_a_file_says_one_of_the_sites(
    tmp_path: Path,
) -> None:
    held = {"roost": "stars", "roost_node": "data", "roost_holder": "desktop", "roost_type": "gp3"}
    sizes = {"size": 1, "status": "available", "attachments": []}
    there = {"id": "v1", "volume_type": "ceph", "metadata": held, **sizes}
    have = State(name="stars", volumes=parse.volumes([there], {}))
    for said, becomes in (("", None), ('type = "gp3"', None), ('type = "fast"', "fast")):
        file = tmp_path / "stars.toml"
        file.write_text(
            'name = "stars"\nkind = "desktop"\ncloud = "openstack"\n'
            '[machine]\ntype = "m1.small"\n'
            f'[[volumes]]\nname = "data"\nsize = "1GB"\n{said}\n'
        )
        steps = plan_up(wanted_of(load(file), this_host()), have).steps
        kinds = [v.type for step in steps if isinstance(step, Modify) for v in step.volumes]
        assert kinds == ([becomes] if becomes else []), said


def test_a_type_of_volume_that_a_site_has_not_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(
        'name = "stars"\nkind = "desktop"\ncloud = "openstack"\n[machine]\ntype = "m1.small"\n'
        '[[volumes]]\nname = "data"\nsize = "1GB"\ntype = "fast"\n'
    )
    spec = load(file)
    wanted = wanted_of(spec, this_host())
    listed = [{"name": "ceph"}]
    site = SimpleNamespace(every=lambda *_: listed)
    monkeypatch.setattr(Offers, "network_of", lambda *_: SimpleNamespace(direct=False))

    def checked() -> None:
        offers = Offers(cast("client.Site", site))
        list(offers.check(spec, wanted, State(name="stars"), "", launches=False))

    with pytest.raises(UsageError, match="no type of volume fast; it has ceph"):
        checked()
    listed.append({"name": "fast"})
    checked()


def test_the_smallest_flavor_that_fits_or_the_one_in_use() -> None:
    need = Shape(type=ANY_FLAVOR, cpus=2, memory_gib=4, disk_gib=50)
    assert flavors.resolved(FLAVORS, need).type == "diskless"
    assert flavors.resolved(FLAVORS, need, {"large"}).type == "large"
    assert flavors.resolved(FLAVORS, need, {"tiny"}).type == "diskless"
    assert flavors.resolved(FLAVORS, replace(need, gpus=1)).type == "gpu"
    assert flavors.resolved(FLAVORS, replace(need, type="3")).type == "large"
    for wrong in (replace(need, cpus=64), replace(need, type="larg"), replace(need, gpus=2)):
        with pytest.raises(UsageError, match="large"):
            flavors.resolved(FLAVORS, wrong)
    specs = (
        ({"pci_passthrough:alias": "a100:2"}, 2),
        ({"resources:VGPU": "1"}, 1),
        ({"Accelerator:Number": "1", "Accelerator:Type": "GPU"}, 1),
        ({"hw:cpu_policy": "dedicated"}, 0),
    )
    for found, count in specs:
        assert flavors.gpus_in(found) == count, found


def test_an_image_by_the_names_that_sites_give() -> None:
    def image(name: str, at: str = "1", **more: Any) -> dict[str, Any]:
        return {"id": name, "name": name, "status": "active", "created_at": at, **more}

    debians = (
        "Debian 12 (bookworm)",
        "EGI Debian 12 [abc]",
        "egi_vm_images/debian:12",
        "debian-12",
    )
    for name in (*debians, "debian-12-x86_64-genericcloud", "Debian GNU/Linux 12.5"):
        assert images_lookup.is_system(image(name), "debian-12"), name
    for name in ("Debian 11", "debian-120", "centos-12", "my debian", "lesbian-12"):
        assert not images_lookup.is_system(image(name), "debian-12"), name
    told = image("a", os_distro="ubuntu", os_version="24.04")
    assert images_lookup.is_system(told, "ubuntu-24.04")
    every = [
        image("Debian 12 old", "1", visibility="public"),
        image("Debian 12 new", "2", visibility="public"),
        image("Debian 12 mine", "3", visibility="private"),
        image("Debian 12 arm", "4", visibility="public", architecture="aarch64"),
        image("Debian 12 half", "5", visibility="public", status="queued"),
    ]
    assert images_lookup.choose(every, "debian-12")["name"] == "Debian 12 new"
    assert images_lookup.choose(every, "Debian 12 mine")["name"] == "Debian 12 mine"
    # Somebody of the same project calls theirs as the file says: the site's own comes first.
    every.append(image("debian-12", "6", visibility="private") | {"id": "planted"})
    every.append(image("Debian 12 new", "7", visibility="community"))
    assert images_lookup.choose(every, "debian-12")["created_at"] == "2"
    with pytest.raises(UsageError, match="Debian 12 old"):
        images_lookup.choose(every, "ubuntu-24.04")


class Listed:
    """A site that only has lists."""

    project = "p"

    def __init__(self, networks: list[dict[str, Any]], subnets: list[dict[str, Any]]) -> None:
        self.lists = {"networks": networks, "subnets": subnets}

    def every(self, service: str, path: str, field: str, params: Any = ()) -> list[dict[str, Any]]:
        del service, path, params
        return self.lists[field]


def test_the_network_is_the_only_one_or_the_named_one() -> None:
    def net(name: str, *, outside: bool = False, **more: Any) -> dict[str, Any]:
        found = {"id": name, "name": name, "subnets": ["s"], "router:external": outside}
        return {**found, "project_id": "p", **more}

    def find(*networks: dict[str, Any], cidr: str = "10.0.0.0/24", **asked: Any) -> Any:
        from roost.spec.openstack import OpenStack

        subnets = [{"network_id": n["id"], "cidr": cidr} for n in networks[:1]]
        public = asked.pop("public", True)
        site: Any = Listed([*networks], subnets)
        return network.find_network(site, OpenStack(**asked), public=public)

    own, shared, pool = (
        net("own"),
        net("all", project_id="q", shared=True),
        net("ext", outside=True),
    )
    found = find(own, shared, pool)
    assert (found.name, found.pool_name, found.direct) == ("own", "ext", False)
    assert find(shared, pool).name == "all"
    assert find(own, pool, cidr="8.8.8.0/24").direct
    assert find(own, pool, network="ext").direct
    assert find(own, pool, network="own", public_network="own").direct
    assert find(own, public_network="own").pool == ""
    assert find(own, public=False).pool == ""
    assert find(own, pool, net("other", outside=True), public_network="other").pool == "other"
    wrong = {
        "which network": ((own, net("two"), pool), {}),
        "which public network": ((own, pool, net("other", outside=True)), {}),
        "no public network": ((own,), {}),
        "no network": ((pool,), {}),
        "2 networks are called": ((own, own | {"id": "x"}, pool), {"network": "own"}),
        'there is no "lost"': ((own, pool), {"network": "lost"}),
    }
    for text, (networks, asked) in wrong.items():
        with pytest.raises(RoostError, match=text):
            find(*networks, **asked)


def test_rules_are_opened_and_closed_once() -> None:
    caller = Caller("203.0.113.7/32", "SHA256:me")
    group: dict[str, Any] = {"id": "g", "security_group_rules": []}
    wanted = (Rule(port=22, source="caller"), Rule(port=443, source="0.0.0.0/0"))
    asked = firewall.missing(group, wanted, caller)
    assert [one.get("remote_group_id") for one in asked] == [None, None, "g", "g"]
    made = [one | {"id": str(number)} for number, one in enumerate(asked)]
    made[1] |= {"remote_ip_prefix": None}  # as some versions of Neutron say everywhere
    group["security_group_rules"] = made
    assert firewall.missing(group, wanted, caller) == []
    rules = firewall.rules(group, caller)
    assert [(r.port, r.source, r.of) for r in rules] == [
        (22, "203.0.113.7/32", "me"),
        (22, "caller", "me"),
        (443, "0.0.0.0/0", "file"),
    ]
    assert firewall.rules(group, Caller())[0].of == "colleague"
    assert firewall.going(group, [rules[0]]) == ["0"]
    by_hand = {"direction": "ingress", "protocol": None, "remote_ip_prefix": "10.0.0.0/8"}
    assert [r.of for r in firewall.rules({"security_group_rules": [by_hand]}, caller)] == ["hand"]


def test_what_answers_mean() -> None:
    def error(status: int, said: str, service: str = "compute") -> RoostError:
        return known(CallError(status, said, service, "POST", "/x"), "do it")

    quota = "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances"
    assert isinstance(error(403, quota), QuotaError)
    assert isinstance(error(413, "VolumeSizeExceedsAvailableQuota: too much"), QuotaError)
    over = "OverQuota: Quota exceeded for resources: ['floatingip']."
    assert isinstance(error(409, over, "network"), QuotaError)
    assert isinstance(
        error(409, "Cannot 'shelve' instance while it is in task_state x"), NotYetError
    )
    assert isinstance(error(409, "IpAddressGenerationFailure: No more IP addresses"), CapacityError)
    assert isinstance(failures.of_fault("head", "No valid host was found."), CapacityError)
    said = {
        '{"badRequest": {"code": 400, "message": "no"}}': "no",
        '{"NeutronError": {"type": "Bad", "message": "no", "detail": ""}}': "Bad: no",
        "<html><h1>502 Bad Gateway</h1></html>": "502 Bad Gateway",
        "": "a reason",
        "[" * 5000: "[" * 1000,
    }
    for body, words in said.items():
        assert failures.words(body, "a reason") == words


def test_a_launch_names_the_first_user_whatever_the_image_calls_its_own(tmp_path: Path) -> None:
    for image, user in (("EGI Debian 12", "debian"), ("rocky-9", "ubuntu")):
        machine = f'[machine]\ncpus = 1\nmemory = "1GB"\nimage = "{image}"\n'
        file = tmp_path / "stars.toml"
        file.write_text(f'name = "stars"\nkind = "desktop"\ncloud = "openstack"\n{machine}')
        spec = load(file)
        facts = facts_of(spec, "desktop", "desktop", ())
        assert cloud_config(facts)["user"] == user
        assert user_of(spec.to_json(), "desktop") == user


class Answers:
    """A connection whose calls are answered with one status after the other."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = [*statuses]
        self.config = self.session = self

    def get_endpoint(self, service: str) -> str:
        return f"http://{service}/v2"

    def request(self, *_: Any, **__: Any) -> Any:
        status = self.statuses.pop(0)
        text = "{}" if status < 400 else "<html>no server is available</html>"
        return SimpleNamespace(
            status_code=status,
            text=text,
            content=text.encode(),
            reason="",
            headers={"Retry-After": "9"} if status == 429 else {},
            json=dict,
        )


def test_a_look_is_taken_again_where_a_site_is_in_trouble_and_a_change_never() -> None:
    """What changes something may have been done: the loop looks first."""
    for method, statuses, slept in (
        ("GET", (503, 500, 200), [1, 2]),
        ("POST", (429, 200), [9]),
    ):
        pauses: list[float] = []
        site = client.Site(lambda s=statuses: Answers(*s), sleep=pauses.append)  # type: ignore[misc]
        assert site.call(method, "image", "/images") == {}
        assert pauses == slept
    for method, statuses in (("POST", (503, 200)), ("GET", (403, 200)), ("GET", (503,) * 4)):
        site = client.Site(lambda s=statuses: Answers(*s), sleep=lambda _: None)  # type: ignore[misc]
        with pytest.raises(CallError) as met:
            site.call(method, "image", "/images")
    assert "again" in str(known(met.value, "look").next)
