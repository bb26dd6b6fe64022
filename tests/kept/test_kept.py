"""What the roost of commit c241e39 kept is read, planned and commanded by today's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from roost.model.host import Host
from roost.model.resources import (
    Address,
    Group,
    Instance,
    KeyPair,
    Rule,
    SecurityGroup,
    Shape,
    State,
    Volume,
    Wanted,
)
from roost.plan.down import plan_down
from roost.plan.up import plan_stop, plan_up
from roost.plan.wanted import wanted_of
from roost.providers.local.cloud import LocalCloud
from roost.recipes.local import boot
from roost.recipes.step import Step
from roost.spec import from_json, load
from tests.cli.calling import Roost
from tests.cli.conftest import alone, roost  # noqa: F401 - fixtures

KEPT = Path(__file__).parent
EXAMPLES = ("ndvi", "ndvi-aws", "pixinsight", "scipion", "starcluster", "training")
HOST = Host(cpus=4, memory_gib=16)
"""Where the kept ``wanted`` were made."""
RENEWED = {"ndvi"}
"""Set up otherwise since: processes on the own machine now work in the project's folder."""


def record_of(example: str) -> str:
    return (KEPT / "records" / f"{example}.json").read_text()


def wanted_before(example: str) -> dict[str, Any]:
    wanted: dict[str, Any] = json.loads((KEPT / "wanted" / f"{example}.json").read_text())
    return wanted


def groups_of(wanted: Mapping[str, Any]) -> tuple[Group, ...]:
    return tuple(Group(**{**g, "shape": Shape.from_json(g["shape"])}) for g in wanted["groups"])


def volumes_of(wanted: Mapping[str, Any], **changed: Any) -> tuple[Volume, ...]:
    """As far as today's roost knows the same words."""
    known = {field.name for field in fields(Volume)}
    volumes = [{k: v for k, v in one.items() if k in known} for one in wanted["volumes"]]
    return tuple(Volume(**{**one, **changed}) for one in volumes)


def firewalls_of(wanted: Mapping[str, Any]) -> tuple[SecurityGroup, ...]:
    return tuple(
        SecurityGroup(name=one["name"], rules=tuple(Rule(**rule) for rule in one["rules"]))
        for one in wanted["security_groups"]
    )


def running(example: str) -> State:
    """All that the roost of then had made of an example, up and unchanged since."""
    wanted = wanted_before(example)
    many = ("worker", "seat")
    machines = [
        Instance(
            name=f"{group.role}-{number}" if group.role in many else group.role,
            role=group.role,
            shape=group.shape,
            fingerprint=group.fingerprint,
            state="running",
        )
        for group in groups_of(wanted)
        for number in range(1, group.count + 1)
    ]
    return State(
        name=wanted["name"],
        record=record_of(example),
        key_pairs=tuple(KeyPair(name=one["name"]) for one in wanted["key_pairs"]),
        security_groups=firewalls_of(wanted),
        volumes=volumes_of(wanted, state="attached"),
        instances=tuple(machines),
        addresses=tuple(
            Address(name=one["name"], holder=one["holder"], attached=True)
            for one in wanted["addresses"]
        ),
    )


def wanted_today(example: str) -> Wanted:
    return wanted_of(from_json(record_of(example)), HOST)


# --- records -------------------------------------------------------------------------------------


def test_every_kept_record_is_tried() -> None:
    kept = {path.stem for path in (KEPT / "records").glob("*.json")}
    assert kept == {path.stem for path in (KEPT / "wanted").glob("*.json")} == {*EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_kept_record_is_read_and_would_be_written_the_same(example: str) -> None:
    """A record that came out otherwise would be written anew, and the name planned as changed."""
    assert from_json(record_of(example)).to_json() == record_of(example)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_same_file_makes_the_same_record(example: str, tmp_path: Path) -> None:
    file = example.removesuffix("-aws")
    shutil.copy(KEPT / "files" / f"{file}.toml", tmp_path)
    (tmp_path / "ndvi").mkdir()
    for name in ("pyproject.toml", "uv.lock", "ndvi.ipynb"):
        (tmp_path / "ndvi" / name).write_text("")
    cloud = "aws" if example != file else None
    made = load(tmp_path / f"{file}.toml", cloud=cloud).to_json()
    made = made.replace(str(tmp_path), "/home/someone/project/examples")
    assert without_digest(made) == without_digest(record_of(example))


def without_digest(record: str) -> Any:
    """What the environment's lock says is not roost's to keep the same."""
    raw = json.loads(record)
    raw.get("environment", {}).pop("digest", None)
    return raw


# --- plans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_runs_unchanged_has_nothing_to_be_done(example: str) -> None:
    plan = plan_up(wanted_today(example), running(example))
    assert plan.done
    changed = [note for note in plan.notes if "before the file changed" in note]
    assert bool(changed) == (example in RENEWED)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_same_is_wanted_of_a_kept_record(example: str) -> None:
    before, today = wanted_before(example), wanted_today(example)
    then = groups_of(before)
    assert [(g.role, g.count) for g in today.groups] == [(g.role, g.count) for g in then]
    if example not in RENEWED:
        assert [g.fingerprint for g in today.groups] == [g.fingerprint for g in then]
    assert today.volumes == volumes_of(before)
    assert today.security_groups == firewalls_of(before)
    assert [(a.name, a.holder) for a in today.addresses] == [
        (a["name"], a["holder"]) for a in before["addresses"]
    ]


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_can_be_stopped_and_taken_down(example: str) -> None:
    have = running(example)
    (stop,) = plan_stop(have).steps
    assert set(stop.names) == {i.name for i in have.instances}  # type: ignore[union-attr]
    assert plan_down(have).steps


# --- the folder of a name on the own machine -----------------------------------------------------


@pytest.fixture
def folder(roost: Roost, tmp_path: Path) -> Path:  # noqa: F811
    """The kept folder in a home of today; it depends on ``roost`` for that home."""
    del roost
    place = tmp_path / "roost-home" / "local" / "ndvi"
    shutil.copytree(KEPT / "local" / "ndvi", place)
    return place


def test_a_kept_folder_is_listed_and_shown(roost: Roost, folder: Path) -> None:  # noqa: F811
    (row,) = roost("ls", "--json").json
    assert (row["name"], row["kind"], row["states"]) == ("ndvi", "cluster", {"stopped": 3})
    shown = roost("show", "ndvi", "--json")
    assert shown.code == 0, shown.err
    states = {one["name"]: one["state"] for one in shown.json["instances"]}
    assert states == dict.fromkeys(("head", "worker-1", "worker-2"), "stopped")
    assert roost("show", "ndvi").code == 0


def test_a_kept_folder_is_planned_stopped_and_taken_down(roost: Roost, folder: Path) -> None:  # noqa: F811
    assert roost("plan", "ndvi").code == 0
    planned = roost("plan", "ndvi", "--diff", "--json")
    assert planned.code == 0, planned.err
    (step,) = planned.json["steps"]
    assert (step["verb"], step["names"]) == ("start", ["head", "worker-1", "worker-2"])
    assert roost("stop", "ndvi").code == 0
    ended = roost("down", "ndvi", "--yes")
    assert ended.code == 0, ended.err
    assert not folder.exists()
    assert roost("show", "ndvi").code == 2


def test_kept_tags_and_boots_say_what_they_said(folder: Path) -> None:
    home = folder.parents[1]
    before = {one.role: one for one in groups_of(wanted_before("ndvi"))}
    for instance in LocalCloud(boot, home).observe("ndvi").instances:
        assert (instance.state, instance.note) == ("stopped", "")
        assert instance.fingerprint == before[instance.role].fingerprint
        assert instance.shape.type == "process"


def test_a_kept_start_is_written_anew_from_the_kept_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps of then (name, argv, creates) are not what today's supervisor reads."""
    from roost.model.steps import Start
    from roost.providers.local import processes

    begun: list[str] = []
    monkeypatch.setattr(processes, "begin", lambda paths: begun.extend(p.name for p in paths))
    cloud = LocalCloud(boot, folder.parents[1])
    cloud.apply("ndvi", Start(("head", "worker-1")))
    assert begun == ["head", "worker-1"]
    for one in begun:
        written = json.loads((folder / "machines" / one / "boot.json").read_text())
        keys_of_today = {field.name for field in fields(Step)}
        assert [set(step) for step in written["setup"]] == [keys_of_today]
        assert written["env"]["ROOST_HOME"] == str(folder.parents[1])
