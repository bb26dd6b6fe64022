"""A sync on a machine, as this computer sees it: what is brought, who pays, lost connections."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from roost.errors import CredentialsError, NotFoundError, RoostError, UnreachableError
from roost.model.resources import Instance
from roost.provision.machines import Lost
from roost.recipes import sync
from roost.recipes.base import Context
from roost.recipes.registry import steps_of
from roost.spec import load
from roost.transfer.job import Job, Outcome, Progress
from roost.transfer.remote import client, package
from roost.transfer.s3.config import Keys, Where
from tests.cli.calling import REPO
from tests.ssh.made_state import SHAPE, instance

KEYS = Keys("AKIAEXAMPLE", "topsecret", "token")
DONE = Outcome(done=True, copied=3)


class Machines:
    """As if they were reached; ``says`` are the answers of each connection, or what ends it."""

    def __init__(self, *says: list[Any], there: bool = True) -> None:
        self.says = list(says)
        self.there = there
        self.words: list[list[str]] = []
        self.given: list[bytes] = []
        self.ended = False

    def peek(self, one: Instance) -> None:
        del one

    def rest(self, seconds: float) -> bool:
        del seconds
        return self.ended

    def talk(self, one: Instance, words: list[str], given: bytes = b"") -> Iterator[bytes]:
        del one
        self.words.append(words)
        what = words[3]
        if what == "there":
            yield b"yes\n" if self.there else b"no\n"
        elif what == "bring":
            self.given.append(given)
        else:
            self.given.append(given)
            for said in self.says.pop(0) if words[-1] == "attend" else []:
                if isinstance(said, BaseException):
                    raise said
                yield json.dumps(said).encode() + b"\n"


def job(**more: Any) -> Job:
    where = Where("eu-central-1", keys=KEYS)
    return Job(source="s3://b/in/", target="/data", where=where, **more)


def run(machines: Machines, what: Job | None = None, profile: str = "") -> tuple[Outcome, str]:
    one = replace(instance("desktop", 1), shape=replace(SHAPE, machine_role=profile))
    notes: list[str] = []
    heard: list[Progress] = []
    found = client.run_there(machines, one, what or job(), heard.append, notes.append)  # type: ignore[arg-type]
    return found, "\n".join(notes)


def outcome(found: Outcome = DONE) -> dict[str, Any]:
    return {"outcome": asdict(found)}


# --- who pays ------------------------------------------------------------------------------------


def test_a_machine_with_a_role_gets_no_credentials() -> None:
    machines = Machines([outcome()])
    found, notes = run(machines, profile="arn:aws:iam::1:instance-profile/x")
    assert (found, notes) == (DONE, "")
    sent = json.loads(machines.given[0])
    assert sent["job"]["where"]["keys"] is None
    assert b"topsecret" not in machines.given[0]


@pytest.mark.parametrize("where", ["no role", "another S3"])
def test_without_a_role_it_is_lent_them_by_its_pipe_and_says_so(where: str) -> None:
    machines = Machines([outcome()])
    wish, profile = job(), ""
    if where == "another S3":
        profile = "roost"
        wish = replace(wish, where=replace(wish.where, endpoint="https://s3.example"))
    _, notes = run(machines, wish, profile)
    assert "lends it your credentials" in notes
    assert json.loads(machines.given[0])["job"]["where"]["keys"]["secret"] == "topsecret"
    assert not any("topsecret" in word for words in machines.words for word in words)
    assert "topsecret" not in notes


def test_with_neither_role_nor_credentials_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    machines = Machines()
    with pytest.raises(CredentialsError):
        run(machines, replace(job(), where=Where("eu-central-1")))
    assert machines.words == []


def test_the_authorities_of_an_institute_are_brought_as_text(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----")
    machines = Machines([outcome()])
    run(machines, replace(job(), where=replace(job().where, ca_bundle=str(file))))
    sent = json.loads(machines.given[0])["job"]["where"]["ca_bundle"]
    assert sent == "-----BEGIN CERTIFICATE-----"


# --- connections ---------------------------------------------------------------------------------


def test_a_lost_connection_is_made_again_for_the_same_job() -> None:
    working = {"progress": {"stage": "copying", "files": 1, "bytes": 1, "total_files": 3}}
    working["progress"] |= {"total_bytes": 3, "seconds": 1.5}
    machines = Machines([working, Lost("broken pipe")], [Lost("no route")], [outcome()])
    assert run(machines)[0] == DONE
    tokens = {json.loads(given)["token"] for given in machines.given}
    assert (len(machines.given), len(tokens)) == (3, 1)


def test_a_machine_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", -1)
    with pytest.raises(UnreachableError, match="no route"):
        run(Machines([Lost("no route")]))


def test_an_error_is_the_one_that_it_would_be_here() -> None:
    said = {"kind": "NotFoundError", "what": "/data is no folder", "next": "mkdir"}
    with pytest.raises(NotFoundError, match="desktop: /data is no folder") as raised:
        run(Machines([{"error": said}]))
    assert raised.value.next == "mkdir"
    for odd in ("SystemExit", "dataclass", "SpecError", "nothing"):
        with pytest.raises(RoostError):
            run(Machines([{"error": {**said, "kind": odd}}]))


def test_an_interrupt_ends_it_there_too() -> None:
    machines = Machines([KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        run(machines)
    assert machines.words[-1][-1] == "stop"
    assert machines.given[-1] == machines.given[0]


def test_an_interrupt_elsewhere_ends_it_too() -> None:
    machines = Machines([Lost("killed")])
    machines.ended = True
    with pytest.raises(KeyboardInterrupt):
        run(machines)
    assert machines.words[-1][-1] == "stop"


def test_one_that_is_at_work_already_is_told() -> None:
    _, notes = run(Machines([{"attached": True}, outcome()]))
    assert "the same sync runs on desktop already" in notes


def test_a_role_that_may_not_delete_is_told_before_anybody_says_yes() -> None:
    asks = Outcome(to_delete=("old",), deletions="x")
    up = replace(job(), source="/data", target="s3://b/out/")
    assert "s3:DeleteObject" in run(Machines([outcome(asks)]), up, "roost")[1]
    assert "s3:DeleteObject" not in run(Machines([outcome(asks)]), up)[1]


# --- what is brought -----------------------------------------------------------------------------


def test_it_is_brought_where_it_is_not_there() -> None:
    machines = Machines([outcome()], there=False)
    run(machines)
    assert [words[3] for words in machines.words] == ["there", "bring", "run"]
    with tarfile.open(fileobj=io.BytesIO(machines.given[0])) as tar:
        names = tar.getnames()
    wanted = {"lib/roost/transfer/remote/unit.py", "lib/roost/home.py", f"files{sync.INSTALL}"}
    assert wanted <= set(names)


def test_the_sources_need_nothing_but_the_standard_library(tmp_path: Path) -> None:
    unpack = ["tar", "-xf", "-", "-C", tmp_path]  # as a machine does
    subprocess.run(unpack, input=package.archive(), check=True)
    code = (
        "import importlib, sys\n"
        f"for name in {[p for p in package.sources() if p.startswith('roost/transfer/')]!r}:\n"
        "    importlib.import_module(name.removesuffix('.py').replace('/', '.'))\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "ours = {'roost', '__main__', '__mp_main__'}\n"
        "print(sorted(tops - set(sys.stdlib_module_names) - ours))\n"
        "import roost.transfer; print(roost.transfer.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[]", str(tmp_path / "lib/roost/transfer/__init__.py")]


def test_what_stays_here_is_what_the_import_contracts_name() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (protected,) = [one["protected_modules"] for one in contracts if one["type"] == "protected"]
    names = {name.removesuffix(".py").replace("/", ".") for name in package.LEFT_OUT}
    assert set(protected) == {f"roost.transfer.{name}" for name in names}


def test_the_same_sources_are_the_same_archive() -> None:
    first = package.archive()
    assert package.archive() == first
    assert package.place().startswith(f"{sync.AT}/")
    assert "roost/transfer/cost.py" not in package.sources()


def test_the_machines_client_is_the_one_that_roost_is_tested_with() -> None:
    lock = tomllib.loads((REPO / "uv.lock").read_text())
    (found,) = [one for one in lock["package"] if one["name"] == "awscrt"]
    assert found["version"] == sync.AWSCRT


@pytest.mark.parametrize("name", ["sync-install", "sync-busy"])
def test_its_programs_are_shell_that_can_be_read(name: str) -> None:
    from importlib.resources import files

    text = files("roost.machine").joinpath("programs", name).read_text()
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_the_client_is_installed_where_the_file_says_that_data_is_copied(tmp_path: Path) -> None:
    text = (REPO / "examples" / "scipion.toml").read_text()
    file = tmp_path / "x.toml"
    file.write_text(text)
    names = [step.name for step in steps_of(load(file), "desktop", Context())]
    assert names[-1] == "sync"
    without = text[: text.index("[data]")] + text[text.index("[access]") :]
    file.write_text(without)
    assert "sync" not in [step.name for step in steps_of(load(file), "desktop", Context())]
    assert sync.steps(load(file), "desktop") == ()


def test_workers_copy_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    text = (REPO / "examples" / "scipion.toml").read_text()
    file.write_text(text)
    assert sync.steps(load(file), "worker") == ()
