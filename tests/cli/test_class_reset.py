"""A seat made anew: what goes, what stays, and what happens when it is killed in between."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost.app.kept import kept_of
from roost.errors import CapacityError, UnreachableError
from roost.model.steps import Create, Step
from roost.provision.machines import News
from tests.cli.calling import Roost
from tests.cli.full import Full, done, ids, machines
from tests.cli.test_class_commands import ROOM

PASSWORD = json.dumps({"password": "abcd-efgh-jkmn-pqrs"})
RESET = ("reset", "room/seat-2")


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The secrets that each machine gets; the seats tell theirs."""
    found: dict[str, dict[str, Any]] = {}

    def hand_over(_: object, instances: Any, parts: Any, boots: object) -> dict[str, News]:
        del boots
        for one in instances:
            found[one.name] = dict(parts(one, "", {}, {}).secrets)
        return {i.name: News(i.name, "ready", "ready") for i in instances}

    def fetched(way: Any, path: str, *, root: bool) -> str:
        assert root
        return {"desktop.json": PASSWORD, "desktop.key": "key"}.get(Path(path).name, "") + way.name

    monkeypatch.setattr("roost.provision.deliver.hand_over", hand_over)
    monkeypatch.setattr("roost.ssh.query.fetched", fetched)
    return found


@pytest.fixture
def room(
    cloud: Full, roost: Roost, write: Callable[..., Path], brought: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """A class of three that runs, but for the third; the ids of its machines."""
    done(roost("up", write(ROOM), "--yes"))
    done(roost("stop", "room/seat-3"))
    brought.clear()
    return ids(cloud.observe("room"))


def volumes(cloud: Full) -> dict[str, str]:
    return {v.name: v.id for v in cloud.observe("room").volumes}


def test_another_disk_with_the_same_password_and_data(
    cloud: Full, roost: Roost, room: dict[str, str], brought: dict[str, dict[str, Any]]
) -> None:
    before = volumes(cloud)
    told = roost(*RESET, "--no-input")
    assert (told.code, ids(cloud.observe("room"))) == (4, room)
    assert "the disk of room/seat-2 is deleted, with all that is on it" in told.err
    assert "seat-2-data stays as it is" in told.err
    assert "next: roost reset room/seat-2 --yes" in told.err
    assert kept_of("room", "seat-2") is None
    told = done(roost(*RESET, "--yes"))
    assert "its card again: roost handout room 2" in told
    after = ids(cloud.observe("room"))
    assert {one for one in room if room[one] != after[one]} == {"seat-2"}
    assert volumes(cloud) == before
    states = {name: state for name, (_, state) in machines(cloud.observe("room")).items()}
    assert states == {"seat-1": "running", "seat-2": "running", "seat-3": "stopped"}
    assert list(brought) == ["seat-2"]
    assert brought["seat-2"]["desktop.json"] == PASSWORD + "room"
    assert brought["seat-2"]["desktop.key"] == "keyroom"
    assert kept_of("room", "seat-2") is None  # nothing of it stays on this computer
    assert PASSWORD not in str(cloud.observe("room"))


def test_data_goes_only_where_its_seat_is_typed(
    cloud: Full,
    roost: Roost,
    room: dict[str, str],
    types: Callable[[str], None],
) -> None:
    before = volumes(cloud)
    told = roost(*RESET, "--delete-data", "--yes")
    assert (told.code, volumes(cloud)) == (4, before)
    assert "that needs a person who types seat-2" in told.err
    types("seat-1\n")
    assert roost(*RESET, "--delete-data").code == 4
    types("seat-2\n")
    done(roost(*RESET, "--delete-data"))
    after = volumes(cloud)
    assert {one for one in before if before[one] != after[one]} == {"seat-2-data"}
    assert ids(cloud.observe("room"))["seat-1"] == room["seat-1"]


def test_one_that_does_not_answer_keeps_its_disk_until_a_new_password_will_do(
    cloud: Full, roost: Roost, room: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> str:
        raise UnreachableError("seat-2 does not answer")

    monkeypatch.setattr("roost.ssh.query.fetched", silent)
    told = roost(*RESET, "--yes")
    assert (told.code, ids(cloud.observe("room"))) == (1, room)
    assert "so that it would be lost: seat-2 does not answer" in told.err
    assert "next: roost reset room/seat-2 --new-password" in told.err
    done(roost(*RESET, "--yes", "--new-password"))
    assert ids(cloud.observe("room"))["seat-2"] != room["seat-2"]


def test_what_ends_in_the_middle_goes_on_and_up_knows_the_password_too(
    cloud: Full,
    roost: Roost,
    room: dict[str, str],
    brought: dict[str, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Full.apply

    def full(self: Full, name: str, step: Step) -> None:
        if isinstance(step, Create) and step.kind == "instance":
            raise CapacityError("InsufficientInstanceCapacity")
        real(self, name, step)

    for words in (RESET, ("up", "room")):
        before = ids(cloud.observe("room"))
        monkeypatch.setattr(Full, "apply", full)
        told = roost(*RESET, "--yes")
        assert told.code != 0
        assert "seat-2" not in ids(cloud.observe("room"))
        assert kept_of("room", "seat-2") is not None
        monkeypatch.setattr(Full, "apply", real)
        brought.clear()
        done(roost(*words, "--yes"))
        after = ids(cloud.observe("room"))
        assert {one for one in before if before[one] != after[one]} == {"seat-2"}
        assert brought["seat-2"]["desktop.json"] == PASSWORD + "room"
        assert kept_of("room", "seat-2") is None
    assert room["seat-1"] == ids(cloud.observe("room"))["seat-1"]


def test_what_is_no_seat(roost: Roost, room: dict[str, str]) -> None:
    assert "which seat?" in roost("reset", "room").err
    assert roost("reset", "room/seat-9").code == 2
    assert room
