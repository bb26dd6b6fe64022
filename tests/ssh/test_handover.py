"""All machines at once: who waits for whom, what is sent, and what becomes of one that fails."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roost.errors import RoostError
from roost.model.resources import Instance, State
from roost.provision.archive import Packed, pack
from roost.provision.bundle import Part
from roost.provision.deliver import hand_over
from roost.provision.machines import Lost, News, Peeked
from roost.recipes.base import UploadSource
from roost.recipes.registry import Handover
from roost.recipes.step import Step, Upload
from tests.ssh.made_state import cluster, instance

NODES = ("head", "worker-1", "worker-2")


class Machines:
    """As if they were reached: what was sent to each, in order."""

    def __init__(self, **trouble: Any) -> None:
        self.state: State = cluster(*(instance(n, i) for i, n in enumerate(NODES, 1)))
        self.trouble = trouble
        self.sent: list[tuple[str, Part]] = []
        self.followed: dict[str, str] = {}
        self.heard: list[News] = []
        self.ended = False
        self.lock = threading.Lock()

    def watch(self, news: News) -> None:
        self.heard.append(news)

    def peek(self, one: Instance, not_boot: str = "") -> Peeked:
        del not_boot
        if error := self.trouble.get(f"peek_{one.role}"):
            raise error
        uploads = {"project": "a" * 64} if one.role == "head" else {}
        return Peeked("boot", frozenset(), uploads, self.trouble.get(f"right_{one.role}", ""))

    def send(self, one: Instance, part: Part, there: frozenset[str]) -> dict[str, str]:
        del there
        with self.lock:
            if self.trouble.get("lost", 0) and one.role == "worker":
                self.trouble["lost"] -= 1
                raise Lost("Connection reset by peer")
            self.sent.append((one.name, part))
        return dict.fromkeys(part.handover.shared, "made")

    def follow(self, one: Instance, digest: str) -> News:
        self.followed[one.name] = digest
        if one.name == self.trouble.get("fails"):
            return News(one.name, "3/4 desk: no wood", "failed", ("no wood",))
        return News(one.name, "ready", "ready")

    def end(self) -> None:
        self.ended = True


def parts(one: Instance, held: str, uploads: Mapping[str, str], shared: Mapping[str, str]) -> Part:
    role = one.role
    steps = (Step(name=f"{role}-{uploads.get('project', '')[:3]}", title=""),)
    names = ("key",) if role == "head" else ()
    secrets = dict(shared) if held else {**shared, "right": f"right of {one.id}"}
    handover = Handover(steps=steps, shared=names, right=held or f"new-{one.name}")
    return Part(handover, pytest.fail, secrets)


def over(machines: Machines) -> dict[str, str]:
    found = hand_over(machines, machines.state.instances, parts, {})  # type: ignore[arg-type]
    return {name: news.state for name, news in found.items()}


def test_workers_get_what_the_head_made_and_has() -> None:
    machines = Machines()
    assert set(over(machines).values()) == {"ready"}
    assert machines.sent[0][0] == "head"
    workers = [part for name, part in machines.sent if name != "head"]
    assert [part.secrets["key"] for part in workers] == ["made"] * 2
    assert {part.handover.steps[0].name for part in workers} == {"worker-aaa"}
    assert machines.followed["worker-1"] == workers[0].handover.digest


def test_each_machine_says_which_right_it_has_and_gets_its_own() -> None:
    machines = Machines(right_head="held")
    over(machines)
    sent = dict(machines.sent)
    assert json.loads(sent["head"].handover.document())["right"] == "held"
    assert "right" not in sent["head"].secrets
    assert json.loads(sent["worker-1"].handover.document())["right"] == "new-worker-1"
    rights = {name: part.secrets["right"] for name, part in sent.items() if name != "head"}
    assert rights == {n: f"right of {instance(n, i).id}" for i, n in enumerate(NODES[1:], 2)}


def test_one_that_fails_keeps_no_other_from_going_on() -> None:
    machines = Machines(fails="worker-1")
    assert over(machines) == {"head": "ready", "worker-1": "failed", "worker-2": "ready"}


def test_workers_of_a_head_that_cannot_be_reached_say_for_whom_they_wait() -> None:
    machines = Machines(peek_head=RoostError("head cannot be reached by SSH: no route"))
    assert set(over(machines).values()) == {"failed"}
    said = {news.node: news.text for news in machines.heard if news.state == "failed"}
    assert (
        said["worker-1"]
        == "not set up, because it needs head: head cannot be reached by SSH: no route"
    )


def test_a_connection_that_is_lost_while_sending_is_made_again() -> None:
    assert set(over(Machines(lost=2)).values()) == {"ready"}


def test_one_that_is_lost_again_and_again_is_told() -> None:
    machines = Machines(lost=6)
    assert over(machines) == {"head": "ready", "worker-1": "failed", "worker-2": "failed"}
    assert any("Connection reset by peer" in news.text for news in machines.heard)


# --- what is sent --------------------------------------------------------------------------------


def project(place: Path) -> Path:
    (place / "sub").mkdir(parents=True)
    (place / "pyproject.toml").write_text("[project]\n")
    (place / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (place / "sub" / "run.sh").chmod(0o750)
    for left_out in (".venv/big", ".git/HEAD", "sub/__pycache__/x.pyc"):
        (place / left_out).parent.mkdir(parents=True)
        (place / left_out).write_text("not this")
    return place


def names(file: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(file) as tar:
        return {one.name: one for one in tar}


def test_the_same_folder_gives_the_same_archive(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    first = pack(UploadSource(path=project(tmp_path / "a")), into)
    other = project(tmp_path / "b")
    os.utime(other / "pyproject.toml", (1, 1))
    assert pack(UploadSource(path=other), into).sha256 == first.sha256
    found = names(first.file)
    assert sorted(found) == ["pyproject.toml", "sub", "sub/run.sh"]
    assert found["sub/run.sh"].mode == 0o750
    (other / "sub" / "run.sh").write_text("#!/bin/bash\n")
    assert pack(UploadSource(path=other), into).sha256 != first.sha256


def test_secrets_stay_here_unless_they_are_named_and_modes_stay(tmp_path: Path) -> None:
    folder, into = project(tmp_path / "a"), tmp_path / "into"
    into.mkdir()
    whole = sorted(names(pack(UploadSource(path=folder), into).file))
    secrets = (".env", "sub/deploy.pem", "sub/.aws/credentials", "id_ed25519", "keys/site.lic")
    for name in (*secrets, "token.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("s3cr3t")
        (folder / name).chmod(0o600)
    packed = pack(UploadSource(path=folder), into)
    assert sorted(names(packed.file)) == sorted([*whole, "keys", "token.txt"])
    assert packed.left_out == (
        ".env",
        "id_ed25519",
        "keys/site.lic",
        "sub/.aws",
        "sub/deploy.pem",
    )
    named = pack(UploadSource(path=folder, secrets=(".env", "sub/.aws/")), into)
    assert named.left_out == ("id_ed25519", "keys/site.lic", "sub/deploy.pem")
    found = names(named.file)
    assert {"sub/.aws/credentials", ".env"} <= set(found)
    assert {found[one].mode for one in (".env", "token.txt")} == {0o600}


def test_only_a_part_of_a_folder_below_a_name(tmp_path: Path) -> None:
    source = UploadSource(path=project(tmp_path / "a"), only=("sub",), below="roost")
    (tmp_path / "into").mkdir()
    found = names(pack(source, tmp_path / "into").file)
    assert sorted(found) == ["roost/sub", "roost/sub/run.sh"]


def test_a_heap_of_data_is_no_project(tmp_path: Path) -> None:
    folder = project(tmp_path / "a")
    with (folder / "data.bin").open("wb") as file:
        file.truncate(3 * 2**30)
    (tmp_path / "into").mkdir()
    with pytest.raises(RoostError, match="larger than 2 GiB"):
        pack(UploadSource(path=folder), tmp_path / "into")


def test_what_is_there_is_not_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "installer"
    file.write_bytes(b"x" * 10)
    packed = pack(UploadSource(path=file), tmp_path)
    upload = Upload(key="installer", sha256=packed.sha256, to="/opt/installer")
    part = Part(
        Handover(
            steps=(Step(name="x", title="", uploads=(upload,)),),
            secret_generators={"m": "#!/bin/sh\n"},
        ),
        {packed.sha256: packed}.__getitem__,
        {"licence": b"hush\r\n\xff", "made": "hush"},
    )

    def sent(there: frozenset[str]) -> dict[str, bytes]:
        to = io.BytesIO()
        part.write(to, there, lambda _: None)
        to.seek(0)
        with tarfile.open(fileobj=to) as tar:
            return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]

    whole = sent(frozenset())
    assert whole[f"uploads/{packed.sha256}"] == b"x" * 10
    assert whole["secrets/licence"] == b"hush\r\n\xff"
    assert whole["secrets/made"] == b"hush"
    assert whole["handover.json"].decode() == part.handover.document()
    assert "hush" not in whole["handover.json"].decode()
    assert f"uploads/{packed.sha256}" not in sent(frozenset((packed.sha256,)))


def test_how_much_of_a_large_upload_is_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "PI.tar.xz"
    with file.open("wb") as opened:
        opened.truncate(20 * 2**20)
    upload = Upload(key="pi", sha256="0" * 64, to="/opt/pi")
    handover = Handover(steps=(Step(name="x", title="", uploads=(upload,)),))
    told: list[str] = []
    part = Part(handover, lambda key: Packed(file, key))
    part.write(io.BytesIO(), frozenset(), told.append)
    assert told == ["bringing PI.tar.xz: 8 of 20 MiB", "bringing PI.tar.xz: 16 of 20 MiB"]
