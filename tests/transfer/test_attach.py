"""A job on a machine: begun once, attached to, ended, and quiet about its secrets."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roost.recipes.programs import program
from roost.transfer.job import ANY, Job, Outcome, Progress
from roost.transfer.options import Options
from roost.transfer.remote.attach import Spool
from roost.transfer.s3.config import Keys, Where
from tests.transfer.conftest import Store, grow, tree
from tests.transfer.local_machine import Here, end, progress
from tests.transfer.weed import SECRET


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path / "machine")
    yield made
    made.end()


def up(store: Store, folder: Path, **more: Any) -> Job:
    return Job(source=str(folder), target=str(store.place), where=store.where, **more)


def test_a_job_goes_through_json_whole() -> None:
    job = Job(
        source=os.fsdecode(b"/data/caf\xe9"),
        target="s3://b/p/",
        where=Where("r", "http://x", Keys("a", "s", "t"), ca_bundle="PEM"),
        options=Options(include=("*.tif",), delete=True, storage="GLACIER_IR"),
        janitors=("a*=b*",),
        tree_at="s3://b/p/.roost/tree-1",
    )
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
    assert job.same == replace(job, where=Where("r"), agreed="x", dry_run=True).same
    assert job.same != replace(job, options=Options()).same


def test_it_is_done_and_told(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"a": b"1", "b/c": b"22"})
    said = list(here.attend(up(store, source, verify=True)))
    found = end(said)
    assert (found.done, found.copied, found.bytes, found.failed) == (True, 2, 3, ())
    assert found.proof is not None
    assert (found.proof.files, found.proof.whole) == (2, True)
    planned = [one.planned for one in progress(said) if one.planned]
    assert [(one.to_copy, one.requests, one.done) for one in planned] == [(2, 2, False)]
    manifest = found.proof.manifest.removeprefix(f"{store.place}")
    assert manifest in store.all()
    back = Job(source=str(store.place), target=str(tmp_path / "back"), where=store.where)
    assert here.run(back).copied == 2
    assert tree(tmp_path / "back") == tree(source)


def test_a_dry_run_only_looks(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    found = here.run(up(store, source, dry_run=True))
    assert (found.done, found.to_copy, found.first) == (False, 1, (("a", "new"),))
    assert store.all() == {}


def test_only_what_was_shown_is_deleted(tmp_path: Path, store: Store, here: Here) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    store.put({"old": b"1"})
    job = up(store, source, options=Options(delete=True))
    shown = here.run(job)
    assert (shown.asks, shown.to_delete, shown.copied) == (True, ("old",), 0)
    store.put({"newer": b"1"})
    again = here.run(replace(job, agreed=shown.deletions))
    assert (again.asks, again.to_delete) == (True, ("newer", "old"))
    assert set(store.all()) == {"old", "newer"}
    done = here.run(replace(job, agreed=again.deletions))
    assert (done.done, sorted(done.deleted)) == (True, ["newer", "old"])
    store.put({"third": b"1"})
    assert here.run(replace(job, agreed=ANY)).deleted == ("third",)
    assert store.all() == {"a": b"1"}


def test_an_error_keeps_its_kind(tmp_path: Path, store: Store, here: Here) -> None:
    said = list(here.attend(up(store, tmp_path / "nowhere")))
    assert said[-1]["error"]["kind"] == "NotFoundError"
    wrong = replace(store.where, keys=Keys("nobody", "knows"))
    source = grow(tmp_path / "source", {"a": b"1"})
    said = list(here.attend(replace(up(store, source), where=wrong)))
    assert said[-1]["error"]["kind"] in {"AccessError", "CredentialsError"}


def watching(store: Store, source: Path) -> Job:
    """One that does not end by itself."""
    return up(store, source, watch=True)


@pytest.mark.slow
def test_who_comes_again_attaches_and_who_leaves_ends_nothing(
    tmp_path: Path, store: Store, here: Here
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    job = watching(store, source)
    first = here.attend(job)
    next(first)
    first.close()  # the connection is gone
    assert here.units[0].poll() is None
    second = here.attend(job)
    assert next(second) == {"attached": True}
    other = list(here.attend(replace(job, options=Options(checksum=True))))
    assert other[-1]["error"]["kind"] == "BusyError"
    assert len(here.units) == 1
    os.utime(source / "a", (1, 1))  # finished long ago
    assert any(_stored(one) for one in second)
    here.units[0].send_signal(signal.SIGTERM)
    assert list(second)[-1] == {"stopped": True}


def _stored(said: dict[str, Any]) -> bool:
    found = Progress.from_json(said["progress"]).lines if said.get("progress") else ()
    return any("stored a" in line.text for line in found)


def test_a_connection_that_was_lost_gets_the_end_of_its_own_job(
    tmp_path: Path, store: Store, here: Here
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    job = up(store, source)
    first = here.attend(job, "mine")
    next(first)
    first.close()
    here.units[0].wait()
    assert Outcome.from_json(list(here.attend(job, "mine"))[-1]["outcome"]).copied == 1
    assert len(here.units) == 1
    assert here.run(job).copied == 0  # somebody else's is another one
    assert len(here.units) == 2


@pytest.mark.slow
def test_one_that_was_killed_is_told_and_begun_again(
    tmp_path: Path, store: Store, here: Here
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    job = watching(store, source)
    said = here.attend(job)
    next(said)
    here.units[0].kill()
    assert "without a message" in list(said)[-1]["error"]["what"]
    again = here.attend(job)
    assert "attached" not in next(again)
    assert len(here.units) == 2


def test_credentials_are_in_no_file_once_it_has_begun(
    tmp_path: Path, store: Store, here: Here
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    job = watching(store, source)
    said = here.attend(job)
    next(said)
    spool = here.spool(job)
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700
    assert not (spool.path / "job.json").exists()
    pid = here.units[0].pid
    for path in [*spool.path.iterdir(), Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ")]:
        assert SECRET.encode() not in path.read_bytes()
    here.units[0].send_signal(signal.SIGTERM)
    assert all(SECRET not in json.dumps(one) for one in said)


def test_a_machine_that_copies_is_busy_until_it_ends(
    tmp_path: Path, store: Store, here: Here
) -> None:
    spools = here.base / "spools"
    script = tmp_path / "busy"
    script.write_text(program("sync-busy").replace("/run/roost/sync", str(spools)))

    def busy() -> bool:
        done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == (0 if done.stdout else 1)
        return done.returncode == 0

    assert not busy()
    source = grow(tmp_path / "source", {"a": b"1"})
    said = here.attend(watching(store, source))
    next(said)
    assert busy()
    marker = here.spool(watching(store, source)).path / "busy"
    here.units[0].kill()  # nobody tidies up
    here.units[0].wait()
    os.utime(marker, (time.time() - 200,) * 2)
    assert not busy()
    here.run(up(store, source))
    assert not busy()


def test_a_relative_folder_is_below_the_users_home(
    tmp_path: Path, store: Store, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roost.transfer.remote import attach

    owner = attach.Owner(os.getuid(), os.getgid(), tmp_path)
    monkeypatch.setattr(attach, "_user", lambda: owner)
    grow(tmp_path / "results", {"a": b"1"})
    found = here.run(up(store, Path("results")))
    assert (found.source, found.copied) == (str(tmp_path / "results"), 1)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_what_comes_belongs_to_who_owns_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roost.transfer.remote import attach

    def owner(folder: Path, **more: Any) -> attach.Owner:
        job = Job(source="s3://b/", target=str(folder), where=Where("r"), **more)
        return attach._owner(job)

    monkeypatch.setattr(attach, "_user", lambda: attach.Owner(1000, 1000, tmp_path))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 1234, 1234)
    assert owner(theirs).uid == 1234
    assert owner(theirs / "new" / "one").uid == 1234
    assert (theirs / "new").stat().st_uid == (theirs / "new" / "one").stat().st_uid == 1234
    made = tmp_path / "at the top"
    assert owner(made).uid == made.stat().st_uid == 1000
    assert owner(theirs, tree=True).uid == 0


def test_the_unit_is_told_nothing_but_where_its_job_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roost.transfer.remote import attach

    lines: list[list[str]] = []

    def run(line: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        del more
        lines.append(line)
        busy = len(lines) == 1
        said = "Unit roost-sync-x.service was already loaded" if busy else ""
        return subprocess.CompletedProcess(line, 1 if busy else 0, "", said)

    monkeypatch.setattr(attach.subprocess, "run", run)
    monkeypatch.setattr(attach.time, "sleep", lambda seconds: None)
    spool = Spool(tmp_path / "0123")
    attach.begin_unit(spool, attach.Owner(1000, 1000, Path("/home/u")))
    assert len(lines) == 2
    line = lines[-1]
    assert line[0] == "systemd-run"
    assert "--unit=roost-sync-0123" in line
    assert {"--uid=1000", "--gid=1000"} <= set(line)
    words = [sys.executable, "-P", "-m", "roost.transfer", "work", str(spool.path)]
    assert line[line.index("--") + 1 :] == words
