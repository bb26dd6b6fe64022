"""What the machines of a Dask cluster do by themselves: their place in it, the user's folder."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from roost.home import Folder
from roost.machine import cluster, notebooks, project, ready_check, steps
from roost.machine.common import Failed, Machine, write
from tests.recipes.conftest import tell_facts
from tests.recipes.slurm_cluster import PROGRAMS
from tests.serving import serving

ME = pwd.getpwuid(os.getuid())


# --- secrets -------------------------------------------------------------------------------------


def make_secrets(folder: Path) -> dict[str, str]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {**os.environ, "ROOST_SECRETS": str(folder)}
    subprocess.run([PROGRAMS / "dask-secrets"], env=env, check=True, timeout=20)
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.fixture(autouse=True)
def openssl() -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")


def test_secrets_are_made_once(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    assert set(made) == {"dask-ca.pem", "dask-cert.pem", "dask-key.pem", "jupyter-token"}
    assert len(made["jupyter-token"].strip()) == 64
    assert make_secrets(tmp_path) == made
    other = make_secrets(tmp_path / "other")
    assert not set(made.values()) & set(other.values())


def test_what_was_broken_off_is_made_again(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    (tmp_path / "dask-ca.pem").unlink()
    again = make_secrets(tmp_path)
    assert again["jupyter-token"] == made["jupyter-token"]
    assert again["dask-ca.pem"] == again["dask-cert.pem"] != made["dask-cert.pem"]


def context(folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    """As Dask makes its own."""
    made = ssl.create_default_context(purpose, cafile=str(folder / "dask-ca.pem"))
    made.load_cert_chain(str(folder / "dask-cert.pem"), str(folder / "dask-key.pem"))
    made.check_hostname, made.verify_mode = False, ssl.CERT_REQUIRED
    return made


def greet(server: Path, client: Path) -> bytes:
    """What a client with its own secrets hears from a server with its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        inside = context(server, ssl.Purpose.CLIENT_AUTH)

        def serve() -> None:
            plain, _ = listening.accept()
            with plain, inside.wrap_socket(plain, server_side=True) as secure:
                secure.sendall(b"hello")

        thread = threading.Thread(target=lambda: _quietly(serve))
        thread.start()
        outside = context(client, ssl.Purpose.SERVER_AUTH)
        with (
            socket.create_connection(listening.getsockname()[:2], 10) as plain,
            outside.wrap_socket(plain) as secure,
        ):
            heard = secure.recv(5)
        thread.join(10)
    return heard


def _quietly(serve: Callable[[], None]) -> None:
    with suppress(OSError):
        serve()


def test_who_has_the_secrets_is_in_and_nobody_else(tmp_path: Path) -> None:
    make_secrets(tmp_path / "one")
    make_secrets(tmp_path / "two")
    assert greet(tmp_path / "one", tmp_path / "one") == b"hello"
    with pytest.raises(OSError, match=r"certificate|CERTIFICATE|reset"):
        greet(tmp_path / "one", tmp_path / "two")


# --- where this machine is -----------------------------------------------------------------------


@pytest.fixture
def node(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Folder]:
    """Makes this machine a node, and gives its cluster's folder."""
    me = pwd.struct_passwd(("me", "x", ME.pw_uid, ME.pw_gid, "", "/home/me", "/bin/sh"))
    for module in (cluster, steps):
        monkeypatch.setattr(module, "user", lambda: me)
    make_secrets(machine.at(cluster.SECRETS))

    def furnish(name: str, head: str | None, work: str = "~/my project") -> Folder:
        tell_facts(machine, name="ndvi", role=name.partition("-")[0], nodes=name, head=head)
        write(machine.at("/var/lib/roost/node.json"), {"node": name, "index": 0})
        cluster.furnish(machine, work)
        return Folder(cluster.folder(machine, "ndvi"))

    return furnish


def variables(machine: Machine) -> dict[str, str]:
    """As a shell reads them."""
    script = f". {machine.at(cluster.VARIABLES)}; env -0"
    said = subprocess.run(
        ["env", "-i", "sh", "-ac", script], capture_output=True, text=True, check=True
    )
    pairs = dict(one.split("=", 1) for one in said.stdout.split("\0") if one)
    return {key: value for key, value in pairs.items() if key not in ("PWD", "_", "OLDPWD")}


def test_a_head(machine: Machine, node: Callable[..., Folder]) -> None:
    place = node("head", None)
    address = cluster.own_address(cluster.ANYWHERE)
    secrets = machine.at(cluster.SECRETS)
    assert place.token.read_text() == (secrets / "jupyter-token").read_text()
    for name in ("ca", "cert", "key"):
        copy = place.tls / f"{name}.pem"
        assert copy.read_text() == (secrets / f"dask-{name}.pem").read_text()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o700
    assert place.project.read_text() == str(machine.at("/home/me/my project"))
    assert json.loads(place.control.read_text()) == {"name": "ndvi", "home": cluster.HOME}
    assert os.readlink(place.path / "python" / "roost") == str(machine.at(cluster.PACKAGE))
    assert not place.scheduler.exists()
    assert not place.machines.exists()
    assert variables(machine) == {
        "ROOST_NODE": "head",
        "ROOST_ADDRESS": address,
        "ROOST_PROJECT": str(machine.at("/home/me/my project")),
        "ROOST_SCRATCH": str(place.machine("head") / "scratch"),
        "ROOST_JOINED": str(place.machine("head") / "joined"),
        "PYTHONPATH": f"{place.path / 'python'}:{place.path / 'python' / cluster.STARTUP}:"
        f"{machine.at('/home/me/my project')}",
        "DASK_SCHEDULER_ADDRESS": f"tls://{address}:8786",
    }


def test_a_worker(machine: Machine, node: Callable[..., Folder]) -> None:
    place = node("worker-3", "127.0.0.9", "/shared/ndvi")
    assert json.loads(place.scheduler.read_text()) == {"address": "tls://127.0.0.9:8786"}
    assert not place.token.exists()
    assert place.machine("worker-3").is_dir()
    found = variables(machine)
    assert found["ROOST_ADDRESS"] == "127.0.0.1"  # from where it reaches its head
    assert found["ROOST_PROJECT"] == str(machine.at("/shared/ndvi"))
    assert found["DASK_SCHEDULER_ADDRESS"] == "tls://127.0.0.9:8786"


def test_a_worker_without_files_gets_a_folder_that_is_not_its_users(
    machine: Machine, node: Callable[..., Folder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path fails there, where it would be on this machine alone."""
    given: list[Path] = []
    monkeypatch.setattr(cluster.os, "chown", lambda path, *_: given.append(Path(path)))
    work = machine.at("/home/me/my project")
    node("worker-1", "127.0.0.9")
    assert work.is_dir()
    assert stat.S_IMODE(work.stat().st_mode) == 0o755
    assert given
    assert work not in given
    # Files that are brought later take its place.
    source = machine.at("/opt/brought")
    source.mkdir(parents=True)
    assert project.link(source, work)
    node("worker-1", "127.0.0.9")
    assert work.samefile(source)


def test_nothing_is_made_in_a_shared_folder(machine: Machine, node: Callable[..., Folder]) -> None:
    """It may not be mounted yet."""
    node("worker-1", "127.0.0.9", "/shared/ndvi")
    assert not machine.at("/shared").exists()


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (path.read_text(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_again_is_the_same_and_another_head_is_followed(
    machine: Machine, node: Callable[..., Folder]
) -> None:
    place = node("worker-1", "127.0.0.9")
    before = snapshot(machine.root)
    node("worker-1", "127.0.0.9")
    assert snapshot(machine.root) == before
    node("worker-1", "127.0.0.8")
    assert json.loads(place.scheduler.read_text()) == {"address": "tls://127.0.0.8:8786"}


# --- the user's folder ---------------------------------------------------------------------------


@pytest.fixture
def brought(tmp_path: Path) -> tuple[Path, Path]:
    """What was brought, and the user's folder."""
    source = tmp_path / "brought"
    (source / "data").mkdir(parents=True)
    (source / "note.ipynb").write_text("one")
    (source / "data" / "a.tif").write_text("pixels")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "latest").symlink_to("data/a.tif")
    return source, tmp_path / "mine"


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != project.NOTES
    }


def test_all_of_it_comes_the_first_time(brought: tuple[Path, Path]) -> None:
    source, mine = brought
    assert project.bring(source, mine) == []
    assert files(mine) == files(source)
    assert os.readlink(mine / "latest") == "data/a.tif"
    assert os.access(mine / "run.sh", os.X_OK)
    before = (mine / "note.ipynb").stat()
    assert project.bring(source, mine) == []
    assert (mine / "note.ipynb").stat() == before


def test_what_is_as_it_was_brought_is_renewed(brought: tuple[Path, Path]) -> None:
    source, mine = brought
    project.bring(source, mine)
    (source / "note.ipynb").write_text("two")
    (source / "new.py").write_text("new")
    assert project.bring(source, mine) == []
    assert files(mine) == files(source)


def test_what_was_changed_or_deleted_here_stays_so(brought: tuple[Path, Path]) -> None:
    source, mine = brought
    project.bring(source, mine)
    (mine / "note.ipynb").write_text("mine")
    (mine / "run.sh").unlink()
    (mine / "own.txt").write_text("own")
    assert project.bring(source, mine) == []
    (source / "note.ipynb").write_text("two")
    (source / "run.sh").write_text("other")
    assert project.bring(source, mine) == ["note.ipynb"]
    assert project.bring(source, mine) == []  # it was said
    assert files(mine) == {
        **{"note.ipynb": "mine", "own.txt": "own"},
        **{"data/a.tif": "pixels", "latest": "pixels"},
    }


def test_a_folder_without_notes_keeps_all_that_it_has(brought: tuple[Path, Path]) -> None:
    source, mine = brought
    mine.mkdir()
    (mine / "note.ipynb").write_text("mine")
    (mine / "data").write_text("a file, not a folder")
    assert project.bring(source, mine) == ["data/a.tif", "note.ipynb"]
    assert (mine / "note.ipynb").read_text() == "mine"
    assert (mine / "run.sh").exists()


def test_nothing_to_bring_is_an_empty_folder(tmp_path: Path) -> None:
    assert project.bring(tmp_path / "none", tmp_path / "mine") == []
    assert files(tmp_path / "mine") == {}


def test_a_link_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    name = tmp_path / "home" / "ndvi"
    assert project.link(tmp_path / "one", name)
    assert project.link(tmp_path / "two", name)
    assert os.readlink(name) == str(tmp_path / "two")
    name.unlink()
    name.mkdir()
    assert project.link(tmp_path / "two", name)  # an empty folder is in nobody's way
    name.unlink()
    name.mkdir()
    (name / "mine.txt").write_text("mine")
    assert not project.link(tmp_path / "two", name)
    assert (name / "mine.txt").exists()


# --- ready ---------------------------------------------------------------------------------------


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each service was started again; the journal has one line."""
    restarts: dict[str, int] = {}

    def run(argv: list[str], seconds: float = 60) -> tuple[int, str]:
        del seconds
        if argv[0] == "journalctl":
            return 0, f"why {argv[-1]} fails\n"
        service = argv[-1].removeprefix("roost-").removesuffix(".service")
        restarts[service] = restarts.get(service, 0) + restarts.get("looping", 0)
        return 0, f"{restarts[service]}\n"

    monkeypatch.setattr(ready_check, "run", run)
    monkeypatch.setattr(ready_check, "PAUSE", 0.01)
    return restarts


def test_a_head_is_ready_when_both_listen(
    machine: Machine, node: Callable[..., Folder], systemd: dict[str, int]
) -> None:
    place = node("head", None)
    with pytest.raises(Failed, match=r"^scheduler does not start:\nwhy roost-scheduler.service"):
        ready_check.wait(machine, ["scheduler", "jupyter"], 0.1)
    place.scheduler.write_text("{}")
    assert ready_check.wait(machine, ["scheduler"], 0.1) == ""
    with pytest.raises(Failed, match="jupyter does not start"):
        ready_check.wait(machine, ["scheduler", "jupyter"], 0.1)
    place.jupyter.write_text("{}")
    assert ready_check.wait(machine, ["scheduler", "jupyter"], 0.1) == ""


def test_a_service_that_ends_again_and_again_is_not_waited_for(
    machine: Machine, node: Callable[..., Folder], systemd: dict[str, int]
) -> None:
    node("head", None)
    systemd["looping"] = 1
    began = time.monotonic()
    with pytest.raises(Failed, match="does not start"):
        ready_check.wait(machine, ["scheduler"], 60)
    assert time.monotonic() - began < 10


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Somebody who listens where the scheduler would, on an address of its own."""
    with socket.create_server(("127.0.0.9", 0)) as listening:
        monkeypatch.setattr(ready_check, "PORT", listening.getsockname()[1])
        yield listening


def test_a_worker_is_ready_when_it_has_joined(
    machine: Machine,
    node: Callable[..., Folder],
    systemd: dict[str, int],
    scheduler: socket.socket,
) -> None:
    place = node("worker-1", "127.0.0.9")
    with pytest.raises(Failed, match="the worker does not reach its scheduler:\nwhy"):
        ready_check.wait(machine, ["worker"], 0.1)
    (place.machine("worker-1") / "joined").touch()
    assert ready_check.wait(machine, ["worker"], 0.1) == ""


def test_a_worker_without_a_head_is_done_and_goes_on_trying(
    machine: Machine,
    node: Callable[..., Folder],
    systemd: dict[str, int],
    scheduler: socket.socket,
) -> None:
    node("worker-1", "127.0.0.9")
    scheduler.close()
    assert "the head is not up yet" in ready_check.wait(machine, ["worker"], 0.1)


# --- notebooks -----------------------------------------------------------------------------------


class Jupyter(BaseHTTPRequestHandler):
    """Answers as JupyterLab does, with the kernels of its server."""

    states: tuple[str, ...] = ()

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "token s3cret"
        self.send_response(200 if allowed and self.path == "/api/kernels" else 403)
        self.end_headers()
        if allowed:
            found = [{"execution_state": state} for state in type(self).states]
            self.wfile.write(json.dumps(found).encode())

    def log_message(self, *words: object) -> None:
        pass


def test_kernels_at_work_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert notebooks.running(tmp_path) == 0  # no JupyterLab
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Jupyter)) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        (tmp_path / "jupyter.json").write_text(json.dumps({"url": url}))
        (tmp_path / "token").write_text("s3cret\n")
        for states, busy in {(): 0, ("idle",): 0, ("busy", "idle", "busy"): 2}.items():
            monkeypatch.setattr(Jupyter, "states", states)
            assert notebooks.running(tmp_path) == busy
        (tmp_path / "token").write_text("other\n")
        assert notebooks.running(tmp_path) == 0
    (tmp_path / "token").write_text("s3cret\n")
    assert notebooks.running(tmp_path) == 0  # it has ended


def test_dask_at_work(tmp_path: Path) -> None:
    place = tmp_path / "local" / "ndvi"
    place.mkdir(parents=True)
    text = (PROGRAMS / "dask-busy").read_text()
    constants = tmp_path / "node.env"
    constants.write_text(f"ROOST_HOME='{tmp_path}'\nROOST_NAME=ndvi\n")
    program = tmp_path / "busy"
    program.write_text(text.replace("/etc/roost/node.env", str(constants)))

    def busy() -> tuple[int, str]:
        done = subprocess.run(
            ["sh", program], capture_output=True, text=True, timeout=20, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert busy() == (1, "")
    (place / "working").touch()
    assert busy() == (0, "Dask has tasks\n")
    long_ago = time.time() - 150
    os.utime(place / "working", (long_ago, long_ago))
    assert busy() == (1, "")
