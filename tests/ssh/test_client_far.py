"""A client on this computer of a scheduler on a rented machine: real sshd, real TLS, one tunnel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.dask import RoostCluster, launch
from roost.errors import RoostError
from roost.home import folder
from roost.model.place import Place
from roost.notebook.dask.ports import any_free
from roost.providers.local import tls
from roost.ssh import tunnel
from tests.ssh.conftest import Server
from tests.ssh.made_state import cluster, instance
from tests.ssh.test_access_commands import Cloud

pytestmark = pytest.mark.slow

ITS_OWN = "127.0.0.2"
"""The head's private address: the scheduler listens there and not on localhost."""
PLACE, MADE = Place(), launch.Made("ndvi", Place(), new=False, here=False)


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The files and the scheduler of a rented head; the scheduler's port."""
    there = tmp_path / "cluster"
    place = folder("ndvi", there)
    place.path.mkdir(parents=True)
    tls.create(place.tls)
    place.project.write_text(str(tmp_path))
    (place.control).write_text("{}")
    port, pages = any_free(), any_free()
    monkeypatch.setattr("roost.recipes.dask.remote.HOME", str(there))
    monkeypatch.setattr("roost.recipes.dask.remote.DASHBOARD_PORT", pages)
    monkeypatch.setattr("roost.machine.cluster.PORT", port)
    words = [sys.executable, "-m", "roost.notebook.dask.scheduler", "--folder", str(place.path)]
    words += ["--host", ITS_OWN, "--port", str(port), "--dashboard-port", str(pages)]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not place.scheduler.exists() and time.monotonic() < end:
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


@pytest.fixture
def far(here: object, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The cloud whose head is this computer."""
    del here
    state = cluster(
        instance("head", 1, address="127.0.0.1", private=ITS_OWN), aws={"region": "eu-central-1"}
    )
    cloud = Cloud(state, server.host_key)
    monkeypatch.setattr("roost.app.resolve.locate", lambda *_: cloud)
    monkeypatch.setattr("roost.dask.launch.locate", lambda *_: cloud)
    monkeypatch.delenv("ROOST_NAME", raising=False)
    yield cloud
    tunnel.close_all("ndvi")


@pytest.mark.usefixtures("head", "far")
def test_one_tunnel_with_the_clusters_certificate(tmp_path: Path) -> None:
    with RoostCluster("ndvi") as cluster:
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        client = cluster.get_client()
        assert client.scheduler_info(n_workers=-1)["workers"] == {}
        assert client.run_on_scheduler(os.getcwd) == str(tmp_path)
        with urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
        ).open(cluster.dashboard_link, timeout=20) as page:
            assert "Dask" in page.read().decode()
        # A tunnel that ended (a laptop that slept) is opened again, at the same port.
        assert tunnel.close("ndvi", "dask")
        end = time.monotonic() + 30
        while tunnel.alive("ndvi", "dask") is None and time.monotonic() < end:
            time.sleep(0.1)
        assert client.run_on_scheduler(os.getcwd) == str(tmp_path)
    assert launch.reached(MADE).address == launch.reached(MADE).address  # the living one
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and "home" in str(p.parent)]
    assert not any(b"PRIVATE KEY" in p.read_bytes() for p in kept if "id_ed25519" not in p.name)


@pytest.mark.usefixtures("far")
def test_a_head_that_is_not_ready_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.recipes.dask.remote.HOME", str(tmp_path / "nothing"))
    with pytest.raises(RoostError, match=r"head: cat: .*No such file"):
        launch.reached(MADE)
