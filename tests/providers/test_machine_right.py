"""The right of OpenStack's machines on themselves: made once, replaced, gone with its server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from roost.model.resources import Instance, Shape, State
from roost.providers.openstack.failures import CallError
from roost.providers.openstack.machine_right import (
    SECRET,
    ServerRights,
    access_rules,
    existing,
    make,
    mark,
    read,
    release,
)
from roost.spec import Spec, from_json

SHAPE = Shape(type="m1.small", cpus=1, memory_gib=2)
IDS = tuple(f"{n:08x}-54a1-4b7e-9d1c-6e0d3a5b9c11" for n in range(6))
USER = "/users/alice"
RECORD = '{"openstack": {"guard": "shelve"}}'


@dataclass
class Keystone:
    """One user's application credentials; access rules stay when a credential goes."""

    region: str = "RegionOne"
    project: str = "p1"
    user: tuple[str, str] = ("alice", "Alice")
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    made: int = 0
    refuses: int = 0
    knows_rules: bool = True
    auth_type: str = "password"
    verify: Any = True

    @property
    def connection(self) -> Any:
        config = SimpleNamespace(
            config={"auth_type": self.auth_type},
            get_requests_verify_args=lambda: (self.verify, None),
        )
        return SimpleNamespace(config=config)

    def endpoint(self, service: str) -> str:
        return {"identity": "https://k/v3", "compute": "https://n/compute/v2.1"}[service]

    def _called(self, method: str, path: str) -> None:
        self.calls.append(f"{method} {path.split('/')[3]}")
        if self.refuses:
            raise CallError(self.refuses, "no such role", "identity", method, path)

    def get(self, service: str, path: str) -> Any:
        self._called("GET", path)
        if path == f"{USER}/access_rules":
            return {"access_rules": [*self.rules.values()]}
        assert path == f"{USER}/application_credentials"
        return {"application_credentials": [*self.kept.values()]}

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> Any:
        self._called("POST", path)
        asked = dict(body["application_credential"])
        assert asked["name"] not in {one["name"] for one in self.kept.values()}
        if not self.knows_rules:
            del asked["access_rules"]
        for rule in asked.get("access_rules", ()):
            one = next((i for i, r in self.rules.items() if r["path"] == rule["path"]), None)
            self.made += 1
            number = one or f"r{self.made}"
            self.rules[number] = {**rule, "id": number}
        self.made += 1
        number = f"c{self.made}"
        self.kept[number] = {**asked, "id": number, "project_id": self.project}
        return {"application_credential": {**self.kept[number], "secret": f"hush-{number}"}}

    def delete(self, service: str, path: str) -> None:
        self._called("DELETE", path)
        kind, _, one = path.removeprefix(f"{USER}/").partition("/")
        if kind == "application_credentials":
            self.kept.pop(one, None)
        else:
            path = self.rules[one]["path"]
            used = {r["path"] for c in self.kept.values() for r in c.get("access_rules", ())}
            if path in used:
                raise CallError(403, "it is in use", "identity", "DELETE", path)
            del self.rules[one]

    def each(self, do: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        return [do(one) for one in things]


def spec(kind: str = "cluster", guard: str = "shelve", idle: str | None = "30m") -> Spec:
    told: dict[str, Any] = {"name": "ndvi", "kind": kind, "cloud": "openstack"}
    told |= {"openstack": {"guard": guard}, "schedule": {"idle": idle} if idle else {}}
    told |= {"seats": 3, "machine": {}} if kind == "classroom" else {}
    return from_json(json.dumps(told))


def state(*numbers: int) -> State:
    role: Any = "worker"
    machines = (Instance(name=f"worker-{n}", role=role, shape=SHAPE, id=IDS[n]) for n in numbers)
    return State(name="ndvi", instances=tuple(machines))


class Machines:
    """What each machine has on its disk: the id of its right, and the file."""

    def __init__(self, site: Keystone) -> None:
        self.site = site
        self.held: dict[str, str] = {}
        self.files: dict[str, dict[str, Any]] = {}

    def up(self, file: Spec, there: State, lost: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Hand over to all; ``lost`` could not be reached in the end."""
        self.site.calls.clear()
        handout = ServerRights(self.site).begin(file, there)
        for one in there.instances:
            right = handout.right(one, self.held.get(one.name, ""))
            if one.name not in lost:
                self.held[one.name] = right.id
                for name, content in right.secrets.items():
                    assert name == SECRET
                    self.files[one.name] = json.loads(content)
        ready = frozenset(i.name for i in there.instances if i.name not in lost)
        return handout.end(ready)


def test_one_credential_serves_a_name_and_goes_with_it() -> None:
    site = Keystone()
    site.post("identity", f"{USER}/x", {"application_credential": {"name": "somebody's own"}})
    site.post(
        "identity", f"{USER}/x", {"application_credential": {"name": mark("ndvi-2", "RegionOne")}}
    )
    others = dict(site.kept)
    machines = Machines(site)
    assert machines.up(spec(), state(1, 2, 3)) == ()
    assert len(site.calls) == 2  # however many machines
    (mine,) = existing(site, "ndvi")
    assert mine.servers == {IDS[1], IDS[2], IDS[3]}
    asked = site.kept[mine.id]
    assert asked["unrestricted"] is False
    assert {(r["service"], r["method"]) for r in asked["access_rules"]} == {("compute", "POST")}
    file = machines.files["worker-2"]
    assert (file["server"], file["id"], file["secret"]) == (IDS[2], mine.id, f"hush-{mine.id}")
    assert (file["identity"], file["compute"]) == ("https://k/v3", "https://n/compute/v2.1")

    machines.files.clear()
    assert machines.up(spec(), state(1, 2, 3)) == ()
    assert (site.calls, machines.files) == (["GET application_credentials"], {})

    # More workers: theirs names all; the first keep what they have.
    machines.up(spec(), state(1, 2, 3, 4))
    assert set(machines.files) == {"worker-4"}
    assert len(existing(site, "ndvi")) == 2
    release(site, "ndvi", RECORD, frozenset({IDS[4]}))
    (left,) = existing(site, "ndvi")
    assert left.id == machines.held["worker-4"]

    release(site, "ndvi", RECORD)
    assert site.kept == others
    assert site.rules == {}


def test_what_was_lost_is_made_again_and_what_may_be_held_stays() -> None:
    site = Keystone()
    machines = Machines(site)
    machines.up(spec(), state(1, 2))
    first = machines.held["worker-1"]
    machines.held["worker-1"] = ""  # a new disk under the same server; or killed in mid-way
    machines.up(spec(), state(1, 2), lost=("worker-1",))
    assert {one.id for one in existing(site, "ndvi")} >= {first}
    machines.up(spec(), state(1, 2))
    held = set(machines.held.values())
    assert {one.id for one in existing(site, "ndvi")} == held
    # Its servers are others now (`resume`): the disk still says the old id.
    machines.held = dict.fromkeys(("worker-3", "worker-4"), first)
    machines.up(spec(), state(3, 4))
    (only,) = existing(site, "ndvi")
    assert set(machines.held.values()) == {only.id}
    assert {r["path"].split("/")[-2] for r in site.rules.values()} == {IDS[3], IDS[4]}


def test_seats_have_one_each_and_whoever_wants_none_has_none() -> None:
    site = Keystone()
    machines = Machines(site)
    machines.up(spec("classroom"), state(1, 2, 3))
    assert sorted(one.servers for one in existing(site, "ndvi")) == sorted(
        frozenset({IDS[n]}) for n in (1, 2, 3)
    )
    (note,) = machines.up(spec("classroom", guard="poweroff"), state(1, 2, 3))
    assert note.startswith("a machine of ndvi that stops by itself is powered off, and many sites")
    assert site.kept == {}
    assert [*machines.files.values()] == [{}] * 3
    assert machines.up(spec(idle=None), state(1)) == ()
    assert site.calls == []


def test_a_site_that_makes_none_is_said_once() -> None:
    for auth, more in (("v3oidcaccesstoken", ""), ("v3applicationcredential", "unrestricted")):
        site = Keystone(refuses=403, auth_type=auth)
        machines = Machines(site)
        (note,) = machines.up(spec(), state(1, 2, 3))
        assert "it cannot shelve itself: make an application credential: no such role" in note
        assert more in note
        assert (len(site.calls), machines.files) == (1, {})
        machines.held = {"worker-1": "c9"}
        machines.up(spec(), state(1))
        assert machines.held == {"worker-1": "c9"}  # the site may have a bad minute only


def test_a_credential_without_limits_is_never_kept() -> None:
    site = Keystone(knows_rules=False)
    with pytest.raises(CallError, match="knows no access rules"):
        make(site, "ndvi", frozenset(IDS[:1]))
    assert site.kept == {}


def test_rules_name_a_servers_actions_and_nothing_else() -> None:
    """As Nova sees its own path: whole, or as a proxy passes it on."""
    for endpoint, paths in (
        ("https://n:8774/v2.1", ["/v2.1"]),
        ("https://n:8774/v2.1/", ["/v2.1"]),
        ("https://n/v2/0123abcd", ["/v2/0123abcd"]),
        ("https://n/compute/v2.1", ["/compute/v2.1", "/v2.1"]),
    ):
        rules = access_rules(endpoint, IDS[:2])
        expected = [f"{path}/servers/{one}/action" for one in IDS[:2] for path in paths]
        assert [rule["path"] for rule in rules] == expected
        assert {(r["method"], r["service"]) for r in rules} == {("POST", "compute")}


def test_a_list_is_not_believed() -> None:
    begins = mark("ndvi", "R")
    good = {"id": "c", "name": f"{begins}1", "project_id": "p"}
    for answer in (None, [], {}, {"application_credentials": None}, {"application_credentials": 3}):
        assert read(answer, begins, "p") == ()
    odd = [None, 1, {}, good | {"id": 1}, good | {"project_id": "q"}, good | {"name": None}]
    odd += [good | {"name": "roost:R:ndvi2:1"}, good | {"access_rules": 1, "id": None}]
    (found,) = read({"application_credentials": [*odd, good]}, begins, "p")
    assert (found.id, found.servers) == ("c", frozenset())
