"""A spare in a seat's place: who is called what, whose password it has, and what a kill leaves."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roost.app.kept import kept_of
from roost.app.passwords import PLACE, keep_passwords
from roost.errors import UnreachableError
from roost.model.resources import State
from roost.model.steps import Step, Swap
from roost.provision.machines import News
from tests.cli.calling import Roost
from tests.cli.full import Full, done, ids
from tests.cli.test_class_commands import ROOM

CLASS = ROOM.replace("seats = 3\n", "seats = 3\nspares = 2\n") + (
    '[access]\nreach = "jump"\nhttps = ["anywhere"]\n'
)
SWAP = ("swap", "room/seat-2")


class Machines:
    """The files with passwords of all machines, by id; ``silent`` are those that do not answer."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.gateway = ""
        self.silent: set[str] = set()
        self.steps: dict[str, tuple[Any, ...]] = {}

    def hand_over(self, _: object, instances: Any, parts: Any, boots: object) -> dict[str, News]:
        del boots
        for one in instances:
            part = parts(one, "", {}, {})
            self.steps[one.name] = part.handover.steps
            own = json.dumps({"password": f"made-on-{one.id}"})
            found = part.secrets.get("desktop.json", self.passwords.get(one.id, own))
            self.passwords[one.id] = found
        return {i.name: News(i.name, "ready", "ready") for i in instances}

    def fetched(self, way: Any, path: str, *, root: bool) -> str:
        assert root
        if way.node.id in self.silent:
            raise UnreachableError(f"{way.node.name} does not answer")
        return self.passwords[way.node.id] if path.endswith("desktop.json") else ""

    def asked(self, way: Any, words: list[str], *, given: str | None = None, **_: Any) -> str:
        assert (way.node.name, words[:2]) == ("gateway", ["sudo", "-n"])
        assert PLACE in words[-1]
        if given is not None:
            assert "made-on" not in " ".join(words)  # others see the words of a process
            self.gateway = given
        return self.gateway or "{}\n"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Machines:
    found, observe = Machines(), Full.observe

    def with_addresses(self: Full, name: str) -> State:
        state = observe(self, name)
        at = (
            replace(i, private=f"10.0.{i.id.count('-')}.{i.id.split('-')[2]}")
            for i in state.instances
        )
        return replace(state, instances=tuple(at))

    monkeypatch.setattr(Full, "observe", with_addresses)
    monkeypatch.setattr("roost.provision.deliver.hand_over", found.hand_over)
    monkeypatch.setattr("roost.ssh.query.fetched", found.fetched)
    monkeypatch.setattr("roost.ssh.query.asked", found.asked)
    monkeypatch.setattr("roost.app.passwords.keep_passwords", keep_passwords)
    return found


@pytest.fixture
def room(cloud: Full, roost: Roost, write: Callable[..., Path], there: Machines) -> dict[str, str]:
    done(roost("up", write(CLASS), "--yes"))
    del there
    return ids(cloud.observe("room"))


def of_seats(cloud: Full, there: Machines) -> dict[str, str]:
    """The password behind each seat's address."""
    now = ids(cloud.observe("room"))
    return {n: json.loads(there.passwords[i])["password"] for n, i in now.items() if "seat" in n}


def test_a_dead_seat_is_back_with_its_password_and_nothing_is_lost(
    cloud: Full, roost: Roost, room: dict[str, str], there: Machines
) -> None:
    before = of_seats(cloud, there)
    volumes = {v.id: v.holder for v in cloud.observe("room").volumes}
    there.silent = {room["seat-2"]}
    told = roost(*SWAP, "--no-input")

    assert (told.code, ids(cloud.observe("room"))) == (4, room)
    assert "kept as seat-4, with its disk, seat-2-data" in told.err
    assert "next: roost swap room/seat-2 --yes" in told.err
    told = done(roost(*SWAP, "--yes"))
    assert "the broken machine is kept as room/seat-4" in told
    now = cloud.observe("room")
    assert ids(now) == {**room, "seat-2": room["seat-4"], "seat-4": room["seat-2"]}
    other = {"seat-2": "seat-4", "seat-4": "seat-2"}
    assert {v.id: v.holder for v in now.volumes} == {k: other.get(v, v) for k, v in volumes.items()}
    assert all(v.name == f"{v.holder}-data" and v.state == "attached" for v in now.volumes)
    assert of_seats(cloud, there)["seat-2"] == before["seat-2"]
    assert kept_of("room", "seat-2") is None
    pages = next(one for one in there.steps["gateway"] if one.name == "gateway-page")
    address = next(i.private for i in now.instances if i.id == room["seat-4"])
    config = next(one.content for one in pages.files if one.path.endswith("page.json"))
    at = config.index("/2/key")
    assert f'"{address}:443"' in config[at : config.index("/3/key")]
    # Nothing is left to do, and what was set aside is no spare: the next one is taken.
    done(roost("up", "room", "--yes"))
    assert ids(cloud.observe("room")) == ids(now)
    done(roost("swap", "room/seat-1", "--yes"))
    assert ids(cloud.observe("room"))["seat-1"] == room["seat-5"]
    told = roost("swap", "room/seat-3", "--yes")
    assert (told.code, "no spare that runs" in told.err) == (1, True)
    # Made anew it is a spare, and has no seat's password.
    done(roost("reset", "room/seat-4", "--yes"))
    passwords = of_seats(cloud, there)
    assert passwords["seat-4"] not in before.values()
    done(roost("swap", "room/seat-2", "--yes"))
    assert of_seats(cloud, there)["seat-2"] == before["seat-2"]
    done(roost("down", "room", "--yes"))


def test_killed_at_any_moment_the_same_line_ends_it_once(
    cloud: Full,
    roost: Roost,
    room: dict[str, str],
    there: Machines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = of_seats(cloud, there)
    real = Full.apply

    def dies_before(self: Full, name: str, step: Step) -> None:
        if isinstance(step, Swap):
            raise KeyboardInterrupt
        real(self, name, step)

    def dies_after(self: Full, name: str, step: Step) -> None:
        real(self, name, step)
        if isinstance(step, Swap):
            raise KeyboardInterrupt

    seats = ["seat-2", "seat-3"]
    for seat, dies in zip(seats, (dies_before, dies_after), strict=True):
        monkeypatch.setattr(Full, "apply", dies)
        assert roost("swap", f"room/{seat}", "--yes").code != 0
        assert kept_of("room", seat) is not None
        monkeypatch.setattr(Full, "apply", real)
        told = roost("reset", f"room/{seat}", "--yes")
        assert (told.code, "a spare is taking" in told.err) == (1, True)
        done(roost("swap", f"room/{seat}", "--yes"))
        assert kept_of("room", seat) is None
    now = ids(cloud.observe("room"))
    assert [now[s] for s in seats] == [room["seat-4"], room["seat-5"]]
    assert set(now.values()) == set(room.values())
    assert [of_seats(cloud, there)[s] for s in seats] == [before[s] for s in seats]


def test_what_cannot_be_swapped(
    cloud: Full, roost: Roost, room: dict[str, str], there: Machines
) -> None:
    assert "which seat?" in roost("swap", "room").err
    assert roost("swap", "room/seat-9", "--yes").code == 2
    assert "seat-4 is a spare" in roost("swap", "room/seat-4", "--yes").err
    there.gateway, there.silent = "", {room["seat-2"]}
    told = roost(*SWAP, "--yes")
    assert (told.code, "next: roost swap room/seat-2 --new-password" in told.err) == (1, True)
    assert ids(cloud.observe("room")) == room
