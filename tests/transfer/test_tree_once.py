"""A folder that comes back once: shut until all is there, and left alone from then on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from roost.transfer.job import ANY, Job, Outcome
from roost.transfer.options import Options
from roost.transfer.runner import Tracker
from roost.transfer.runner import run as run_job
from tests.transfer.conftest import Store


@pytest.fixture
def saved(store: Store, tmp_path: Path) -> tuple[Job, Path]:
    """The job that brings a small folder back; and where to."""
    source = tmp_path / "source"
    (source / "raw").mkdir(parents=True)
    (source / "raw" / "a.fits").write_bytes(b"stars" * 999)
    (source / "b.txt").write_text("b")
    source.chmod(0o755)
    place = str(store.place)
    up = Job(source=str(source), target=place, where=store.where, options=Options(), tree=True)
    found = run(up).proof
    assert found is not None
    assert found.whole
    back = tmp_path / "back"
    down = replace(
        up,
        source=place,
        target=str(back),
        tree_at=found.tree,
        tree_sha256=found.tree_sha256,
        once=True,
    )
    return down, back


def run(job: Job) -> Outcome:
    return run_job(job, Tracker())


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_a_name_that_s3_changes_is_not_proven(store: Store, tmp_path: Path) -> None:
    """This server keeps a backslash as a slash: to delete that one would delete the only copy."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a\\b").write_text("mine")
    (source / "c").write_text("too")
    job = Job(
        source=str(source),
        target=str(store.place),
        where=store.where,
        options=Options(delete=True),
        agreed=ANY,
        tree=True,
    )
    for _ in range(2):
        found = run(job)
        assert found.proof is not None
        assert (found.proof.whole, found.proof.tree) == (False, "")
        assert found.failed == (("a\\b", "this S3 keeps it under another name"),)
        assert found.deleted == ()
    (source / "a\\b").unlink()
    assert run(job).proof is not None
    assert set(store.all()) - {one for one in store.all() if one.startswith(".roost/")} == {"c"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mark a folder")
def test_what_its_user_changed_since_is_not_changed_back(saved: tuple[Job, Path]) -> None:
    job, back = saved
    first = run(job)
    assert first.proof is not None
    assert (first.copied, first.proof.whole, mode(back)) == (2, True, 0o755)
    (back / "b.txt").write_text("better")
    (back / "raw" / "a.fits").unlink()
    again = run(job)
    assert again.proof is not None
    assert (again.copied, again.proof.whole, again.proof.files) == (0, True, 2)
    assert (back / "b.txt").read_text() == "better"
    assert not (back / "raw" / "a.fits").exists()


def test_a_part_stays_shut(saved: tuple[Job, Path], store: Store) -> None:
    job, back = saved
    store.bucket.delete([f"{store.base}raw/a.fits"])
    part = run(job)
    assert part.failed == (("raw/a.fits", "it is not in S3"),)
    assert part.proof is not None
    assert (part.proof.whole, mode(back)) == (False, 0o700)
    assert (back / "b.txt").read_text() == "b"
