"""``roost extend``: the machines are asked through ssh, each once; workers follow their head."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from click.testing import CliRunner

from roost.app import connect, resolve
from roost.app.extend import PROGRAM
from roost.cli.main import cli
from roost.errors import NotFoundError, PartlyDoneError, RoostError, UsageError
from roost.model.resources import Instance, Role, Shape, State
from roost.providers.provider import Capabilities, Shell
from roost.ssh.command import batch

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)
ANSWER = {"end": "2027-01-01T02:00:00+00:00", "idle_not_before": None, "budget_left_usd": 3.5}


def instance(name: str, role: Role) -> Instance:
    return Instance(name=name, role=role, shape=SHAPE, state="running", address="192.0.2.1")


class Roost:
    """A name on AWS, with an ssh of our own."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = tmp_path / "asked"
        self.state = State(name="ndvi")
        self.can = Capabilities(rents=True)
        self.ssh = tmp_path / "bin" / "ssh"
        self.ssh.parent.mkdir()
        monkeypatch.setenv("PATH", f"{self.ssh.parent}:/usr/bin:/bin")
        monkeypatch.setattr(resolve, "locate", lambda *_: SimpleNamespace(can=self.can))
        monkeypatch.setattr(resolve, "usable", lambda *_: self.state)
        monkeypatch.setattr(connect, "connected", self.connected)
        monkeypatch.setattr("roost.ssh.diagnose.explain", lambda *_: None)
        self.answers(f"echo '{json.dumps(ANSWER)}'")

    def answers(self, script: str) -> None:
        self.ssh.write_text(f'#!/bin/sh\necho "$@" >> {self.asked}\n{script}\n')
        self.ssh.chmod(0o755)

    def connected(
        self, _session: object, _cloud: object, state: State, node: str | None
    ) -> SimpleNamespace:
        found = next((i for i in state.instances if i.name == node), None)
        if found is None:
            raise NotFoundError(f"no {node}")
        return SimpleNamespace(config=Path("/c"), alias=f"roost-ndvi-{node}", node=found)

    def lines(self) -> list[str]:
        return sorted(self.asked.read_text().splitlines()) if self.asked.exists() else []


@pytest.fixture
def roost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roost:
    return Roost(tmp_path, monkeypatch)


def call(*words: str) -> tuple[str, str]:
    result = CliRunner().invoke(
        cli, ["extend", *words], catch_exceptions=False, standalone_mode=False
    )
    if result.exception:
        raise result.exception
    return result.stdout, result.stderr


def test_a_clusters_head_is_asked_and_its_workers_follow(roost: Roost) -> None:
    roost.state = State(
        name="ndvi", instances=(instance("head", "head"), instance("worker-1", "worker"))
    )
    out, err = call("ndvi", "1h30m", "--json")
    line = batch(Path("/c"), "roost-ndvi-head", ["sudo", "-n", PROGRAM, "5400"])
    assert roost.lines() == [" ".join(line[1:])]
    (head,) = json.loads(out)["nodes"].values()
    assert {key: head[key] for key in ANSWER} == ANSWER
    assert err == "head: it ends at 2027-01-01 02:00 UTC; $3.50 of its budget are left\n"


def test_more_money_and_a_stop_that_comes_all_the_same(roost: Roost) -> None:
    roost.state = State(name="ndvi", instances=(instance("head", "head"),))
    call("ndvi", "--budget", "80")
    assert roost.lines()[0].endswith(f"{PROGRAM} --budget 80.00")
    near = {"stops_in_s": 600, "stops_because": "its budget ends: $51.20 of $50.00"}
    roost.answers(f"echo '{json.dumps({**ANSWER, **near})}'")
    _, err = call("ndvi", "2h")
    assert (
        "head will stop in 10 minutes: its budget ends: $51.20 of $50.00; next: "
        "roost extend ndvi --budget USD" in err
    )
    for words in (("ndvi",), ("ndvi", "2h", "head", "--budget", "5")):
        with pytest.raises(UsageError, match="how much longer"):
            call(*words)


def test_every_seat_is_asked_and_one_that_fails_is_named(roost: Roost) -> None:
    roost.state = State(
        name="ndvi", instances=(instance("seat-1", "seat"), instance("seat-2", "seat"))
    )
    roost.answers(
        f"case \"$*\" in *seat-2*) echo 'sudo: no' >&2; exit 1;; esac; echo '{json.dumps(ANSWER)}'"
    )
    with pytest.raises(PartlyDoneError) as error:
        call("ndvi", "2h")
    assert len(roost.lines()) == 2
    assert error.value.what == "seat-2 was not extended: sudo: no"
    assert error.value.exists == ("seat-1",)
    assert error.value.next == "roost extend ndvi 2h seat-2"


def test_what_ssh_or_the_machine_say_wrong(roost: Roost) -> None:
    roost.state = State(name="ndvi", instances=(instance("head", "head"),))
    for script, what in (
        ("echo closed >&2; exit 255", "head cannot be reached: closed"),
        ("echo hello", "head gave an answer that roost does not understand"),
        ("""echo '{"end": 5}'""", "head gave an answer that roost does not understand"),
    ):
        roost.answers(script)
        with pytest.raises(RoostError, match=what):
            call("ndvi", "2h")


def test_what_makes_no_sense_asks_nobody(roost: Roost) -> None:
    roost.state = State(
        name="ndvi", instances=(instance("head", "head"), instance("worker-1", "worker"))
    )
    with pytest.raises(UsageError, match="2 is not a length of time"):
        call("ndvi", "2")
    with pytest.raises(UsageError, match="worker-1 follows the head"):
        call("ndvi", "2h", "worker-1")
    roost.can = Capabilities(shell=cast("Shell", object()))
    with pytest.raises(UsageError, match="nothing stops by itself"):
        call("ndvi", "2h")
    assert roost.lines() == []
