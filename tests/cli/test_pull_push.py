"""``pull``, ``push`` and ``sync NAME:PATH``: which machines copy what, asked, told, and judged.

The machines are folders of this computer, with the real programs at work in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from roost.cli.text.sync import Board
from roost.errors import NotFoundError, RoostError
from roost.model.resources import Instance, State
from roost.providers.provider import Capabilities
from roost.provision.machines import Machines
from roost.spec import load
from roost.transfer.job import Job, Line, Outcome, Progress
from tests.cli.calling import OUTPUTS, REPO, Roost, caller
from tests.ssh.made_state import instance
from tests.transfer.conftest import Store, grow, home, server, store, tree  # noqa: F401
from tests.transfer.local_machine import Here, end

LOCAL = (
    'name = "stars"\nkind = "cluster"\n'
    f'[environment]\nproject = "{REPO}/examples/ndvi"\n'
    '[data]\npull = [{{ from = "{place}in", to = "/data/in" }}]\n'
)
DESKTOP = """\
name = "stars"
kind = "desktop"
cloud = "aws"

[aws]
region = "eu-central-1"

[machine]
type = "t3.medium"

[access]
ssh = ["me"]

[data]
pull = [{{ from = "{place}in", to = "/data/in" }}, {{ from = "{place}more/", to = "/data/more" }}]
push = [{{ from = "/data/out", to = "{place}out" }}]
"""
CLASSROOM = DESKTOP.replace('kind = "desktop"', 'kind = "classroom"\nseats = 2')


@dataclass
class Cloud:
    """As much of a cloud as these commands use; each machine is a folder."""

    state: State
    base: Path
    name: str = "aws"
    region: str = "eu-central-1"
    jobs: list[tuple[str, Job]] = field(default_factory=list)
    trouble: dict[str, RoostError] = field(default_factory=dict)

    profile = None

    @property
    def can(self) -> Capabilities:
        return Capabilities() if self.name == "local" else Capabilities(rents=True, s3_copies=self)

    def observe(self, name: str) -> State:
        return self.state if name == self.state.name else State(name=name)

    def disk(self, node: str = "desktop") -> Path:
        return self.base / node

    def run_there(
        self,
        machines: Machines,
        one: Instance,
        job: Job,
        tell: Callable[..., None],
        note: Callable[[str], None],
    ) -> Outcome:
        """As ``access/far.py`` does it, with the machine's folder for its root."""
        del machines
        self.jobs.append((one.name, job))
        if one.name in self.trouble:
            raise self.trouble[one.name]
        here = Here(self.base / f"{one.name}.machine")
        root = str(self.disk(one.name))
        moved = (
            replace(job, source=root + job.source)
            if job.up
            else replace(job, target=root + job.target)
        )
        said = list(here.attend(moved))
        for line in said:
            if line.get("progress"):
                tell(Progress.from_json(line["progress"]))
        if "error" in said[-1]:
            raise NotFoundError(said[-1]["error"]["what"])
        note(f"{one.name} is done")
        return end(said)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud(State(name="stars"), tmp_path / "machines")
    monkeypatch.setattr("roost.app.resolve.locate", lambda *_: made)
    monkeypatch.setattr("roost.transfer.remote.client.run_there", made.run_there)
    monkeypatch.setattr("roost.provision.machines.Machines.peek", lambda *_: None)
    monkeypatch.setattr("roost.provision.machines.Machines.status", lambda *_: "ready")
    return made


@pytest.fixture
def roost(
    cloud: Cloud,
    store: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Roost:
    del cloud
    for key, value in store.weed.env().items():
        monkeypatch.setenv(key, value)
    return caller(monkeypatch, capsys)


def put(cloud: Cloud, store: Store, tmp_path: Path, text: str, *nodes: str, **more: Any) -> None:  # noqa: F811
    """What is there of the file: machines of these names."""
    file = tmp_path / "spec.toml"
    file.write_text(text.format(place=store.place))
    record = load(file).to_json()
    there = tuple(instance(node, at, **more) for at, node in enumerate(nodes, 1))
    cloud.state = State(name="stars", record=record, instances=there)


def valid(command: str, found: Any) -> Any:
    schema = json.loads((OUTPUTS / f"{command}.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    return found


def test_pull_brings_all_that_the_file_names(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    store.put({"in/a": b"1", "in/b/c": b"2", "more/d": b"3", "inner/x": b"no"})
    told = roost("pull", "stars", "--json")
    assert told.code == 0, told.err
    found = valid("pull", told.json)
    assert [one["copied"] for one in found["syncs"]] == [2, 1]
    assert found["syncs"][0]["target"] == "stars/desktop:/data/in"
    assert tree(cloud.disk()) == {"data/in/a": b"1", "data/in/b/c": b"2", "data/more/d": b"3"}
    again = roost("pull", "stars", "/data/more/")
    assert again.code == 0, again.err
    assert "nothing to do: 1 are the same" in again.err
    assert [job.target for _, job in cloud.jobs] == ["/data/in", "/data/more", "/data/more"]


def test_push_proves_what_it_sent(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    grow(cloud.disk(), {"data/out/x": b"result"})
    dry = roost("push", "stars", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    assert (valid("push", dry.json)["syncs"][0]["dry_run"], store.all()) == (True, {})
    assert "copy x (new)" in dry.err
    told = roost("push", "stars", f"{store.place}out", "--verify", "--json")
    assert told.code == 0, told.err
    (one,) = valid("push", told.json)["syncs"]
    assert (one["copied"], one["verified"]["whole"]) == (1, True)
    assert "proven by checksum: 1 (6 B)" in told.err
    assert store.all()["out/x"] == b"result"


def test_deletions_are_shown_and_asked_for_here(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    grow(cloud.disk(), {"data/out/x": b"1"})
    store.put({"out/old": b"1"})
    asked = roost("push", "stars", "--delete", "--no-input")
    assert asked.code == 4
    assert "delete old" in asked.err
    assert "1 would be deleted" in asked.err
    assert set(store.all()) == {"out/old"}
    told = roost("push", "stars", "--delete", "--yes")
    assert told.code == 0, told.err
    assert set(store.all()) == {"out/x"}


def test_somebody_who_says_yes_gets_what_was_shown(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    grow(cloud.disk(), {"data/out/x": b"1"})
    store.put({"out/old": b"1"})
    monkeypatch.setattr("roost.cli.terminal.interactive", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    told = roost("push", "stars", "--delete")
    assert told.code == 0, told.err
    assert told.err.count("delete old") == 1
    assert set(store.all()) == {"out/x"}

    def meanwhile(*_: object, **__: object) -> bool:
        store.put({"out/other": b"1"})
        return True

    store.put({"out/old": b"1"})
    monkeypatch.setattr("click.confirm", meanwhile)
    told = roost("push", "stars", "--delete")
    assert told.code == 3
    assert "not what was shown any more" in told.err
    assert set(store.all()) == {"out/x", "out/old", "out/other"}


def test_seats_pull_the_same_and_push_each_to_its_own_place(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, CLASSROOM, "seat-1", "seat-2")
    store.put({"in/task": b"do"})
    told = roost("pull", "stars", "/data/in", "--json")
    assert told.code == 0, told.err
    assert [one["node"] for one in valid("pull", told.json)["syncs"]] == ["seat-1", "seat-2"]
    for number in (1, 2):
        assert tree(cloud.disk(f"seat-{number}")) == {"data/in/task": b"do"}
        grow(cloud.disk(f"seat-{number}"), {"data/out/answer": str(number).encode()})
    assert roost("push", "stars").code == 0
    answers = {"out/seat-1/answer": b"1", "out/seat-2/answer": b"2"}
    assert {n: b for n, b in store.all().items() if n.startswith("out/")} == answers
    grow(cloud.disk("seat-2"), {"data/out/answer": b"22"})
    assert roost("push", "stars/seat-2").code == 0
    assert store.all()["out/seat-2/answer"] == b"22"
    assert cloud.jobs[-1][0] == "seat-2"


def test_one_seat_that_fails_keeps_no_other_from_going_on(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, CLASSROOM, "seat-1", "seat-2")
    store.put({"in/task": b"do"})
    cloud.trouble["seat-1"] = RoostError("its disk is full")
    told = roost("pull", "stars", "/data/in", "--json")
    assert told.code == 3
    assert "its disk is full" in told.err
    assert tree(cloud.disk("seat-2")) == {"data/in/task": b"do"}
    assert [bool(one["failed"]) for one in valid("pull", told.json)["syncs"]] == [True, False]


def test_a_folder_of_a_machine_is_a_side_of_sync(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    grow(cloud.disk(), {"notes/n": b"n"})
    told = roost("sync", "stars:/notes", f"{store.place}notes", "--json", "--verify")
    assert told.code == 0, told.err
    found = valid("sync", told.json)
    assert (found["source"], found["copied"]) == ("stars:/notes", 1)
    told = roost("sync", f"{store.place}notes", "stars/desktop:/copy")
    assert told.code == 0, told.err
    assert tree(cloud.disk()) == {"notes/n": b"n", "copy/n": b"n"}
    wrong = roost("sync", "stars:/nowhere", f"{store.place}notes")
    assert (wrong.code, "is no folder" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("sync", "stars:/a", "here"), 2, "roost cp stars:/a here"),
        (("sync", "stars:/a", "stars:/b"), 2, "roost cp stars:/a stars:/b"),
        (("sync", "s3://lab/x", "stars:/b", "--move"), 2, "from a folder to S3"),
        (("pull", "stars", "/elsewhere"), 2, "/elsewhere is none of what stars pulls"),
        (("pull", "stars/desk"), 2, "has no instance desk"),
        (("push", "other"), 2, "no such name: other"),
        (("push", "stars", "--janitor", "a*=b*"), 2, "--janitor goes with --watch"),
        (("push", "stars", "--move", "--delete"), 2, "--move and --delete together"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_machine_is_asked(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    told = roost(*words)
    assert (told.code, told.out) == (code, "")
    assert said in told.err
    assert cloud.jobs == []


def test_a_file_without_data_says_what_to_write(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, DESKTOP[: DESKTOP.index("[data]")], "desktop")
    told = roost("push", "stars")
    assert told.code == 2
    assert "roost sync stars:/data s3://BUCKET/PREFIX" in told.err


def test_a_machine_that_is_off_or_not_ready_says_what_makes_it_ready(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop", state="stopped")
    told = roost("pull", "stars")
    assert (told.code, "next: roost start stars" in told.err) == (1, True)
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    monkeypatch.setattr("roost.provision.machines.Machines.status", lambda *_: "3/7 installing")
    told = roost("pull", "stars", "/data/in")
    assert told.code == 1
    assert "desktop of stars is not ready: 3/7 installing" in told.err
    assert "next: roost up stars" in told.err
    assert cloud.jobs == []


def test_no_entry_is_copied_by_a_machine_that_is_not_ready(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "desktop")
    monkeypatch.setattr("roost.provision.machines.Machines.status", lambda *_: "3/7 installing")
    told = roost("pull", "stars")
    assert told.code == 3
    assert told.err.count("desktop of stars is not ready: 3/7 installing") == 3
    assert cloud.jobs == []


def test_quiet_says_only_what_is_not_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (Line(1, "stored a", routine=True), Line(2, "not stored: b: it is a directory"))
    for quiet in (False, True):
        board = Board(quiet)
        board.hear("seat-1 /data", "seat-1: ", Progress(stage="watching", lines=lines[:1]))
        board.hear("seat-1 /data", "seat-1: ", Progress(stage="watching", lines=lines))
        told = capsys.readouterr().err.splitlines()
        wrong = "seat-1: not stored: b: it is a directory"
        assert told == ([wrong] if quiet else ["seat-1: stored a", wrong])


def test_your_own_machine_has_folders_of_its_own(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, LOCAL, "head")
    cloud.name = "local"
    told = roost("pull", "stars")
    assert (told.code, f"roost sync {store.place}in FOLDER" in told.err) == (2, True), told.err
    told = roost("sync", "stars:notes", "s3://lab/notes")
    assert (told.code, "roost sync notes s3://lab/notes" in told.err) == (2, True)


def test_the_head_has_the_data_of_a_cluster(
    cloud: Cloud,
    store: Store,  # noqa: F811
    roost: Roost,
    tmp_path: Path,
) -> None:
    put(cloud, store, tmp_path, DESKTOP, "head", "worker-1")
    told = roost("push", "stars/worker-1")
    assert (told.code, "the head does" in told.err) == (2, True)
    grow(cloud.disk("head"), {"data/out/x": b"1"})
    assert roost("push", "stars").code == 0
    assert cloud.jobs[-1][0] == "head"
