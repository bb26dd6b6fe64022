"""``[dask]`` of the file, on real processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from distributed import Client
from distributed.security import Security

from roost.home import folder
from roost.notebook.dask import retire
from roost.notebook.dask.discovery import wait_for_scheduler
from roost.providers.local import tls
from tests.life.lab import HERE, Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

OPTIONS = """
[environment]
project = "."
[local]
memory = "1GB"
[workers]
count = 1
[jupyter]
enabled = false
[env]
GREETING = "hello"
[dask]
config = { "distributed.scheduler.work-stealing" = false }
resources = { GPU = 1 }
preload = ["mine.start"]
nanny = false
spill = false
idle_timeout = "45s"
"""
ASK = """
import os, time, dask.config
from dask.distributed import Client, get_worker
client = Client()

def told():
    import mine.start
    config = dask.config.get
    memory = config("distributed.worker.memory.spill"), config("distributed.worker.memory.target")
    return os.environ["GREETING"], mine.start.SEEN, memory, get_worker().nanny

print(client.submit(told, resources={"GPU": 1}).result())
print(client.run_on_scheduler(lambda: dask.config.get("distributed.scheduler.work-stealing")))
print(dask.config.get("distributed.scheduler.work-stealing"))
time.sleep(46)  # a client that is there keeps the cluster
print(len(client.nthreads()))
"""


def test_all_of_it_reaches_the_processes(lab: Lab) -> None:
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(HERE / "environment" / name, lab.folder)
    (lab.folder / "mine").mkdir()
    (lab.folder / "mine" / "__init__.py").touch()
    (lab.folder / "mine" / "start.py").write_text(
        "SEEN = []\ndef dask_setup(worker):\n    SEEN.append(worker.name)\n"
    )
    lab.file.write_text(f'name = "life"\nkind = "cluster"\n{OPTIONS}')
    lab.roost("up")
    said = lab.python(ASK).splitlines()
    assert said == ["('hello', ['worker-1'], (False, False), None)", "False", "False", "1"]
    assert until(lambda: set(lab.states().values()) == {"stopped"}, 60)


@pytest.fixture
def several(tmp_path: Path) -> object:
    """A machine with two worker processes, as a rented one has them; a client."""
    place = folder("many", tmp_path)
    place.path.mkdir(parents=True)
    tls.create(place.tls)
    place.project.write_text(str(tmp_path))
    place.control.write_text("{}")
    module = "roost.notebook.dask"
    where = ["--folder", str(place.path)]
    begun = [subprocess.Popen([sys.executable, "-m", f"{module}.scheduler", *where])]
    more = ["--name", "worker-1", "--processes", "2", "--local-directory", str(tmp_path / "s")]
    more += ["--nthreads", "1", "--memory-limit", "1 GiB"]
    begun.append(subprocess.Popen([sys.executable, "-m", f"{module}.worker", *where, *more]))
    said = wait_for_scheduler(place, 60)
    assert said is not None
    words = {"ca_file": "ca", "client_cert": "cert", "client_key": "key"}
    files = {f"tls_{key}": str(place.tls / f"{file}.pem") for key, file in words.items()}
    with Client(said["address"], security=Security(**files, require_encryption=True)) as client:
        yield client, place
    for process in reversed(begun):
        process.terminate()
        process.wait()


def test_several_processes_of_a_machine_are_one_node(several: tuple[Client, object]) -> None:
    client, place = several
    client.wait_for_workers(2, timeout=60)
    names = {w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values()}
    assert names == {"worker-1-0", "worker-1-1"}

    def spin(seconds: float) -> float:
        end = time.monotonic() + seconds
        while time.monotonic() < end:  # Python itself is the work: one core for each process
            pass
        return time.process_time()

    assert len(client.gather(client.map(spin, [0.5, 0.6], pure=False))) == 2
    line = [sys.executable, "-m", retire.__name__, "--folder", str(place.path), "worker-1"]  # type: ignore[attr-defined]
    gone = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert gone.strip() == '["worker-1-0", "worker-1-1"]'
