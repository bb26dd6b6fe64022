"""``[dask]`` of the file: what scheduler and workers are told, on rented machines and at home."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import dask.config
import pytest

from roost.home import folder as home_folder
from roost.model.resources import Instance, Shape
from roost.notebook.dask import worker
from roost.recipes.dask import options
from roost.recipes.local import boot
from roost.spec import from_json, load
from tests.recipes.test_rented_dask import CLUSTER, cluster, folder, steps

__all__ = ["folder"]  # the fixture

TABLE = """\
[dask]
config = { "distributed.scheduler.work-stealing" = false, array = { slicing = { x = 1 } } }
resources = { GPU = 1, disk = 2.5 }
preload = ["helper", "start.py"]
spill = false
"""
RENTED = f'{TABLE}processes = 4\nthreads = 2\nworker_class = "mine.MyWorker"\n'


def test_what_a_rented_machine_is_told(folder: Path) -> None:
    found = steps(cluster(folder, CLUSTER + RENTED))
    (unit,) = found["worker worker"].files
    line = next(one for one in unit.content.splitlines() if one.startswith("ExecStart="))
    words = shlex.split(line)
    more = words[words.index("--processes") :]
    assert more[:6] == ["--processes", "4", "--nthreads", "2", "--resources", "GPU=1,disk=2.5"]
    assert more[6:] == ["--worker-class", "mine.MyWorker"]
    begins = "Environment="
    lines = [one for one in unit.content.splitlines() if one.startswith(begins)]
    pairs = [one.removeprefix(begins).strip('"').split("=", 1) for one in lines]
    said = dict(pairs)
    told = dask.config.collect_env(said)
    assert told["distributed"]["scheduler"]["work-stealing"] is False
    assert told["distributed"]["worker"]["memory"] == {"target": False, "spill": False}
    assert told["array"]["slicing"]["x"] == 1
    (constants,) = (f for f in found["head node"].files if f.path == "/etc/roost/node.env")
    assert options.CONFIG_VARIABLE in constants.content  # notebooks have it as well
    assert "ROOST_PRELOAD='helper start.py'\n" in constants.content
    # Whoever says nothing has the very same machine as before.
    plain = cluster(folder, CLUSTER)
    assert options.variables(plain) == {}
    assert options.worker_words(plain) == ()
    assert '"dask":' not in plain.to_json()


def test_what_a_process_at_home_is_told(folder: Path) -> None:
    file = folder / "here.toml"
    text = 'name = "ndvi"\nkind = "cluster"\n[env]\nOMP_NUM_THREADS = "4"\n'
    file.write_text(f'{text}{TABLE}nanny = false\nidle_timeout = "90s"\n')
    spec = load(file)
    assert from_json(spec.to_json()) == spec
    shape = Shape(type="process", cpus=1, memory_gib=1)
    made = Instance(name="worker-1", role="worker", shape=shape)
    told = boot(spec.to_json(), made, home_folder("ndvi", folder))
    assert told.services[0].argv[-3:] == ("--resources", "GPU=1,disk=2.5", "--no-nanny")
    assert (told.env["ROOST_IDLE"], told.env["OMP_NUM_THREADS"]) == ("90", "4")


def test_processes_share_what_a_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "cpus", lambda: 8)
    monkeypatch.setattr(worker, "memory", lambda: 8000)
    asked = {
        "name": "worker-1",
        "nthreads": None,
        "memory_limit": None,
        "local_directory": "/tmp",
        "host": "127.0.0.1",
        "resources": None,
        "nanny": True,
        "worker_class": None,
    }
    for processes, shares in (("1", [1, 8, 8000]), ("4", [4, 2, 2000]), ("cpus", [8, 1, 1000])):
        words = worker.arguments("tls://x:1", SimpleNamespace(**asked, processes=processes))
        keys = ("--nworkers", "--nthreads", "--memory-limit")
        assert [int(words[words.index(key) + 1]) for key in keys] == shares
