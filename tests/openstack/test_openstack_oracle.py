"""What the sweeps on OpenStack would say of a roost that leaks, makes twice or loses data.

The worlds are recorded from the real services at the ends of a desktop's scenes; here a roost does
wrong in them, and ends as if all were well. No services are needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from openstack.block_storage.v3.snapshot import Snapshot
from openstack.block_storage.v3.volume import Volume
from openstack.compute.v2.server import Server
from openstack.image.v2.image import Image
from openstack.network.v2.floating_ip import FloatingIP
from openstack.network.v2.port import Port
from openstack.network.v2.security_group import SecurityGroup

from roost.providers.openstack import marks
from tests.cli.calling import Ran
from tests.openstack import scenes
from tests.openstack.command_line import CommandLine
from tests.openstack.scenes import LIVES, Life
from tests.openstack.site import Project

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
World = dict[str, list[dict[str, Any]]]
RECORDED = json.loads(Path(__file__).with_name("worlds.json").read_text())
WORLDS: dict[str, World] = RECORDED["worlds"]
OTHER = "99999999-0000-4000-8000-000000000000"
FINE = Ran(0, "", "")
KINDS = {
    "servers": Server,
    "volumes": Volume,
    "snapshots": Snapshot,
    "ips": FloatingIP,
    "ports": Port,
    "security_groups": SecurityGroup,
}


class Roost:
    """A roost of which each command comes to the same world, and says the same."""

    def __init__(self, there: World, says: Ran) -> None:
        self.world, self.says = there, says
        admin = SimpleNamespace(
            identity=SimpleNamespace(find_user=lambda _: SimpleNamespace(id="u1")),
            compute=self._lists("servers"),
            block_storage=self._lists("volumes", "snapshots"),
            network=self._lists("ips", "ports", "security_groups"),
            image=SimpleNamespace(images=self._images),
        )
        admin.compute.get = lambda *_, **__: SimpleNamespace(
            json=lambda: {"keypairs": self.world["keypairs"]}
        )
        self.project = SimpleNamespace(
            id=RECORDED["project"],
            site=SimpleNamespace(admin=admin, proxy=SimpleNamespace(moments=[])),
            login=SimpleNamespace(user="alice"),
        )

    def _lists(self, *kinds: str) -> SimpleNamespace:
        def lister(kind: str) -> Callable[..., list[Any]]:
            return lambda **_: [KINDS[kind].existing(**one) for one in self.world[kind]]

        return SimpleNamespace(**{kind: lister(kind) for kind in kinds})

    def _images(self, *, is_hidden: bool = False) -> list[Image]:
        every = [one for one in self.world["images"] if one["os_hidden"] is is_hidden]
        return [Image.existing(more="that Glance says", **one) for one in every]

    def __call__(self, line: str, weather: object = None) -> Ran:
        del line, weather
        return self.says


def world(state: str) -> World:
    return deepcopy(WORLDS[state])


def with_id(there: World, old: str, new: str) -> World:
    """The same with another id, wherever it stands."""
    return cast("World", json.loads(json.dumps(there).replace(old, new)))


def renamed(one: dict[str, Any]) -> dict[str, Any]:
    """A second one of it."""
    if "keypair" in one:
        return {"keypair": {**one["keypair"], "fingerprint": "00:11"}}
    return {**one, "id": OTHER}


@cache
def calm_ends() -> dict[str, list[str]]:
    """What is there where a scene has gone well."""
    return {one: scenes.summary(cast("Project", Roost(world(one), FINE).project)) for one in WORLDS}


def data_of(state: str) -> dict[str, Any]:
    """The volume with the data; where that is parked, its copy."""
    kind = "images" if state == "parked" else "volumes"
    return next(one for one in WORLDS[state][kind] if is_data(one))


def is_data(one: dict[str, Any]) -> bool:
    marked = {**one, **one.get("metadata", {})}
    return marked.get(marks.NODE) == "data"


def others_of(there: World, known: World) -> list[tuple[str, dict[str, Any]]]:
    """What is in one world and not in the other, with its kind."""
    return [(k, one) for k, found in there.items() for one in found if one not in known[k]]


def judged(scene: str, wrong: World, says: Ran = FINE) -> str:
    """What is said of a roost whose command comes to that world; nothing where all is well."""
    begins = LIVES["stars"][scene].begins
    roost = Roost(wrong, says)
    life = Life(cast("CommandLine", roost), LIVES["stars"], begins, ends=calm_ends())
    if begins != "gone":
        data, copy = data_of("on"), data_of("parked")
        life.held = {data["id"], copy["id"]} if begins == "parked" else {data["id"]}
    try:
        life.again(scene)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing becomes better by waiting here."""
    monkeypatch.setattr(scenes, "PATIENCE", 0)


def test_a_roost_that_does_right_is_not_blamed() -> None:
    ends = {"up": "on", "start": "on", "park": "parked", "resume": "back", "down": "gone"}
    for scene, state in ends.items():
        assert judged(scene, world(state)) == ""
    assert judged("down", world("gone"), Ran(2, "", "no such name: stars")) == ""


def test_what_is_left_made_twice_or_taken_is_said() -> None:
    mine = others_of(world("on"), world("gone"))
    assert {kind for kind, _ in mine} == set(WORLDS["on"]) - {"snapshots"}
    for kind, one in mine:
        left = world("gone")
        left[kind].append(one)
        assert "+ {" in judged("down", left), f"a leak: {kind}"
        twice = world("on")
        twice[kind].append(renamed(one))
        assert "+ {" in judged("up", twice), f"made twice: {kind}"
    for kind, found in world("on").items():
        for one in found:
            if one.get("device_owner", "").startswith("network:"):
                continue  # Neutron's own
            there = world("on")
            there[kind].remove(one)
            assert judged("start", there), f"gone, if only a neighbour's: {kind} {one}"


def test_data_that_is_lost_is_said_though_all_looks_as_it_should() -> None:
    data, copy, back = data_of("on"), data_of("parked"), data_of("back")
    fresh = with_id(world("on"), data["id"], OTHER)
    assert "the data is gone" in judged("start", fresh), "an empty volume in its place"
    hollow = with_id(world("parked"), data["id"], OTHER)
    assert "the data is gone" in judged("park", hollow), "a copy of something else"
    empty = world("back")
    empty["volumes"][empty["volumes"].index(back)]["volume_image_metadata"]["image_id"] = OTHER
    assert "- {" in judged("resume", empty), "a volume that is not made of the copy"
    empty["images"].remove(copy)
    assert "the data is gone" in judged("resume", empty), "and the copy is gone"
    for state, scene, kind, one in (
        ("on", "start", "volumes", data),
        ("parked", "park", "images", copy),
        ("back", "resume", "volumes", back),
    ):
        broken = world(state)
        broken[kind][broken[kind].index(one)]["status"] = "error"
        assert judged(scene, broken), f"{kind} in trouble"


def test_an_end_that_is_none_is_said() -> None:
    for code, err in (
        (1, "roost: no"),
        (0, "Traceback (most recent call last)"),
        (2, "wrong words"),
    ):
        assert err in judged("up", world("on"), Ran(code, "", err))
