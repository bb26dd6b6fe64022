"""On a machine: start a job as a unit of systemd, or attach to it, and follow it to its end.

Below ``/run/roost/sync/<job>/``, which nobody else can read::

    job.json        the job, with what credentials it has; the unit deletes it when it has read it
    state.json      which job it is: its token and what it does
    lock            held by the unit for as long as it lives
    planned.json    what it will do, once it knows: it may be long
    progress.json   how far it is
    busy            touched while it is at work: such a machine is not idle
    result.json     its end

Followers may come and go. The unit alone writes the last five.
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
from roost.transfer.deletion import remove_own
from roost.transfer.job import Job

SPOOLS = Path("/run/roost/sync")
CACHE = Path("/var/lib/roost/sync")
"""The caches of transfer/cache.py, one folder for each user; no image keeps them."""
ROLE_RULES = Path("/etc/roost-role.nft")
"""The rules of a machine on which only root is given the credentials of its role."""
PAUSE = 0.3
HEARTBEAT = 5.0
"""Seconds after which the same is written again: that shows if the follower has gone."""
BEGINNING = 30.0
AGAIN = "the same command again   (continues where it was)"
USER = 1000
"""The id of the user that cloud-init made."""


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder of one job."""

    path: Path

    def read(self, name: str) -> dict[str, Any]:
        """Return the content of one of its files; empty if there is none."""
        with suppress(OSError, ValueError):
            found = json.loads((self.path / name).read_text())
            return found if isinstance(found, dict) else {}
        return {}

    def write(self, name: str, found: object) -> None:
        """Write a file for its owner only, whole or not at all."""
        write_private(self.path / name, json.dumps(found))

    @property
    def alive(self) -> bool:
        """Tell if the unit is running."""
        try:
            with (self.path / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def ended(self, token: str) -> dict[str, Any]:
        """Return the end of the job with this token; empty before it."""
        found = self.read("result.json")
        return found if found.get("token") == token else {}


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that does the job and owns its files."""

    uid: int
    gid: int
    home: Path


Begin = Callable[[Spool, Owner], None]


def attend(
    found: dict[str, Any], begin: Begin, spools: Path = SPOOLS, cache: Path = CACHE
) -> Iterator[dict[str, Any]]:
    """Begin the job of ``found["job"]``, or attach to it; yield its progress and its end as JSON.

    ``found["token"]`` names one request: if its job has ended meanwhile, yield that end.
    """
    try:
        job = with_full_path(Job.from_json(found["job"]))
        token = str(found["token"])
        spool = Spool(spools / job.id)
        with _locked(spools, job.id):
            running = _running(spool, job)
            if running is None and not spool.ended(token):
                _begin(spool, job, token, begin, cache)
        attached = running not in {None, token}
        if attached:
            yield {"attached": True}
        yield from follow(spool, running or token)
    except RoostError as error:
        yield {"error": error_json(error)}


def with_full_path(job: Job) -> Job:
    """Return the job with the full path of its folder."""
    path = os.path.normpath(Path(_user().home) / Path(job.folder))
    return replace(job, source=path) if job.up else replace(job, target=path)


def error_json(error: RoostError) -> dict[str, Any]:
    """Return an error as JSON."""
    return {"kind": type(error).__name__, "what": error.what, "next": error.next}


def _user() -> Owner:
    """Return the user that cloud-init made, or else the one that runs this."""
    try:
        found = pwd.getpwuid(USER)
    except KeyError:
        found = pwd.getpwuid(os.getuid())
    return Owner(found.pw_uid, found.pw_gid, Path(found.pw_dir))


@contextmanager
def _locked(spools: Path, name: str) -> Iterator[None]:
    spools.mkdir(parents=True, exist_ok=True)
    with (spools / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _running(spool: Spool, job: Job) -> str | None:
    """Return the token of the same job if it runs. Raises BusyError if another one runs."""
    deadline = time.monotonic() + BEGINNING
    while spool.alive:
        now = spool.read("state.json")
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


def _begin(spool: Spool, job: Job, token: str, begin: Begin, cache: Path) -> None:
    owner = _owner(job)
    job = _with_role(job, owner)
    spool.path.mkdir(mode=0o700, exist_ok=True)
    old = ("result.json", "planned.json", "progress.json", "job.json", "busy")
    remove_own(spool.path / name for name in old)
    spool.write("job.json", {"job": job.to_json(), "token": token})
    spool.write("state.json", {"token": token, "same": job.same, "dry_run": job.dry_run})
    (spool.path / "lock").touch()
    kept = cache / str(owner.uid)
    kept.mkdir(parents=True, exist_ok=True)
    for path in (spool.path, *spool.path.iterdir(), kept):
        _give(path, owner)
    begin(spool, owner)
    deadline = time.monotonic() + BEGINNING
    while not spool.alive and not spool.ended(token):
        if time.monotonic() > deadline:
            remove_own([spool.path / "job.json"])
            raise RoostError("the sync did not begin", next="roost logs NAME")
        time.sleep(0.05)


def _with_role(job: Job, owner: Owner) -> Job:
    """Return the job with the role's credentials, where only root is given them (Slurm's nodes)."""
    where = job.where
    if owner.uid == 0 or where.anonymous or where.keys is not None or not ROLE_RULES.exists():
        return job
    from roost.transfer.s3.client import keys_now

    return replace(job, where=replace(where, keys=keys_now(where)))


def _give(path: Path, owner: Owner) -> None:
    if os.getuid() == 0:
        os.chown(path, owner.uid, owner.gid)


def _owner(job: Job) -> Owner:
    """Return root for a tree, which has owners of its own; else the owner of the folder.

    A missing folder is made, and belongs to the owner of the folder above; to the machine's user
    if that is root.
    """
    if os.getuid() != 0:
        return Owner(os.getuid(), os.getgid(), Path.home())
    if job.tree:
        return _owner_of(0)
    folder = Path(job.folder)
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    if not missing or job.up:
        return _owner_of(folder.stat().st_uid) if folder.exists() else _user()
    uid = missing[-1].parent.stat().st_uid
    owner = _owner_of(uid) if uid else _user()
    for one in reversed(missing):
        one.mkdir()
        _give(one, owner)
    return owner


def _owner_of(uid: int) -> Owner:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:  # a folder of a user that this machine does not know
        return Owner(uid, uid, Path("/"))
    return Owner(uid, found.pw_gid, Path(found.pw_dir))


def follow(spool: Spool, token: str) -> Iterator[dict[str, Any]]:
    """Yield the progress of a job and its end as JSON."""
    last: dict[str, Any] = {}
    planned: dict[str, Any] = {}
    since = time.monotonic()
    while True:
        over = spool.ended(token)
        gone = not over and not spool.alive
        now = spool.read("progress.json")
        if now and (now != last or time.monotonic() - since > HEARTBEAT):
            fresh = {} if planned else spool.read("planned.json")
            planned = planned or fresh
            yield {"progress": {**now, "planned": fresh or None}}
            last, since = now, time.monotonic()
        if over:
            yield over["end"]
            return
        if gone and not spool.ended(token):
            yield {
                "error": error_json(
                    RoostError("the sync ended there without a message", next=AGAIN)
                )
            }
            return
        if not now and time.monotonic() - since > HEARTBEAT:
            yield {"progress": {}}
            since = time.monotonic()
        time.sleep(0 if gone else PAUSE)


def unit(spool: Spool) -> str:
    """Return the name of its unit."""
    return f"roost-sync-{spool.path.name}"


def begin_unit(spool: Spool, owner: Owner) -> None:
    """Start the job as a unit of systemd, which needs no connection. Raises RoostError."""
    package = Path(__file__).parents[3]
    line = [
        *("systemd-run", "--quiet", "--collect", f"--unit={unit(spool)}", "--property=Type=exec"),
        *("--property=TimeoutStopSec=40", "--property=LimitNOFILE=65536"),
        f"--description=roost sync {spool.path.name}",
        *(f"--uid={owner.uid}", f"--gid={owner.gid}"),
        *(f"--setenv=PYTHONPATH={package}", "--setenv=PYTHONDONTWRITEBYTECODE=1"),
        *(f"--setenv=HOME={owner.home}", f"--setenv=ROOST_HOME={CACHE / str(owner.uid)}"),
        *("--", sys.executable, "-P", "-m", "roost.transfer", "work", str(spool.path)),
    ]
    for left in (5, 4, 3, 2, 1, 0):  # the unit of before may not be gone yet
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if not left or "already" not in done.stderr:
            raise RoostError(f"systemd-run: {done.stderr.strip()[-300:]}")
        time.sleep(1)


def stop(job: Job) -> None:
    """End a job; the next one continues where it was."""
    spool = Spool(SPOOLS / with_full_path(job).id)
    subprocess.run(
        ["systemctl", "stop", f"{unit(spool)}.service"], capture_output=True, check=False
    )
