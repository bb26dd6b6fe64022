"""Scenes of the life of desktops and clusters on AWS, each a command as a user types it."""

from __future__ import annotations

import gc
import os
import pickle
import re
import shutil
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any, TypeVar

import boto3

from roost.model.nodes import launched, split
from roost.providers.aws import tags
from roost.providers.aws.rights import AwsRights
from roost.spec import load
from tests.aws.command_line import CommandLine, Double, command_line
from tests.aws.conftest import Account
from tests.aws.policies.gate import Gate
from tests.aws.strict import Moment, Weather
from tests.cli.calling import REPO, Ran

R = TypeVar("R")
MARKS = ("roost", "roost:node", "roost:role")
NOTHING = re.compile("no such name|no baked image")
HALF_WRITTEN = re.compile(r"\.\d+$")
"""Ends the name of a file that is about to get its own."""
DESKTOP = """\
name = "stars"
kind = "desktop"
[aws]
region = "eu-central-1"
[machine]
type = "{type}"
disk = "30GB"
[[volumes]]
name = "data"
size = "{size}"
[[volumes]]
name = "scratch"
size = "50GB"
[access]
ssh = ["me"]
address = "fixed"
[tags]
group = "astro"
"""
CLUSTER = f"""\
name = "ndvi"
kind = "cluster"
cloud = "aws"
shared = "/shared"
[aws]
region = "eu-central-1"
[environment]
project = "{REPO}/examples/ndvi"
[jupyter]
enabled = false
[head]
type = "m5.large"
[workers]
count = 2
type = "m5.xlarge"
"""
CLASS = """\
name = "{name}"
kind = "classroom"
cloud = "aws"
seats = 2
[aws]
region = "eu-central-1"
[machine]
type = "m5.large"
[[volumes]]
name = "data"
size = "{size}"
[access]
ssh = ["me"]
{access}
"""
FILES = {
    "course.toml": CLASS.format(name="course", size="50GB", access='reach = "jump"'),
    "stars.toml": DESKTOP.format(type="m5.large", size="500GB"),
    "grown.toml": DESKTOP.format(type="m5.large", size="800GB"),
    "retyped.toml": DESKTOP.format(type="m5.xlarge", size="500GB"),
    "ndvi.toml": CLUSTER,
    "spare.toml": CLASS.format(name="spare", size="50GB", access='reach = "jump"').replace(
        "seats = 2", "seats = 1\nspares = 2"
    ),
    "room.toml": CLASS.format(name="room", size="10GB", access='address = "fixed"'),
}
S3 = "park stars --mode data=s3 --to s3://my-bucket/parked --mode scratch=snapshot --yes"


NODES = {
    "stars": (("desktop",), ("data", "scratch")),
    "ndvi": (("head", "worker-1", "worker-2"), ()),
    "course": (("seat-1", "seat-2", "gateway"), ("seat-1-data", "seat-2-data")),
    "spare": (
        ("seat-1", "seat-2", "seat-3", "gateway"),
        ("seat-1-data", "seat-2-data", "seat-3-data"),
    ),
    "room": (("seat-1", "seat-2"), ("seat-1-data", "seat-2-data")),
}
"""The machines and volumes of each file."""


@dataclass(frozen=True)
class Scene:
    """``line`` after the lines of ``before``, and the exit code that it comes to.

    ``discarded`` are the volumes whose data somebody gave up; with ``deletes`` the same line again
    may say that nothing of that name exists.
    """

    line: str
    before: tuple[str, ...] = ()
    code: int = 0
    discarded: frozenset[str] = frozenset()
    deletes: bool = False


UP, PARK, RESUME = "up stars.toml --yes", "park stars --yes", "resume stars --yes"
UP_CLASS = "up course.toml --yes"
DISCARD = "park stars --mode scratch=discard --discard scratch --yes"
ARCHIVE = "park stars --mode data=archive --yes"
DOWN, DELETE = "down stars --yes", "down stars --yes --delete-data stars"
UP_CLUSTER, PARK_CLUSTER = "up ndvi.toml --yes", "park ndvi --yes"
ALL = frozenset({"data", "scratch"})
SCENES = {
    "desktop up": Scene(UP),
    "class reset": Scene("reset room/seat-1 --new-password --yes", ("up room.toml --yes",)),
    "class start one": Scene("start room/seat-2", ("up room.toml --yes", "stop room/seat-2")),
    "desktop up again": Scene(UP, (UP,)),
    "desktop up grown": Scene("up grown.toml --yes", (UP,)),
    "desktop up retyped": Scene("up retyped.toml --yes", (UP,)),
    "desktop stop": Scene("stop stars", (UP,)),
    "desktop start": Scene("start stars", (UP, "stop stars")),
    "desktop resize": Scene("resize stars --type m5.4xlarge --yes", (UP,)),
    "desktop park": Scene(PARK, (UP,)),
    "desktop park stopped": Scene(PARK, (UP, "stop stars")),
    "desktop resume": Scene(RESUME, (UP, PARK)),
    "desktop park again": Scene(PARK, (UP, PARK, RESUME)),
    "desktop park s3": Scene(S3, (UP,)),
    "desktop resume s3": Scene(RESUME, (UP, S3)),
    "desktop park s3 again": Scene(S3, (UP, S3, RESUME)),
    "desktop park discard": Scene(DISCARD, (UP,), discarded=frozenset({"scratch"})),
    "desktop resume discard": Scene(RESUME, (UP, DISCARD), discarded=frozenset({"scratch"})),
    "desktop archive": Scene(ARCHIVE, (UP,)),
    "desktop resume archive": Scene(RESUME, (UP, ARCHIVE), code=3),
    "desktop resume after days": Scene(RESUME, (UP, ARCHIVE, RESUME)),
    "desktop restart": Scene("restart stars", (UP,)),
    "desktop down": Scene(DOWN, (UP,)),
    "desktop down with data": Scene(DELETE, (UP,), discarded=ALL, deletes=True),
    "desktop parked down": Scene(DELETE, (UP, PARK), discarded=ALL, deletes=True),
    "desktop down s3": Scene(DELETE, (UP, S3), discarded=ALL, deletes=True),
    "cluster up": Scene(UP_CLUSTER),
    "cluster scale up": Scene("scale ndvi 4 --yes", (UP_CLUSTER,)),
    "cluster scale down": Scene("scale ndvi 1 --yes", (UP_CLUSTER,)),
    "cluster follows the work": Scene("scale ndvi 0..4 --yes", (UP_CLUSTER,)),
    "cluster stop": Scene("stop ndvi", (UP_CLUSTER,)),
    "cluster resize": Scene("resize ndvi head --type m5.2xlarge --yes", (UP_CLUSTER,)),
    "cluster resize workers": Scene("resize ndvi worker --type m5.2xlarge --yes", (UP_CLUSTER,)),
    "cluster park": Scene(PARK_CLUSTER, (UP_CLUSTER,)),
    "cluster resume": Scene("resume ndvi --yes", (UP_CLUSTER, PARK_CLUSTER)),
    "cluster down": Scene("down ndvi --yes", (UP_CLUSTER,), deletes=True),
    "class up": Scene(UP_CLASS),
    # No page answers here: it says so, and deletes what it has made.
    "class rehearse": Scene(
        "rehearse course.toml --yes", code=1, discarded=frozenset({"seat-1-data"})
    ),
    "class park": Scene("park course --yes", (UP_CLASS,)),
    "class down": Scene("down course --yes", (UP_CLASS,)),
    "gateway class reset": Scene("reset course/seat-1 --new-password --yes", (UP_CLASS,)),
    "gateway class start one": Scene("start course/seat-2", (UP_CLASS, "stop course/seat-2")),
    "class swap": Scene("swap spare/seat-1 --new-password --yes", ("up spare.toml --yes",)),
    "image bake": Scene("image bake stars --yes", (UP,)),
    "image rm": Scene("image rm stars --yes", (UP, "image bake stars --yes"), deletes=True),
}


def name_in(line: str) -> str:
    """The name that a line is about: a file's, or of what is made of one."""
    return next((name for name in NODES if name in line), "stars")


@dataclass
class Stage:
    """An account in which all is ready for a scene, and the folder of whoever plays it."""

    account: Account
    forker: socket
    scene: Scene
    folder: Path

    def prepare(self) -> None:
        """All that comes before; each point begins with a copy of it."""
        self.folder.mkdir()
        for name, text in FILES.items():
            (self.folder / name).write_text(text)
        self.account.ec2.discarded = set(self.scene.discarded)
        with command_line(self.account, self.forker, self.folder) as roost:
            for line in self.scene.before:
                ran = roost(*line.split())
                assert ran.code in (0, 3), ran.err  # 3: data is on its way back
                self.account.settle()
        self.account.ec2.begin()
        shutil.copytree(self.folder, self._kept, symlinks=True)

    def _gate(self) -> Gate:
        """The user has the policy that `roost iam FILE` prints, and no other right."""
        file = self.folder / f"{name_in(self.scene.line)}.toml"
        found = AwsRights().of_user(load(file), None).policy
        return Gate(found, boto3.client("ec2", region_name="eu-central-1"))

    @property
    def _kept(self) -> Path:
        return self.folder.with_name("kept")

    def visit(self, play: Callable[[Play], R]) -> R:
        """What ``play`` returns or raises in a copy of this process: nothing of it stays."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder, symlinks=True)

        def work() -> R:
            with command_line(self.account, self.forker, self.folder, self._gate()) as roost:
                return play(Play(self.account, roost, self.scene))

        return in_a_copy(work)


@dataclass(frozen=True)
class Play:
    """A scene that is being played."""

    account: Account
    roost: CommandLine
    scene: Scene

    @property
    def double(self) -> Double:
        return self.roost.double

    def call(self, line: str, **other: Any) -> Ran:
        """One line; whatever happens, an expected error shows no traceback."""
        ran = self.roost(*line.split(), **other)
        assert "Traceback" not in ran.err, ran.err
        return ran

    def once(self, weather: Weather) -> Ran:
        """The scene's line in some weather; afterwards it is good, but for what cannot be seen."""
        self.account.ec2.weather = weather
        ran = self.call(self.scene.line)
        self.account.ec2.weather = Weather(blind=weather.blind)
        return ran

    def again(self) -> None:
        """The same line comes to the same end; where all is deleted it may say just that."""
        ran = self.call(self.scene.line)
        gone = self.scene.deletes and ran.code == 2 and NOTHING.search(ran.err)
        assert gone or ran.code == self.scene.code, ran.err

    def end(self) -> dict[str, Any]:
        """What is there. Nothing was lost, and no image has anything personal in it."""
        assert (self.account.ec2.lost, self.account.ec2.leaked) == ([], [])
        return summary(self.account, self.name) | {"home": files(self.roost.folder)}

    @property
    def name(self) -> str:
        return name_in(self.scene.line)

    def all_back_and_all_gone(self) -> None:
        """`up` has each thing once and lost nothing; `down` with all data leaves nothing."""
        ran = self.call(f"up {self.name}.toml --yes")
        assert ran.code == 0, ran.err
        state = self.account.roost().observe(self.name)
        nodes, volumes = NODES[self.name]
        # A worker that is still going keeps its number, and another one has the next.
        there = sorted((i.role, i.state) for i in state.instances)
        assert there == sorted((split(node)[0], "running") for node in nodes), ran.err
        assert {v.name: v.state for v in state.volumes} == dict.fromkeys(volumes, "attached")
        left = self.account.left()
        assert len(left["instances"]) == len(nodes)
        assert len(left.get("addresses", [])) == len(state.addresses)
        assert self.account.ec2.lost == []
        self.account.ec2.discarded = set(volumes)
        ran = self.call(f"down {self.name} --yes --delete-data {self.name}")
        assert ran.code == 0, ran.err
        self.account.settle()
        assert self.account.left() == {}


def calm(play: Play, weather: Weather | None = None) -> tuple[list[Moment], dict[str, Any]]:
    """The moments of the scene when nothing goes wrong, and what is there then."""
    ran = play.once(weather or Weather())
    assert ran.code == play.scene.code, ran.err
    return list(play.account.ec2.moments), play.end()


def summary(account: Account, name: str) -> dict[str, Any]:
    """What is there, without the ids that differ from run to run; all of the account is counted."""
    account.ec2.weather = Weather()
    account.settle()
    state = account.roost().observe(name)
    there: dict[str, Any] = {
        "record": state.record,
        # Workers keep nothing: after trouble those that came in their place have other numbers.
        "instances": sorted((_unnumbered(i.name), i.state, i.shape.type) for i in state.instances),
        "volumes": [(v.name, v.state, v.size_gib) for v in state.volumes],
        "addresses": [(a.name, a.attached) for a in state.addresses],
        "snapshots": [(s.volume, s.state, s.sealed, s.tier) for s in state.snapshots],
        "images of it": [(i.instance, i.state) for i in state.images],
        "copies": [(c.name, c.sealed) for c in state.s3_copies],
    }
    images = account.roost().can.images
    assert images is not None
    there["images"] = [(i.name, i.state, i.recipe, i.system) for i in images.all()]
    there["closed"] = len(account.ec2.closed)
    there["counts"] = {kind: len(ids) for kind, ids in account.left().items()}
    there["tags"] = marks(account)
    return there


def marks(account: Account) -> dict[tuple[str, str, str], int]:
    """How often each kind of resource has which of roost's marks, as they are to be read."""
    ids = {one for kind in account.left().values() for one in kind}
    held: dict[tuple[str, str], list[Any]] = {}
    for tag in account.client.describe_tags()["Tags"]:
        if tag["ResourceId"] in ids:
            held.setdefault((tag["ResourceType"], tag["ResourceId"]), []).append(tag)
    return Counter(
        (kind, key, _unnumbered(value))
        for (kind, _), described in held.items()
        for key, value in tags.read(described).items()
        if key in MARKS
    )


def _unnumbered(name: str) -> str:
    """A worker's name, or that of the workers of a launch, without their numbers.

    Of a launch of seats the names in order: which of them is which a swap may change.
    """
    return "worker" if name.startswith("worker-") else " ".join(sorted(launched(name)))


def files(folder: Path) -> list[str]:
    """The files below it, without those that a killed process was writing."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not HALF_WRITTEN.search(path.name))


def in_a_copy(work: Callable[[], R]) -> R:
    """What ``work`` returns or raises in a copy of this process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        gc.freeze()  # a collection would make copies of all that is shared
        try:
            answer = (True, work())
        except BaseException:
            answer = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as file:
            pickle.dump(answer, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        good, answer = pickle.load(file)
    os.waitpid(pid, 0)
    if not good:
        raise AssertionError(answer)
    return answer
