"""On a machine: a job is begun as a unit of systemd, or found at work, and followed to its end.

Below ``/run/roost/sync/<job>/``, which nobody else can read::

    job.json        the job, with what credentials it has; the unit deletes it when it has read it
    state.json      which job it is: its token and what it does
    lock            held by the unit for as long as it lives
    planned.json    what it will do, once it knows: it may be long
    progress.json   how far it is
    busy            touched while it is at work: such a machine is not idle
    result.json     its end

Who follows may come and go. The unit alone writes the last five.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roost.errors import BusyError, RoostError
from roost.home import write_private
from roost.transfer.job import Job

ROOMS = Path("/run/roost/sync")
CACHE = Path("/var/lib/roost/sync")
"""What was found to be the same, one folder for each user; no image keeps it."""
PAUSE = 0.3
HEARTBEAT = 5.0
"""Seconds after which the same is said again: who has gone away is noticed."""
BEGINNING = 30.0
AGAIN = "the same command again   (goes on where it was)"
USER = 1000
"""Whom cloud-init made."""


@dataclass(frozen=True, slots=True)
class Room:
    """The folder of one job."""

    path: Path

    def read(self, name: str) -> dict[str, Any]:
        """One of its files; empty where there is none."""
        with suppress(OSError, ValueError):
            found = json.loads((self.path / name).read_text())
            return found if isinstance(found, dict) else {}
        return {}

    def write(self, name: str, found: object) -> None:
        """Whole or not at all, for its owner only."""
        write_private(self.path / name, json.dumps(found))

    @property
    def alive(self) -> bool:
        """Whether the unit is."""
        try:
            with (self.path / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def ended(self, token: str) -> dict[str, Any]:
        """The end of the job of that token; empty before it."""
        found = self.read("result.json")
        return found if found.get("token") == token else {}


@dataclass(frozen=True, slots=True)
class Whom:
    """Who does the job: its files are that user's."""

    uid: int
    gid: int
    home: Path


Begin = Callable[[Room, Whom], None]


def attend(
    found: dict[str, Any], begin: Begin, rooms: Path = ROOMS, cache: Path = CACHE
) -> Iterator[dict[str, Any]]:
    """Begin the job of ``found["job"]``, or attach to it; what is to be told, to its end.

    ``found["token"]`` is of who asks: where its job has ended meanwhile, that end is told.
    """
    try:
        job = at_home(Job.from_json(found["job"]))
        token = str(found["token"])
        room = Room(rooms / job.id)
        with _alone(rooms, job.id):
            running = _running(room, job)
            if running is None and not room.ended(token):
                _begin(room, job, token, begin, cache)
        attached = running not in {None, token}
        if attached:
            yield {"attached": True}
        yield from follow(room, running or token)
    except RoostError as error:
        yield {"error": told(error)}


def at_home(job: Job) -> Job:
    """With the whole path of its folder."""
    path = os.path.normpath(Path(_user().home) / Path(job.folder))
    return replace(job, source=path) if job.up else replace(job, target=path)


def told(error: RoostError) -> dict[str, Any]:
    """An error in the words of the other machine."""
    return {"kind": type(error).__name__, "what": error.what, "next": error.next}


def _user() -> Whom:
    """Whom cloud-init made, or else who we are."""
    try:
        found = pwd.getpwuid(USER)
    except KeyError:
        found = pwd.getpwuid(os.getuid())
    return Whom(found.pw_uid, found.pw_gid, Path(found.pw_dir))


@contextmanager
def _alone(rooms: Path, name: str) -> Iterator[None]:
    rooms.mkdir(parents=True, exist_ok=True)
    with (rooms / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _running(room: Room, job: Job) -> str | None:
    """The token of the same job that is at work. Raises BusyError where it is another one."""
    deadline = time.monotonic() + BEGINNING
    while room.alive:
        now = room.read("state.json")
        if now.get("same") == job.same and (not now.get("dry_run") or job.dry_run):
            return str(now["token"])
        looks = bool(now.get("dry_run"))
        if not looks or time.monotonic() > deadline:
            raise BusyError(
                f"another sync between {job.source} and {job.target} is at work there, with other"
                " options",
                next="the command with its options   (attaches to it; Ctrl-C ends it)",
            )
        time.sleep(PAUSE)
    return None


def _begin(room: Room, job: Job, token: str, begin: Begin, cache: Path) -> None:
    whom = _whom(job)
    room.path.mkdir(mode=0o700, exist_ok=True)
    for name in ("result.json", "planned.json", "progress.json", "job.json", "busy"):
        (room.path / name).unlink(missing_ok=True)
    room.write("job.json", {"job": job.to_json(), "token": token})
    room.write("state.json", {"token": token, "same": job.same, "dry_run": job.dry_run})
    (room.path / "lock").touch()
    kept = cache / str(whom.uid)
    kept.mkdir(parents=True, exist_ok=True)
    for path in (room.path, *room.path.iterdir(), kept):
        _give(path, whom)
    begin(room, whom)
    deadline = time.monotonic() + BEGINNING
    while not room.alive and not room.ended(token):
        if time.monotonic() > deadline:
            (room.path / "job.json").unlink(missing_ok=True)
            raise RoostError("the sync did not begin", next="roost logs NAME")
        time.sleep(0.05)


def _give(path: Path, whom: Whom) -> None:
    if os.getuid() == 0:
        os.chown(path, whom.uid, whom.gid)


def _whom(job: Job) -> Whom:
    """Root for a tree, which has owners of its own; else who owns the folder.

    A folder that is not there is made, and belongs to who owns what it is in; to the machine's
    user, where that is root.
    """
    if os.getuid() != 0:
        return Whom(os.getuid(), os.getgid(), Path.home())
    if job.tree:
        return _of(0)
    folder = Path(job.folder)
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    if not missing or job.up:
        return _of(folder.stat().st_uid) if folder.exists() else _user()
    owner = missing[-1].parent.stat().st_uid
    whom = _of(owner) if owner else _user()
    for one in reversed(missing):
        one.mkdir()
        _give(one, whom)
    return whom


def _of(uid: int) -> Whom:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:  # a folder of somebody whom this machine does not know
        return Whom(uid, uid, Path("/"))
    return Whom(uid, found.pw_gid, Path(found.pw_dir))


def follow(room: Room, token: str) -> Iterator[dict[str, Any]]:
    """How far it is, and its end, in the words of the other machine."""
    last: dict[str, Any] = {}
    planned: dict[str, Any] = {}
    since = time.monotonic()
    while True:
        over = room.ended(token)
        gone = not over and not room.alive
        now = room.read("progress.json")
        if now and (now != last or time.monotonic() - since > HEARTBEAT):
            fresh = {} if planned else room.read("planned.json")
            planned = planned or fresh
            yield {"progress": {**now, "planned": fresh or None}}
            last, since = now, time.monotonic()
        if over:
            yield over["end"]
            return
        if gone and not room.ended(token):
            yield {"error": told(RoostError("the sync ended there without a word", next=AGAIN))}
            return
        if not now and time.monotonic() - since > HEARTBEAT:
            yield {"progress": {}}
            since = time.monotonic()
        time.sleep(0 if gone else PAUSE)


def unit(room: Room) -> str:
    """The name of its unit."""
    return f"roost-sync-{room.path.name}"


def begin_unit(room: Room, whom: Whom) -> None:
    """As a unit of its own, that nobody's connection keeps alive. Raises RoostError."""
    package = Path(__file__).parents[3]
    line = [
        *("systemd-run", "--quiet", "--collect", f"--unit={unit(room)}", "--property=Type=exec"),
        *("--property=TimeoutStopSec=40", "--property=LimitNOFILE=65536"),
        f"--description=roost sync {room.path.name}",
        *(f"--uid={whom.uid}", f"--gid={whom.gid}"),
        *(f"--setenv=PYTHONPATH={package}", "--setenv=PYTHONDONTWRITEBYTECODE=1"),
        *(f"--setenv=HOME={whom.home}", f"--setenv=ROOST_HOME={CACHE / str(whom.uid)}"),
        *("--", sys.executable, "-P", "-m", "roost.transfer", "work", str(room.path)),
    ]
    for left in (5, 4, 3, 2, 1, 0):  # the unit of before may not be gone yet
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if not left or "already" not in done.stderr:
            raise RoostError(f"systemd-run: {done.stderr.strip()[-300:]}")
        time.sleep(1)


def stop(job: Job) -> None:
    """End it; what it has begun, the next one goes on with."""
    room = Room(ROOMS / at_home(job).id)
    subprocess.run(["systemctl", "stop", f"{unit(room)}.service"], capture_output=True, check=False)
