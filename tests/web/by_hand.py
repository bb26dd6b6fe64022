"""A cluster by hand: its folder, a scheduler, a worker and JupyterLab, for a test to start."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roost.home import Folder, folder, write_private
from roost.notebook.lab.address import address
from roost.providers.local import tls

REPOSITORY = Path(__file__).parents[2]
NOTEBOOK = "analysis/first look.ipynb"
SOURCES = (
    "# A first look\n\nThe panes beside this show the cluster at work.",
    "from dask.distributed import Client\n\nclient = Client()\nclient",
    "import dask.array as da\n\n"
    "x = da.random.random((4000, 4000), chunks=500).persist()\n"
    "(x + x.T).mean().compute()",
)


class Lab:
    """One cluster and its processes, for a test to start and kill."""

    def __init__(self, python: Path, at: Path) -> None:
        self.python = python
        self.place: Folder = folder("demo", at / "home")
        self.project = at / "project"
        self.logs = at / "logs"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._make()

    def _make(self) -> None:
        self.place.path.mkdir(parents=True)
        self.logs.mkdir()
        (self.project / NOTEBOOK).parent.mkdir(parents=True)
        (self.project / NOTEBOOK).write_text(json.dumps(notebook()))
        tls.create(self.place.tls)
        self.token = secrets.token_urlsafe(32)
        write_private(self.place.token, self.token + "\n")
        write_private(self.place.project, str(self.project))
        control = [sys.executable, "-m", "roost"]
        write_private(self.place.control, json.dumps({"roost": control}))

    # --- processes ---------------------------------------------------------------------------

    def environ(self) -> dict[str, str]:
        """As the supervisor makes it for the nodes."""
        mine = ("PYTHON", "VIRTUAL_ENV", "UV_", "DASK_", "JUPYTER")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
        return {
            **kept,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY / "src"),
            "ROOST_NAME": self.place.name,
            "ROOST_HOME": str(self.place.path.parent.parent),
        }

    def start(self, name: str, module: str, *words: str) -> subprocess.Popen[bytes]:
        """Start ``python -m module --folder F words``; its output goes to a log."""
        with (self.logs / name).open("ab") as log:
            process = subprocess.Popen(
                [self.python, "-m", module, "--folder", self.place.path, *words],
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.place.path,
            )
        self.processes[name] = process
        return process

    def start_scheduler(self) -> None:
        self.start("scheduler", "roost.notebook.dask.scheduler")

    def start_worker(self) -> None:
        scratch = ("--local-directory", str(self.place.path / "scratch"))
        self.start(
            "worker",
            "roost.notebook.dask.worker",
            "--name",
            "worker-1",
            "--nthreads",
            "2",
            *scratch,
        )

    def start_lab(self, *words: str) -> None:
        self.start("lab", "roost.notebook.lab.server", *words)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code."""
        self.processes[name].terminate()
        return self.processes[name].wait(timeout=20)

    def stop_all(self) -> None:
        """The last first: a worker that has lost its scheduler takes long to end."""
        for process in reversed(self.processes.values()):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        return (self.logs / name).read_text()

    # --- asking ------------------------------------------------------------------------------

    def wait_until_it_listens(self) -> dict[str, Any]:
        """What JupyterLab, as started last, says of itself."""
        process = self.processes["lab"]

        def listens() -> bool:
            assert process.poll() is None, self.log("lab")
            said = self.said()
            return said is not None and said["pid"] == process.pid

        eventually(listens)
        return self.said() or {}

    def said(self) -> dict[str, Any] | None:
        """What is in ``jupyter.json``, if it is there."""
        try:
            said: dict[str, Any] = json.loads(self.place.jupyter.read_text())
        except FileNotFoundError:
            return None
        return said

    def address(self) -> str:
        return address(self.said() or {}, self.token)

    def status(self, path: str, token: str | None = None) -> int:
        """The HTTP status that a request gets; 302 for one that is sent to the login page."""
        try:
            with self._open(path, token) as answer:
                sent_to_login = "/login?" in answer.url
                return 302 if sent_to_login else int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def get(self, path: str) -> Any:
        with self._open(path, self.token) as answer:
            return json.load(answer)

    def _open(self, path: str, token: str | None) -> Any:
        url = (self.said() or {})["url"] + path
        headers = {"Authorization": f"token {token}"} if token else {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(urllib.request.Request(url, headers=headers), timeout=20)

    def workers(self) -> int | None:
        """How many workers the sidebar counts; None while it has no cluster."""
        clusters = self.get("dask/clusters")
        return int(clusters[0]["workers"]) if clusters else None


def notebook() -> dict[str, Any]:
    """A small notebook that says nothing of a kernel, as some tools write them."""
    text, *code = SOURCES
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "text", "metadata": {}, "source": text}
    ]
    for number, source in enumerate(code):
        cells.append(
            {
                "cell_type": "code",
                "id": f"code-{number}",
                "metadata": {},
                "source": source,
                "execution_count": None,
                "outputs": [],
            }
        )
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def eventually(check: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
