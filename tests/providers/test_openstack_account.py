"""What doctor, audit and iam say of a site, from what it describes; the real one is asked in
``tests/openstack``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from roost.model.finding import Finding
from roost.model.host import Host
from roost.model.resources import Instance, State, Wanted
from roost.plan.wanted import wanted_of
from roost.providers.openstack import doctor, quotas, record, session
from roost.providers.openstack.audit import inventory
from roost.providers.openstack.flavors import Flavor
from roost.providers.openstack.network import Network
from roost.providers.openstack.offers import with_addresses
from roost.providers.openstack.quotas import Limit, Limits
from roost.spec import from_json

GPU = Flavor(id="g", name="gpu.small", cpus=6, memory_gib=12, disk_gib=0, gpus=1)
POOLED = Network("net", "private", direct=False, pool="ext", pool_name="public")
COURSE = (
    '{"name": "course", "kind": "classroom", "cloud": "openstack", "seats": 40, "folder": "/",'
    ' "machine": {"type": "gpu.small", "image": "debian-12", "disk": "40GB"},'
    ' "volumes": [{"name": "work", "size": "20GB"}]}'
)


def course() -> Wanted:
    return wanted_of(from_json(COURSE), Host(0, 0))


def limits(**known: tuple[int, int | None]) -> Limits:
    named = {key.replace("_", " "): pair for key, pair in known.items()}
    return Limits({what: Limit(what, *pair) for what, pair in named.items()})


def test_a_course_is_told_before_it_begins_that_two_gpu_machines_are_allowed() -> None:
    wanted, fitted = course(), {"seat": GPU}
    told = limits(instances=(0, 50), cores=(0, 12), floating_addresses=(1, 11), volumes=(0, None))
    wanted = with_addresses(from_json(COURSE), wanted, POOLED)
    more = quotas.needed(wanted, State(name="course"), fitted)
    assert more["instances"] == 40
    assert more["cores"] == 240
    assert more["floating addresses"] == 40
    assert more["volumes"] == 80, "the seats' own, and the disks that they boot from"
    assert more["GB of volumes"] == 40 * (20 + 40)
    found = {f.text.partition(":")[0]: f for f in quotas.judge(told, more)}
    assert found["instances"].verdict == found["volumes"].verdict == "ok"
    assert found["cores"].verdict == found["floating addresses"].verdict == "problem"
    assert "240 more are needed, and 12 are left" in found["cores"].text
    assert found["cores"].access
    (gpu,) = quotas.judge_gpus(wanted, State(name="course"), fitted, told)
    assert gpu.verdict == "problem"
    assert "40 more machines of gpu.small" in gpu.text
    assert "there is room for 2" in gpu.text


def test_what_is_there_already_needs_no_more_of_a_quota() -> None:
    wanted = course()
    seats = tuple(
        Instance(
            name=f"seat-{number}",
            role="seat",
            shape=wanted.groups[0].shape,
            state="stopped",
            fingerprint="",
        )
        for number in range(1, 41)
    )
    have = State(
        name="course",
        instances=seats,
        volumes=tuple(replace(volume, size_gib=10) for volume in wanted.volumes),
        security_groups=wanted.security_groups,
    )
    more = quotas.needed(wanted, have, {"seat": GPU})
    assert more == {"GB of volumes": 400}, "growth counts"
    (unknown,) = quotas.judge(Limits({}, ("network: no rights",)), {})
    assert (unknown.verdict, unknown.text) == ("unknown", "network: no rights")


def test_a_router_a_role_and_a_clock_are_judged() -> None:
    def verdicts(*findings: Finding) -> list[str]:
        return [one.verdict for one in findings]

    assert verdicts(
        doctor.judge_router(POOLED, {"r"}, {"r": "ext"}),
        doctor.judge_router(POOLED, {"r"}, {"r": "None"}),
        doctor.judge_router(POOLED, set(), {}),
        doctor.judge_router(POOLED, {"theirs"}, {}),
    ) == ["ok", "problem", "problem", "unknown"]
    assert verdicts(
        doctor.judge_roles("s", frozenset({"member", "reader"})),
        doctor.judge_roles("s", frozenset({"vm_operator"})),
        doctor.judge_roles("s", frozenset({"reader"})),
        doctor.judge_roles("s", frozenset()),
    ) == ["ok", "ok", "problem", "unknown"]
    now = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    assert verdicts(
        doctor.judge_clock("Fri, 27 Nov 2026 12:01:00 GMT", now),
        doctor.judge_clock("Fri, 27 Nov 2026 13:01:00 GMT", now),
        doctor.judge_clock(None, now),
        doctor.judge_clock("yesterday", now),
    ) == ["ok", "problem", "unknown", "unknown"]
    types = {"compute", "network", "image", "volumev3"}
    assert doctor.judge_services("s", types).verdict == "ok"
    assert "no block-storage" in doctor.judge_services("s", types - {"volumev3"}).text


def described(**kinds: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    kinds = {key.replace("_", " "): found for key, found in kinds.items()}
    names = ("server", "volume", "snapshot", "image", "floating address", "security group")
    return {**{name: [] for name in (*names, "port", "record")}, **kinds}


def test_an_audit_lists_roosts_own_and_hints_at_what_is_nobodys() -> None:
    flavor = {"original_name": "m1.small"}
    lost = {"roost": "lost", "roost_node": "head"}
    found = inventory(
        described(
            server=[
                {"id": "s1", "status": "SHUTOFF", "flavor": flavor, "metadata": lost},
                {"id": "s2", "status": "ACTIVE", "flavor": flavor, "metadata": {}},
                {"id": "s3", "status": "ACTIVE", "flavor": None, "metadata": {"roost": 7}},
            ],
            volume=[
                {"id": "v1", "size": 5, "status": "in-use", "metadata": lost, "attachments": [{}]},
                {"id": "v2", "size": 9, "status": "available", "metadata": {}, "attachments": []},
                {"id": "v3", "size": 9, "status": "in-use", "metadata": {}, "attachments": [{}]},
            ],
            floating_address=[
                {
                    "id": "f1",
                    "floating_ip_address": "192.0.2.1",
                    "port_id": None,
                    "description": "",
                },
                {"id": "f2", "description": "roost:lost:head", "port_id": "p"},
            ],
            security_group=[{"id": "g1", "description": "roost:lost:lost"}, {"id": "g2"}],
        ),
        session.Site("lab", "R1"),
    )
    ours = {one.ids[0]: one for one in found.found}
    assert set(ours) == {"s1", "v1", "f2", "g1"}
    assert all(one.orphan for one in ours.values())
    assert ours["s1"].what == "m1.small off"
    assert ours["s1"].end == "roost down lost --region lab/R1"
    assert {one.ids[0] for one in found.hints} == {"v2", "f1"}
    assert found.hints[0].end == "openstack --os-cloud lab volume delete v2"


def test_an_audit_prices_a_machine_by_the_list_in_its_record() -> None:
    kept = COURSE[:-1] + (
        ', "openstack": {"prices": "x", "price_list": {"unit": "SU", "source": "x",'
        ' "flavors": {"gpu.small": "8"}, "states": {"shelved": "0.5"}}}}'
    )
    image = {
        "id": "i",
        "name": "roost-course",
        "os_hidden": True,
        "tags": ["roost", "roost:name=course"],
        **record.properties(record.Kept(record=kept)),
    }
    server = {
        "id": "s",
        "status": "SHELVED_OFFLOADED",
        "flavor": {"original_name": "gpu.small"},
        "metadata": {"roost": "course"},
    }
    found = inventory(described(server=[server], record=[image]), session.Site("lab"))
    assert found.found[0].what == "gpu.small shelved offloaded, 4.00 SU an hour"
    assert not found.found[0].orphan
