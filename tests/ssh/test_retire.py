"""Workers hand over before they go: which program is asked, and what its failures mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from roost.errors import CloudError
from roost.model.resources import Instance, Role, Shape, State
from roost.model.steps import Retire
from roost.providers.aws.cloud import AwsCloud
from roost.provision import retire as module
from roost.provision.retire import retire

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)


def instance(name: str, role: Role, **more: object) -> Instance:
    found = Instance(name=name, role=role, shape=SHAPE, id=f"i-{name}", state="running")
    return replace(found, **{"address": "127.0.0.1", **more})  # type: ignore[arg-type]


def cluster(scheduler: str = "dask", **head: object) -> State:
    record = {"name": "ndvi", "kind": "cluster", "cloud": "aws", "scheduler": scheduler}
    instances = (instance("head", "head", **head), instance("worker-1", "worker"))
    return State(name="ndvi", record=json.dumps(record), instances=instances)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An ssh of our own: does what the script says; its words go to a file."""
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(script: str) -> Path:
        program, said = tmp_path / "ssh", tmp_path / "said"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{said}\n{script}\n')
        program.chmod(0o755)
        return said

    return make


def told_by(state: State) -> list[str]:
    told: list[str] = []
    retire(state, ("worker-1", "worker-2"), lambda *_: (), told.append)
    return told


@pytest.mark.parametrize(
    ("scheduler", "program"),
    [("dask", "/opt/roost/bin/release"), ("slurm", "/usr/lib/roost/slurm/nodes retire")],
)
def test_the_head_is_asked(ssh: Callable[[str], Path], scheduler: str, program: str) -> None:
    said = ssh("exit 0")
    assert told_by(cluster(scheduler)) == []
    words = said.read_text().splitlines()
    assert words[-2] == "roost-ndvi-head"
    assert words[-1] == (
        'sudo -n /bin/sh -c \'test -x "$1" || exit 0; exec "$@"\' retire'
        f" {program} worker-1 worker-2"
    )


@pytest.mark.parametrize(
    "state",
    [
        cluster(state="stopped"),
        cluster(address=None),
        replace(cluster(), instances=()),
        replace(cluster(), record=None),
        replace(cluster(), record='{"kind": "classroom"}'),
    ],
    ids=["stopped", "no address", "no machines", "no record", "no cluster"],
)
def test_nobody_is_asked(ssh: Callable[[str], Path], state: State) -> None:
    said = ssh("exit 1")
    assert told_by(state) == []
    assert not said.exists()


def test_a_head_that_is_not_reached_keeps_no_worker(ssh: Callable[[str], Path]) -> None:
    ssh("echo 'ssh: connect to host: timed out' >&2; exit 255")
    assert told_by(cluster()) == [
        "worker-1, worker-2: results are not handed over, because head cannot be reached:"
        " ssh: connect to host: timed out"
    ]


def test_a_head_that_does_not_answer_in_time(
    ssh: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    ssh("exec sleep 20")
    assert told_by(cluster()) == [
        "worker-1, worker-2: results are not handed over, because head does not answer"
    ]


def test_workers_that_cannot_hand_over_stay(ssh: Callable[[str], Path]) -> None:
    ssh("echo 'worker-1 did not hand over within 90 s; nothing was deleted' >&2; exit 1")
    with pytest.raises(CloudError) as caught:
        told_by(cluster())
    assert caught.value.what == (
        "not deleted: worker-1, worker-2"
        " (head: worker-1 did not hand over within 90 s; nothing was deleted)"
    )
    assert caught.value.exists == cluster().conditions


def test_the_cloud_passes_on_what_it_saw(tmp_path: Path) -> None:
    seen: list[tuple[State, tuple[str, ...]]] = []
    state = cluster()
    cloud = AwsCloud(
        clients=lambda _: None,
        region="eu-central-1",
        caller=str,
        public_key=bytes,
        locks=tmp_path,
        retire=lambda *words: seen.append(words),
    )
    cloud._memory("ndvi").remember_seen(state)
    cloud.apply("ndvi", Retire(("worker-1",)))
    assert seen == [(state, ("worker-1",))]
