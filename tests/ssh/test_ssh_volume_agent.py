"""What parking in S3 does on machines: who is asked what, in which order, and what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from roost.errors import BusyError, PartlyDoneError, RoostError, UnreachableError
from roost.model.resources import Instance, S3Copy, Shape, State, Volume
from roost.parking import ssh_volume_agent
from roost.parking.ssh_volume_agent import SshVolumeAgent
from roost.provision.machines import Lost, Machines
from roost.transfer.job import ANY, Job, Outcome, Proven
from roost.transfer.s3.config import Where

SHAPE = Shape(type="t3.medium", cpus=2, memory_gib=4)
HERE = Where("eu-central-1")
WHOLE = Outcome(
    done=True,
    region="eu-west-1",
    proof=Proven(files=3, bytes=9, whole=True, tree="s3://b/p/.roost/tree-1", tree_sha256="ab"),
)
WRONG = replace(
    WHOLE,
    failed=(("raw/a\nb", "it is not in S3"), *((f"f{n}", "no") for n in range(20))),
    proof=Proven(files=2, bytes=6, whole=False),
)


def seat(number: int) -> Instance:
    one = f"seat-{number}"
    return Instance(
        name=one, role="seat", shape=SHAPE, state="running", address="192.0.2.1", started=100
    )


def volume(number: int, name: str = "data") -> Volume:
    return Volume(
        name=f"seat-{number}-{name}",
        size_gib=50,
        type="gp3",
        holder=f"seat-{number}",
        mount=f"/{name}",
        id=f"vol-{number}{name}",
        state="attached",
        attached_at=120,
    )


STATE = State(
    name="room",
    instances=(seat(1), seat(2)),
    volumes=(volume(1), volume(1, "more"), volume(2)),
)
ROOTS = {v.name: "s3://b/p" for v in STATE.volumes}


@dataclass
class World:
    """Machines that answer as they are told, and note what they were asked."""

    said: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    ends: dict[str, Outcome | BaseException] = field(default_factory=dict)
    state: State = STATE

    def peek(self, instance: Instance) -> None:
        del instance

    def rest(self, seconds: float) -> bool:
        del seconds
        return False

    def end(self) -> None:
        self.said.append("end")

    def talk(self, instance: Instance, words: list[str], given: bytes) -> Iterator[bytes]:
        assert words[:3] == ["/usr/bin/python3", "-P", "-"]
        assert given.startswith(b"#!/usr/bin/python3")
        what, places = words[3], words[4:]
        self.said.append(f"{instance.name} {what} {' '.join(places)}")
        found = self.answers.get(f"{instance.name} {what}", {})
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, BaseException):
            raise found
        used = {place.partition("=")[0]: 3 * 2**30 for place in places}
        yield json.dumps({"hold": "" if what == "check" else "1", "used": used} | found).encode()

    def run_there(self, _: object, instance: Instance, job: Job, *more: Any) -> Outcome:
        del more
        self.said.append(f"{instance.name} {'last' if job.options.delete else 'copy'} {job.folder}")
        self.jobs.append(job)
        end = self.ends.get(f"{instance.name} {job.folder}", WHOLE)
        if isinstance(end, BaseException):
            raise end
        return end


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(ssh_volume_agent, "run_there", found.run_there)
    return found


@pytest.fixture
def agent(world: World) -> SshVolumeAgent:
    return SshVolumeAgent(
        machines=cast("Machines", world),
        roots=ROOTS,
        classes={"seat-2-data": "GLACIER_IR"},
        here=HERE,
        progress=lambda _: lambda _: None,
        note=world.notes.append,
    )


def of(world: World, node: str) -> list[str]:
    """What one machine was asked; they are asked at once."""
    return [text.removeprefix(f"{node} ") for text in world.said if text.startswith(node)]


def test_programs_go_on_while_the_most_is_sent(world: World, agent: SshVolumeAgent) -> None:
    agent.send(STATE, STATE.volumes)
    assert of(world, "seat-1") == [
        "check /data=vol-1data /more=vol-1more",
        "copy /data",
        "copy /more",
    ]
    assert of(world, "seat-2") == ["check /data=vol-2data", "copy /data"]
    assert all(job.tree and not job.options.delete for job in world.jobs)
    assert {job.target: job.options.storage for job in world.jobs} == {
        "s3://b/p/room/seat-1-data/vol-1data/": None,
        "s3://b/p/room/seat-1-more/vol-1more/": None,
        "s3://b/p/room/seat-2-data/vol-2data/": "GLACIER_IR",
    }


def test_what_is_held_already_was_sent_before(world: World, agent: SshVolumeAgent) -> None:
    """And the last copy, which was begun then, may be at work: it is attached to."""
    world.answers["seat-1 check"] = {"hold": "1"}
    assert agent.send(STATE, STATE.volumes) == {}
    assert of(world, "seat-1") == ["check /data=vol-1data /more=vol-1more"]
    assert of(world, "seat-2") == ["check /data=vol-2data", "copy /data"]


def test_a_machine_that_cannot_send_keeps_no_other_from_it(
    world: World, agent: SshVolumeAgent
) -> None:
    world.ends["seat-1 /data"] = BusyError("another sync is at work")
    troubles = agent.send(STATE, STATE.volumes)
    text = "seat-1: another sync is at work"
    assert troubles == {"seat-1-data": text, "seat-1-more": text}
    assert of(world, "seat-2")[-1] == "copy /data"


def test_proven_when_nothing_writes(world: World, agent: SshVolumeAgent) -> None:
    found = agent.verify(STATE, STATE.volumes)
    assert of(world, "seat-1") == [
        "hold /data=vol-1data /more=vol-1more",
        "last /data",
        "last /more",
        "held /data=vol-1data /more=vol-1more",
    ]
    assert all((job.tree, job.agreed) == (True, ANY) for job in world.jobs)
    assert found.troubles == {}
    (data,) = [copy for copy in found.copies if copy.name == "seat-1-data"]
    assert data == S3Copy(
        name="seat-1-data",
        source="vol-1data",
        place="s3://b/p/room/seat-1-data/vol-1data/",
        tree="s3://b/p/.roost/tree-1",
        sha256="ab",
        size_gib=50,
        used_gib=3,
        since=120,
        taken=120,
        sealed=False,
        region="eu-west-1",
    )
    assert len(found.copies) == 3


def test_a_wrong_file_is_named_and_its_machine_goes_on(world: World, agent: SshVolumeAgent) -> None:
    world.ends["seat-1 /more"] = WRONG
    found = agent.verify(STATE, STATE.volumes)
    assert [copy.name for copy in found.copies] == ["seat-2-data"]  # another machine is no matter
    (trouble,) = found.troubles.items()
    assert trouble[0] == "seat-1-more"
    assert trouble[1].startswith("raw/a\\nb: it is not in S3; f0: no; ")
    assert trouble[1].endswith("f8: no; and 11 more")
    assert of(world, "seat-1")[-1] == "free /data=vol-1data /more=vol-1more"
    assert "free" not in " ".join(of(world, "seat-2"))


@pytest.mark.parametrize(
    "after", [{"hold": ""}, {"hold": "2"}, {"trouble": "/data is not mounted"}]
)
def test_what_was_let_in_meanwhile_is_not_proven(
    world: World, agent: SshVolumeAgent, after: dict[str, Any]
) -> None:
    world.answers["seat-2 held"] = after
    found = agent.verify(STATE, (volume(2),))
    assert found.copies == ()
    text = after.get("trouble", "it was written to while it was compared")
    assert found.troubles == {"seat-2-data": f"seat-2: {text}"}
    assert of(world, "seat-2")[-1].startswith("free")


def test_what_cannot_be_held_is_kept(world: World, agent: SshVolumeAgent) -> None:
    world.answers["seat-2 hold"] = {"trouble": "/data cannot be made read-only: relion (77)"}
    found = agent.verify(STATE, (volume(2),))
    assert found.troubles == {"seat-2-data": "seat-2: /data cannot be made read-only: relion (77)"}
    assert world.jobs == []


def test_ctrl_c_lets_programs_write_again(world: World, agent: SshVolumeAgent) -> None:
    world.ends["seat-2 /data"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        agent.verify(STATE, (volume(2),))
    assert of(world, "seat-2")[-1].startswith("free")
    assert "end" in world.said


def test_a_machine_that_cannot_be_reached_any_more(world: World, agent: SshVolumeAgent) -> None:
    world.answers["seat-2 held"] = Lost("closed")
    world.answers["seat-2 free"] = Lost("closed")
    found = agent.verify(STATE, (volume(2),))
    assert "the connection to seat-2 was lost: closed" in found.troubles["seat-2-data"]
    assert any("`roost restart room` makes its data writable again" in note for note in world.notes)


COPY = S3Copy(
    name="seat-2-data",
    source="vol-0",
    place="s3://b/p/room/seat-2-data/vol-0/",
    tree="s3://b/p/room/seat-2-data/vol-0/.roost/tree-1",
    sha256="ab",
    size_gib=50,
    used_gib=3,
    since=1,
    taken=1,
    sealed=True,
    region="eu-west-1",
    endpoint="https://s3.example.org",
)


def test_back_again_from_where_it_is(
    world: World, agent: SshVolumeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_volume_agent, "MOUNTING", 1000.0)
    world.answers["seat-2 check"] = [{"trouble": "/data is not mounted"}, {}]
    agent.fill(STATE, volume(2), COPY)
    assert of(world, "seat-2") == [*["check /data=vol-2data"] * 2, "copy /data"]
    (job,) = world.jobs
    assert (job.source, job.target, job.once, job.tree) == (COPY.place, "/data", True, True)
    assert (job.tree_at, job.tree_sha256) == (COPY.tree, "ab")
    assert (job.where.region, job.where.endpoint) == ("eu-west-1", "https://s3.example.org")


def test_what_does_not_come_back_is_named(world: World, agent: SshVolumeAgent) -> None:
    world.ends["seat-2 /data"] = replace(WRONG, failed=(("a", "it is not in S3"),))
    with pytest.raises(
        PartlyDoneError, match="a: it is not in S3; until it has, only root"
    ) as caught:
        agent.fill(STATE, volume(2), COPY)
    assert caught.value.next == "roost resume room   (goes on)"


def test_nothing_is_filled_that_is_not_the_volume(
    world: World, agent: SshVolumeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_volume_agent, "MOUNTING", -1.0)
    world.answers["seat-2 check"] = {"trouble": "/data is vol3, and not vol-2data"}
    with pytest.raises(RoostError, match="/data is vol3"):
        agent.fill(STATE, volume(2), COPY)
    world.answers["seat-2 check"] = Lost("closed")
    with pytest.raises(UnreachableError):
        agent.fill(STATE, volume(2), COPY)
    assert world.jobs == []


def test_only_machines_that_run_are_let_go_on(world: World, agent: SshVolumeAgent) -> None:
    off = replace(seat(1), state="stopped")
    agent.free(replace(STATE, instances=(off, seat(2))))
    assert world.said == ["seat-2 free /data=vol-2data"]
