"""The whole life of a cluster on the user's own machine."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import psutil
import pytest

from tests.life.lab import Lab, until

pytestmark = pytest.mark.cluster

SUM = "from dask.distributed import Client; c = Client(); print(c.submit(sum, [1, 2, 3]).result())"


def test_from_up_to_down(lab: Lab, tmp_path: Path) -> None:
    up = lab.roost("up")
    # Without JupyterLab the page is Dask's own.
    with build_opener(HTTPCookieProcessor()).open(up.stdout.strip(), timeout=10) as page:
        assert "Dask" in page.read().decode()
    assert "life is up: 1 head, 2 workers" in up.stderr
    assert lab.states() == {"head": "running", "worker-1": "running", "worker-2": "running"}
    assert lab.python(SUM) == "6"

    # From any folder, by name, and nothing to do the second time.
    again = lab.roost("up", "life")
    assert "create" not in again.stderr
    listed = json.loads(lab.roost("ls", "--json").stdout)
    assert [(row["name"], row["states"]) for row in listed] == [("life", {"running": 3})]

    assert lab.roost("ssh", "life", "worker-1", "--", "sh", "-c", "exit 7", code=7)
    where = lab.roost("run", "life", "--", "python", "-c", "import os; print(os.getcwd())").stdout
    assert Path(where.strip()).samefile(Path(__file__).parent / "environment")
    assert "scheduler" in lab.roost("logs", "life", "head").stdout

    lab.roost("stop", "life")
    assert set(lab.states().values()) == {"stopped"}
    assert until(lambda: not lab.processes())
    lab.roost("start", "life")
    assert lab.python(SUM) == "6"

    down = lab.roost("down", "life", code=4)
    assert "needs a yes" in down.stderr
    lab.roost("down", "life", "--yes")
    lab.none_left()
    assert "no such name" in lab.roost("show", "life", code=2).stderr


@pytest.mark.slow
def test_scaling_follows_and_retires(lab: Lab) -> None:
    lab.roost("up")
    lab.roost("scale", "life", "3")
    assert set(lab.states()) == {"head", "worker-1", "worker-2", "worker-3"}
    lab.roost("scale", "life", "1", "--drop", "worker-1")
    assert set(lab.states()) == {"head", "worker-2"}
    threads = "from dask.distributed import Client; print(len(Client().nthreads()))"
    assert lab.python(threads) == "1"
    assert len(lab.supervisors()) == 2


@pytest.mark.slow
def test_data_survives_scaling_down(lab: Lab) -> None:
    """A worker that goes hands over what it holds: nothing is computed twice."""
    lab.roost("up")
    keep = (
        "import subprocess, sys, os\n"
        "from dask.distributed import Client, wait\n"
        "c = Client()\n"
        "made = c.map(lambda i: (i, __import__('time').time_ns()), range(20))\n"
        "wait(made)\n"
        "before = c.gather(made)\n"
        "from roost.dask import RoostCluster\n"
        "cluster = RoostCluster()\n"
        "cluster.scale(1)\n"
        "assert len(c.nthreads()) == 1, c.nthreads()\n"
        "print(c.gather(made) == before)\n"
    )
    assert lab.python(keep) == "True"


@pytest.mark.slow
def test_a_killed_worker_comes_back(lab: Lab) -> None:
    lab.roost("up")
    (worker, *_) = [
        p for p in lab.services("roost.notebook.dask.worker") if "worker-1" in p.cmdline()
    ]
    worker.kill()
    assert until(lambda: lab.states()["worker-1"] != "running" or _replaced(lab, worker))
    assert until(lambda: lab.states()["worker-1"] == "running")
    assert lab.python(SUM) == "6"


def _replaced(lab: Lab, old: psutil.Process) -> bool:
    now = [p for p in lab.services("roost.notebook.dask.worker") if "worker-1" in p.cmdline()]
    return bool(now) and old.pid not in {p.pid for p in now}


@pytest.mark.slow
def test_a_killed_machine_is_reported_and_refilled(lab: Lab) -> None:
    lab.roost("up")
    dead = [p for p in lab.supervisors() if "worker-2" in " ".join(p.cmdline())]
    assert len(dead) == 1
    dead[0].kill()
    assert until(lambda: lab.states()["worker-2"] == "failed")
    assert "it died" in lab.roost("show", "life").stdout
    lab.roost("up")
    assert set(lab.states().values()) == {"running"}
    assert len(lab.supervisors()) == 3


@pytest.mark.slow
def test_two_ups_at_once_make_one_cluster(lab: Lab) -> None:
    first, second = lab.begin("up"), lab.begin("up")
    said = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    waited = [text for text in said if "another roost is at work on life" in text]
    assert len(waited) == 1
    assert "roost up" in waited[0]
    assert len(lab.supervisors()) == 3
    assert len(lab.services("roost.notebook.dask.scheduler")) == 1


def test_ctrl_c_says_what_is_left(lab: Lab) -> None:
    process = lab.begin("up")
    assert until(lambda: len(lab.supervisors()) == 3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "left as it is: head" in said
    assert "roost down life" in said
    lab.roost("down", "life", "--yes")
    lab.none_left()


MOMENTS = (0.15, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.9, 1.2, 1.8, 2.5)
"""Seconds after which the command is killed: before, in and after each of its steps."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_up_goes_on(lab: Lab, moment: float) -> None:
    _kill_after(lab, moment, "up")
    lab.roost("up")
    assert set(lab.states().values()) == {"running"}
    assert len(lab.supervisors()) == 3
    assert len(lab.services("roost.notebook.dask.scheduler")) == 1
    assert len(lab.services("roost.notebook.dask.worker")) == 2
    assert lab.python(SUM) == "6"
    lab.roost("down", "life", "--yes")
    lab.none_left()


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS[::2])
def test_a_killed_up_can_be_taken_down(lab: Lab, moment: float) -> None:
    _kill_after(lab, moment, "up")
    _down(lab)
    lab.none_left()


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS[:10])
def test_a_killed_down_goes_on(lab: Lab, moment: float) -> None:
    lab.roost("up")
    _kill_after(lab, moment, "down", "life", "--yes")
    _down(lab)
    lab.none_left()


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS[1:9])
def test_a_killed_scale_goes_on(lab: Lab, moment: float) -> None:
    lab.roost("up")
    _kill_after(lab, moment, "scale", "life", "1")
    lab.roost("up")
    assert set(lab.states().values()) == {"running"}
    assert len(lab.services("roost.notebook.dask.worker")) == len(lab.supervisors()) - 1 == 2


def _down(lab: Lab) -> None:
    """``down``, which says so where nothing was made yet, or nothing is left."""
    nothing = lab.roost("ls", "--json").stdout.strip() == "[]"
    lab.roost("down", "life", "--yes", code=2 if nothing else 0)


def _kill_after(lab: Lab, moment: float, *words: str) -> None:
    import time

    process = lab.begin(*words)
    time.sleep(moment)
    process.kill()
    process.communicate(timeout=30)


@pytest.mark.slow
def test_a_name_from_another_folder_is_not_taken_over(lab: Lab, tmp_path: Path) -> None:
    lab.roost("up")
    other = Lab(lab.home, tmp_path / "other", "life")
    other.folder.mkdir()
    other.write(workers=5)
    said = other.roost("up", code=4).stderr
    assert f"made from a file in {lab.folder}" in said
    assert set(lab.states()) == {"head", "worker-1", "worker-2"}


@pytest.mark.slow
def test_jupyter_that_cannot_start_is_named_and_mended(lab: Lab) -> None:
    """The environment has no JupyterLab, and the file asks for one."""
    lab.write(jupyter=True)
    failed = lab.roost("up", code=1).stderr
    assert "set-up failed on head" in failed
    assert "jupyterlab" in failed
    assert "roost logs life head" in failed
    assert "Traceback" not in failed
    states = lab.states()
    assert states.pop("head") == "failed"
    assert set(states.values()) == {"running"}  # the others went on
    lab.write(jupyter=False)
    lab.roost("stop", "life")
    lab.roost("up")
    assert set(lab.states().values()) == {"running"}


def test_a_failing_environment_says_why(lab: Lab, tmp_path: Path) -> None:
    project = tmp_path / "broken"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "broken"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["dask"]\n[tool.uv]\npackage = false\n'
    )
    (project / "uv.lock").write_text('version = 1\nrevision = 3\nrequires-python = ">=3.11"\n')
    lab.file.write_text(f'name = "life"\nkind = "cluster"\n[environment]\nproject = "{project}"\n')
    failed = lab.roost("up", code=1).stderr
    assert "environment: " in failed
    assert "uv" in failed
    assert "broken" in failed
    assert "Traceback" not in failed


@pytest.mark.slow
def test_ports_are_loopback_only(lab: Lab) -> None:
    lab.roost("up")
    listening = {
        connection.laddr.ip
        for process in lab.processes()
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.slow
def test_strangers_cannot_talk_to_the_scheduler(lab: Lab) -> None:
    """TLS with our own certificate: without its key, nobody gets an answer."""
    lab.roost("up")
    place = lab.home / "local" / "life"
    said = json.loads((place / "scheduler.json").read_text())
    assert said["address"].startswith("tls://127.0.0.1:")
    port = int(said["address"].rpartition(":")[2])
    context = ssl.create_default_context(cafile=place / "tls" / "ca.pem")
    context.check_hostname = False
    with pytest.raises((ssl.SSLError, ConnectionError)):  # it asks for a certificate
        _talk(port, context)


def _talk(port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as stranger,
    ):
        stranger.sendall(b"hello")
        while stranger.recv(1000):
            pass


def test_secrets_are_in_files_of_the_user_only(lab: Lab) -> None:
    lab.roost("up")
    place = lab.home / "local" / "life"
    token = (place / "token").read_text().strip()
    for secret in (place / "token", place / "tls" / "key.pem"):
        assert secret.stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700
    assert lab.processes()
    for process in lab.processes():
        assert token not in " ".join(process.cmdline())
        assert token not in " ".join(process.environ().values())
    texts = [lab.roost("logs", "life").stdout, (place / "spec.json").read_text()]
    assert not any(token in text for text in texts)
