"""Random syncs both ways against a hostile S3: no byte is lost, and 0 means that both are equal.

Each content is written once, with a size of its own. It may go only where the user asked for it:
by a deletion that was agreed to, or under the content that took its place.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.cli.main import main
from roost.transfer.filters import name_filter
from tests.transfer.hostile_s3 import LOGIN, Answer, Hostile, Request, error, hostile, xml

PLACE, PREFIX = "s3://bucket/p", "p/"
NAMES = ("a.dat", "b.log", "d/x.dat", "d/y.log", "e/f/z.dat", "e/mine.roost-part")
FILTERS = (
    (),
    ("--include", "*.dat"),
    ("--exclude", "*.log"),
    ("--exclude", "d"),
    ("--include", "d"),
    ("--include", "nothing-fits"),
)
Contents = dict[str, bytes]


# --- what goes wrong -----------------------------------------------------------------------------


def listing(change: Callable[[bytes], bytes]) -> Callable[[Hostile, World], None]:
    def bend(s3: Hostile, _: World) -> None:
        s3.page = 1
        s3.after = lambda request, answer: (
            Answer(200, change(answer.body)) if request.name == "ListObjects" else answer
        )

    return bend


def instead(name: str, answer: Answer) -> Callable[[Hostile, World], None]:
    def bend(s3: Hostile, _: World) -> None:
        s3.before = lambda request: answer if request.name == name else None

    return bend


def once_lost(name: str) -> Callable[[Hostile, World], None]:
    """Do what was asked for, and lose the answer."""

    def bend(s3: Hostile, _: World) -> None:
        left = [error(500, "InternalError")]
        s3.after = lambda request, answer: left.pop() if request.name == name and left else answer

    return bend


def meanwhile(name: str, there: bool) -> Callable[[Hostile, World], None]:
    """Somebody writes to all names while it copies, at the first request of this kind."""

    due = 3 if name == "ListObjects" else 1

    def bend(s3: Hostile, world: World) -> None:
        numbers = count(1)

        def before(request: Request) -> None:
            with world.lock:
                if request.name == name and next(numbers) == due:
                    for one in NAMES[:4]:
                        world.write(one, there=there)

        s3.before = before

    return bend


def first_version(s3: Hostile, _: World) -> None:
    s3.v1, s3.page = True, 2


def locked(_: Hostile, world: World) -> None:
    world.locked = world.here / "d"


def calm(_: Hostile, world: World) -> None:
    del world


BENDS: dict[str, Callable[[Hostile, World], None]] = {
    "nothing": calm,
    "only the first version of listings": first_version,
    "a folder that cannot be read": locked,
    "listings without a token": listing(lambda b: b.replace(b"NextContinuationToken", b"Odd")),
    "listings that begin again": listing(lambda b: re.sub(b">t:[^<]*<", b">t:<", b)),
    "listings of another bucket": listing(lambda b: b.replace(b"<Name>bucket", b"<Name>other")),
    "listings that end too early": listing(lambda b: b.replace(b"</ListBucketResult>", b"")),
    "a login page for listings": listing(lambda _: LOGIN),
    "a login page for objects": instead("GetObject", Answer(200, LOGIN)),
    "a login page for puts": instead("PutObject", Answer(200, LOGIN)),
    "a login page for looks": instead("HeadObject", Answer(200)),
    "a login page for deletions": instead("DeleteObjects", Answer(200, LOGIN)),
    "deletions that do nothing": instead("DeleteObjects", xml("DeleteResult", "")),
    "a lost put": once_lost("PutObject"),
    "a lost deletion": once_lost("DeleteObjects"),
    "files that come at the last listing": meanwhile("ListObjects", there=False),
    "objects that come at the last listing": meanwhile("ListObjects", there=True),
    "files that come while it fetches": meanwhile("GetObject", there=False),
    "objects that come while it sends": meanwhile("PutObject", there=True),
    "objects that come while it proves": meanwhile("HeadObject", there=True),
}


# --- the world -----------------------------------------------------------------------------------


@dataclass
class World:
    """A folder, a bucket, and everything that was ever written."""

    s3: Hostile
    here: Path
    written: int = 0
    locked: Path | None = None
    code: int = 0
    told: str = ""
    came: dict[tuple[str, bool], bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def write(self, name: str, *, there: bool) -> None:
        """Write something new under a name, all of it at once."""
        self.written += 1
        body = b"%d " % self.written + b"." * self.written
        self.came[name, there] = body
        if there:
            self.s3.put({PREFIX + name: body})
        else:
            path = self.here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (self.here.parent / "new").write_bytes(body)
            (self.here.parent / "new").replace(path)

    def erase(self, name: str, *, there: bool) -> None:
        """Delete it, as its owner may."""
        if there:
            self.s3.objects.pop(PREFIX + name, None)
        else:
            (self.here / name).unlink(missing_ok=True)

    def sides(self) -> tuple[Contents, Contents]:
        files = {
            path.relative_to(self.here).as_posix(): path.read_bytes()
            for path in self.here.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        objects = self.s3.bodies(PREFIX).items()
        return files, {name: body for name, body in objects if not name.endswith("/")}

    def sync(self, *words: str, up: bool, bend: str) -> None:
        """Type it, while that goes wrong."""
        self.came.clear()
        BENDS[bend](self.s3, self)
        sides = (str(self.here), PLACE) if up else (PLACE, str(self.here))
        real, told = os.scandir, io.StringIO()

        def scandir(path: str) -> object:
            if self.locked is not None and os.fspath(path) == str(self.locked):
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        with (
            patch("sys.argv", ["roost", "sync", *sides, *words, "--yes"]),
            patch("os.scandir", scandir),
            redirect_stdout(told),
            redirect_stderr(told),
        ):
            self.code = main()
        self.told, self.locked = told.getvalue(), None
        self.s3.calm()
        self.s3.v1, self.s3.page = False, 1000


@contextmanager
def world() -> Iterator[World]:
    with hostile() as s3, tempfile.TemporaryDirectory() as folder:
        env = {**s3.env(), "ROOST_HOME": f"{folder}/home"}
        here = Path(folder) / "here"
        here.mkdir()
        with patch.dict(os.environ, env), patch("roost.transfer.context.TRIES", 1):
            yield World(s3, here)


# --- the oracle ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One sync."""

    up: bool
    delete: bool
    move: bool
    delete_all: bool
    most: str
    filters: tuple[str, ...]
    bend: str

    def words(self) -> list[str]:
        words = list(self.filters)
        if self.up and self.move:
            return [*words, "--move", "--min-age", "0"]
        if self.delete:
            words += ["--delete", *(["--delete-all"] if self.delete_all else [])]
            words += ["--max-delete", self.most] if self.most else []
        return words

    def check(self, world: World, before: tuple[Contents, Contents]) -> None:
        """Assert that nothing was lost, and that 0 means equal."""
        after = world.sides()
        assert "Traceback" not in world.told, world.told
        assert world.code in {0, 1, 2, 3, 4, 5}, world.told
        source, target = before if self.up else before[::-1]
        now_source, now_target = after if self.up else after[::-1]
        include = self.filters[1:] if self.filters[:1] == ("--include",) else ()
        exclude = self.filters[1:] if self.filters[:1] == ("--exclude",) else ()
        takes_part = name_filter(include, exclude)
        self._nothing_lost(world, (source, target), (now_source, now_target), takes_part)
        if world.code == 0 and not world.came:
            for name, body in source.items():
                if takes_part(name):
                    assert now_target.get(name) == body, (name, world.told)
            if "--delete" in self.words():
                extra = {name for name in now_target if takes_part(name)} - source.keys()
                assert not extra, world.told

    def _nothing_lost(
        self,
        world: World,
        before: tuple[Contents, Contents],
        after: tuple[Contents, Contents],
        takes_part: Callable[[str], bool],
    ) -> None:
        source, target = before
        now_source, now_target = after
        alive = {*now_source.values(), *now_target.values()}
        lost = {name for name, body in source.items() if body not in alive}
        # By another program, which may write over anything. What it wrote to the target before
        # that was looked at is as old as all else there: the source's takes its place.
        early = not self.up and self.bend == "files that come at the last listing"
        came = {
            body
            for (name, _), body in world.came.items()
            if not (early and takes_part(name) and name in source)
            or now_target.get(name) != source[name]
        }
        assert not {one for one in lost if now_source.get(one) not in came}
        assert came <= alive, "what came meanwhile was lost"
        deletes, files = "--delete" in self.words(), {n for n in source if takes_part(n)}
        for name, body in target.items():
            if body in alive or now_target.get(name) in came:
                continue
            assert takes_part(name), f"{name} was left out"
            if name in source:
                assert now_target.get(name) == source[name], f"{name} was overwritten"
            else:
                assert deletes, f"{name} was deleted"
                assert name not in now_source, f"{name} had come back"
                assert files or self.delete_all, f"{name} was deleted for an empty source"
                unread = self.bend == "a folder that cannot be read" and self.up
                assert not (unread and name.startswith("d/")), f"{name} was not read"
        if self.most == "0" and deletes:
            assert target.keys() - source.keys() <= now_target.keys()


steps = st.builds(
    Step,
    up=st.booleans(),
    delete=st.booleans(),
    move=st.sampled_from([False, False, True]),
    delete_all=st.sampled_from([False, False, True]),
    most=st.sampled_from(["", "", "", "0", "50%"]),
    filters=st.sampled_from(FILTERS),
    bend=st.sampled_from([*["nothing"] * 6, *BENDS]),
)
edits = st.tuples(st.sampled_from(["write", "erase"]), st.sampled_from(NAMES), st.booleans())
scenes = st.lists(st.tuples(st.lists(edits, max_size=5), steps), min_size=1, max_size=5)


def play(scene: list[tuple[list[tuple[str, str, bool]], Step]]) -> None:
    with world() as made:
        for number, name in enumerate(NAMES[:4]):
            made.write(name, there=bool(number % 2))
        for edited, step in scene:
            for verb, name, there in edited:
                getattr(made, verb)(name, there=there)
            before = made.sides()
            made.sync(*step.words(), up=step.up, bend=step.bend)
            step.check(made, before)


@given(scenes)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_byte_is_lost(scene: list[tuple[list[tuple[str, str, bool]], Step]]) -> None:
    play(scene)


@pytest.mark.slow
@given(scenes)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_byte_is_lost_in_many_scenes(
    scene: list[tuple[list[tuple[str, str, bool]], Step]],
) -> None:
    play(scene)


@pytest.mark.parametrize("bend", BENDS)
@pytest.mark.parametrize("up", [True, False])
def test_each_trouble_alone(bend: str, up: bool) -> None:
    step = Step(up=up, delete=True, move=False, delete_all=False, most="", filters=(), bend=bend)
    play([([], step), ([], replace(step, bend="nothing"))])
