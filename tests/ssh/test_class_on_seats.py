"""What is done on all seats of a class at once, by a real sshd: run, cp, message, collect."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from roost.app import collect as collecting
from roost.errors import RoostError
from roost.model.resources import State
from tests.cli.calling import Roost, caller
from tests.ssh.conftest import Server
from tests.ssh.made_state import instance
from tests.ssh.test_access_commands import HERE, Cloud

RECORD = """\
{"name": "room", "kind": "classroom", "cloud": "aws", "aws": {"region": "eu-central-1"}, "seats": 3,
 "machine": {"cpus": 2}, "volumes": [{"name": "data", "size": "10GB"}],
 "access": {"ssh": ["anywhere"]}}
"""


@pytest.fixture
def cloud(here: object, server: Server, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Two seats that run, each of which is this computer, and one that is off."""
    del here
    seats = (
        instance("seat-1", 1, **HERE),
        instance("seat-2", 2, **HERE),
        instance("seat-3", 3, state="stopped", address=None),
    )
    cloud = Cloud(State(name="room", record=RECORD, instances=seats), server.host_key)
    monkeypatch.setattr("roost.app.resolve.locate", lambda *_: cloud)
    return cloud


@pytest.fixture
def roost(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Roost:
    del cloud
    return caller(monkeypatch, capfd)


def all_run(cloud: Cloud) -> None:
    cloud.state = State(name="room", record=RECORD, instances=cloud.state.instances[:2])


def test_a_command_on_all_seats_or_on_one(roost: Roost, cloud: Cloud) -> None:
    told = roost("run", "room", "--", "echo a; exit 0")
    assert told.code == 3
    assert sorted(told.out.splitlines()) == ["seat-1: a", "seat-2: a"]
    assert "seat-3 of room cannot be reached: it is stopped" in told.err
    assert "next: roost run room/seat-3 -- 'echo a; exit 0'" in told.err
    all_run(cloud)
    assert roost("run", "room", "--", "true").code == 0
    told = roost("run", "room", "--", "sh", "-c", "echo b >&2; exit 4")
    assert told.code == 1
    assert sorted(told.out.splitlines()) == ["seat-1: b", "seat-2: b"]
    assert "seat-1: ended with 4; seat-2: ended with 4" in told.err
    assert roost("run", "room/seat-2", "--", "exit 9").code == 9
    assert roost("run", "room").code == 2


def test_a_file_to_all_seats_and_never_back_to_one_place(
    roost: Roost, cloud: Cloud, tmp_path: Path
) -> None:
    all_run(cloud)
    (tmp_path / "slides.pdf").write_text("slides")
    (tmp_path / "there").mkdir()
    told = roost("cp", tmp_path / "slides.pdf", f"room/seats:{tmp_path}/there/")
    assert told.code == 0, told.err
    assert (tmp_path / "there" / "slides.pdf").read_text() == "slides"
    assert {"seat-1: copied", "seat-2: copied"} <= set(told.err.splitlines())
    told = roost("cp", f"room/seats:{tmp_path}/there/slides.pdf", tmp_path / "back")
    assert (told.code, "roost collect room FOLDER" in told.err) == (2, True)
    told = roost("cp", tmp_path / "slides.pdf", f"room/seats:{tmp_path}/nowhere/x/")
    assert (told.code, "seat-1: " in told.err) == (1, True)


def test_a_message_is_text_and_nothing_else(
    roost: Roost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives is one word, whatever is in it; a notice takes markup, so that is escaped."""
    from roost.app import message

    shown = tmp_path / "shown"
    monkeypatch.setattr(message, "BUS", f"SHOWN={shown}")
    program = tmp_path / "notify"
    program.write_text('#!/bin/sh\nfor last; do :; done\nprintf "%s\\n" "$last" >> "$SHOWN"\n')
    program.chmod(0o755)
    monkeypatch.setattr(message, "NOTIFY", (str(program),))
    told = roost("message", "room", "Back at <2> & $(id) 'pm'", "--seat", "1", "--seat", "seat-2")
    assert told.code == 0, told.err
    assert "shown on 2 screens" in told.err
    assert shown.read_text().splitlines() == ["Back at &lt;2&gt; &amp; $(id) 'pm'"] * 2
    told = roost("message", "room", "Hello")
    assert told.code == 3
    assert "next: roost message room Hello --seat 3" in told.err
    for text in ("", " ", "x" * 501, "a\x1b[2Jb"):
        assert roost("message", "room", text).code == 2
    assert roost("message", "room", "x", "--seat", "4").code == 2


class TestCollect:
    @pytest.fixture
    def work(self, tmp_path: Path) -> Path:
        """A seat's folder: a file, a program, and what nobody else should take."""
        work = tmp_path / "work"
        (work / "a" / "b").mkdir(parents=True)
        (work / "a" / "map.mrc").write_bytes(b"\1" * 5000)
        (work / "run.sh").write_text("#!/bin/sh\n")
        (work / "run.sh").chmod(0o755)
        (work / "passwd").symlink_to("/etc/passwd")
        os.mkfifo(work / "pipe")
        (work / "lost+found").mkdir(mode=0)  # a volume's: only root reads it
        return work

    def test_each_seat_has_a_folder_and_what_was_there_stays(
        self, roost: Roost, tmp_path: Path, work: Path
    ) -> None:
        results = tmp_path / "results"
        told = roost("collect", "room", results, "--from", work, "--json")
        assert told.code == 3
        assert "next: roost collect room" in told.err
        assert "--seat 3" in told.err
        assert told.json["seats"]["seat-1"] == {
            "files": 2,
            "size": 5010,
            "left_out": 2,
            "changing": False,
        }
        for seat in ("seat-1", "seat-2"):
            assert (results / seat / "a" / "map.mrc").read_bytes() == b"\1" * 5000
            assert os.access(results / seat / "run.sh", os.X_OK)
            assert not (results / seat / "passwd").is_symlink()
        assert sorted(p.name for p in results.iterdir()) == ["seat-1", "seat-2"]
        (work / "a" / "map.mrc").write_bytes(b"\2")
        (work / "run.sh").unlink()
        assert roost("collect", "room", results, "--from", work, "--seat", "1").code == 0
        assert (results / "seat-1" / "a" / "map.mrc").read_bytes() == b"\2"
        assert (results / "seat-1" / "run.sh").exists()  # gone there is not gone here
        assert (results / "seat-2" / "a" / "map.mrc").read_bytes() == b"\1" * 5000

    def test_what_does_not_come_whole_changes_nothing(
        self, roost: Roost, tmp_path: Path, work: Path
    ) -> None:
        results = tmp_path / "results"
        for words, text in (
            (("--from", tmp_path / "nowhere"), "nowhere"),
            (("--from", work, "--max-size", "1MB"), ""),
        ):
            told = roost("collect", "room", results, "--seat", "1", *words)
            assert text in told.err
            assert told.code == (1 if text else 0)
            if text:
                assert list(results.iterdir()) == []
        (work / "large").write_bytes(b"0" * 2_000_000)
        told = roost("collect", "room", results, "--seat", "1", "--from", work, "--max-size", "1MB")
        assert (told.code, "too many files" in told.err) == (1, True)
        assert sorted(p.name for p in results.iterdir()) == ["seat-1"]
        assert not (results / "seat-1" / "large").exists()

    def test_the_folder_is_the_files_own(
        self, roost: Roost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[str] = []

        def bring(way: object, folder: str, *_: object) -> collecting.Collected:
            del way
            seen.append(folder)
            return collecting.Collected(files=0, size=0)

        monkeypatch.setattr(collecting, "_bring", bring)
        roost("collect", "room", tmp_path / "x", "--seat", "1")
        assert seen == ["/data"]

    @pytest.mark.parametrize(
        "name", ["../evil", "/etc/evil", "a/../../evil", "..", "a\n../b", "x" * 300]
    )
    def test_a_hostile_archive_stays_below_its_folder(self, name: str, tmp_path: Path) -> None:
        beside = tmp_path / "beside"
        beside.mkdir()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
            tar.addfile(link)
            through = tarfile.TarInfo("link/through")
            through.size = 4
            tar.addfile(through, io.BytesIO(b"evil"))
        packed.seek(0)
        with suppress(OSError):  # the name may be too long
            collecting._unpack(packed, beside, 1 << 20, "seat-1")
        outside = {p for p in tmp_path.rglob("*") if not p.is_relative_to(beside)}
        assert outside == set()
        assert not any(p.is_symlink() for p in beside.rglob("*"))

    def test_an_archive_that_is_cut_off_is_no_result(self, tmp_path: Path) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("a")
            member.size = 100_000
            tar.addfile(member, io.BytesIO(b"a" * 100_000))
        for cut in (700, 50_000):
            short = io.BytesIO(packed.getvalue()[:cut])
            with pytest.raises(RoostError, match="in the middle"):
                collecting._unpack(short, tmp_path, 1 << 20, "seat-1")
