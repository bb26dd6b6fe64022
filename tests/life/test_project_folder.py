"""Relative paths and the project's own modules: the same for tasks as for who asks for them."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.life.lab import HERE, Lab, until

pytestmark = pytest.mark.cluster

KERNEL = HERE.parent / "web" / "kernel.py"
WRITE_AND_READ = """
import os, helper
from dask.distributed import Client
client = Client(n_workers=4)  # as tutorials begin: it attaches
workers = client.scheduler_info(n_workers=-1)["workers"]

def write(number):
    with open(f"part-{number}.txt", "w") as file:
        file.write(str(helper.TIMES * number))
    return os.getcwd()

def read(number):
    with open(f"mine-{number}.txt") as file:
        return file.read()

for number in range(len(workers)):
    with open(f"mine-{number}.txt", "w") as file:
        file.write("mine")
each = enumerate(workers)
there = [client.submit(write, n, workers=[w], pure=False) for n, w in each]
folders = set(client.gather(there)) | {client.run_on_scheduler(os.getcwd)}
back = [open(f"part-{n}.txt").read() for n in range(len(workers))]
each = enumerate(workers)
mine = client.gather([client.submit(read, n, workers=[w], pure=False) for n, w in each])
print(len(folders), folders == {os.getcwd()}, back, mine)
"""


def in_project(lab: Lab, *lines: str) -> Lab:
    """The lab's folder is the project too, with a module beside the file."""
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(HERE / "environment" / name, lab.folder)
    (lab.folder / "helper.py").write_text("TIMES = 7\n")
    lab.write()
    text = lab.file.read_text().replace(str(HERE / "environment"), ".")
    lab.file.write_text(text + "\n".join(lines))
    return lab


def wrote(times: int, workers: int) -> str:
    """What ``WRITE_AND_READ`` prints where all is right."""
    return f"1 True {[str(times * n) for n in range(workers)]} {['mine'] * workers}"


@pytest.mark.slow
def test_tasks_write_and_read_where_their_client_does(lab: Lab) -> None:
    in_project(lab)
    lab.roost("up")
    assert lab.python(WRITE_AND_READ) == wrote(7, 2)
    # A worker that comes later, with a module that was changed meanwhile.
    lab.roost("scale", "life", "0")
    (lab.folder / "helper.py").write_text("TIMES = 1000\n")
    lab.roost("scale", "life", "3")
    assert lab.python(WRITE_AND_READ) == wrote(1000, 3)
    # What a worker keeps for itself is in roost's own folder.
    scratch = {Path(p).parents[2] for p in _local_directories(lab)}
    assert scratch == {lab.home / "local" / "life" / "machines" / f"worker-{n}" for n in (1, 2, 3)}
    assert {p.name for p in lab.folder.iterdir() if p.is_dir()} <= {"__pycache__", ".venv"}
    lab.roost("down", "life", "--yes")
    assert (lab.folder / "part-2.txt").read_text() == "2000"


def _local_directories(lab: Lab) -> list[str]:
    ask = "c.run(lambda dask_worker: dask_worker.local_directory)"
    code = (
        f"import json; from dask.distributed import Client; c = Client(); print(json.dumps({ask}))"
    )
    return list(json.loads(lab.python(code)).values())


@pytest.mark.slow
def test_a_worker_that_starts_again_is_there_too(lab: Lab) -> None:
    in_project(lab)
    lab.roost("up")
    before = {p.pid for p in lab.services("roost.notebook.dask.worker")}
    for process in lab.services("roost.notebook.dask.worker"):
        process.kill()
    assert until(
        lambda: len({p.pid for p in lab.services("roost.notebook.dask.worker")} - before) == 2
    )
    assert until(lambda: set(lab.states().values()) == {"running"})
    restart = "from dask.distributed import Client; Client().restart()"
    lab.python(restart)
    assert lab.python(WRITE_AND_READ) == wrote(7, 2)


@pytest.mark.slow
def test_modules_named_like_pythons_and_dasks_own_stop_nobody(lab: Lab) -> None:
    """A notebook beside them works as well; only a script beside them is Python's own trouble."""
    in_project(lab)
    lab.roost("up")
    lab.roost("stop", "life")
    for name in ("random", "queue", "logging", "dask", "distributed", "tornado", "roost"):
        (lab.folder / f"{name}.py").write_text(f"raise ImportError('{name} of the project')\n")
    elsewhere = Lab(lab.home, lab.folder.with_name("elsewhere"), "life")
    elsewhere.folder.mkdir()
    elsewhere.roost("start", "life")
    assert set(elsewhere.states().values()) == {"running"}
    starts = [
        json.loads(file.read_text())["services"]
        for file in (lab.home / "local" / "life" / "machines").glob("*/status.json")
    ]
    assert [s["starts"] for services in starts for s in services.values()] == [1, 1, 1]


@pytest.mark.slow
def test_a_project_that_is_gone_is_said(lab: Lab) -> None:
    in_project(lab)
    lab.roost("up")
    lab.roost("stop", "life")
    place = lab.home / "local" / "life"
    moved = Lab(lab.home, lab.folder.rename(lab.folder.with_name("moved")), "life")
    failed = moved.roost("start", "life", code=1).stderr
    assert "Traceback" not in failed
    log = (place / "machines" / "worker-1" / "logs" / "worker.log").read_text()
    assert f"the project's folder is not there: {lab.folder}" in log


@pytest.mark.slow
def test_another_folder_is_warned_of(lab: Lab) -> None:
    """A program, or a notebook, in a subfolder: its relative paths are others than the tasks'."""
    in_project(lab)
    below = lab.folder / "notebooks"
    below.mkdir()
    (below / "script.py").write_text("import helper; print(helper.TIMES)\n")
    lab.roost("up")
    client = "from dask.distributed import Client; Client(); Client()"
    assert "relative path" not in lab.roost("run", "life", "--", "python", "-c", client).stderr
    moved = f"import os; os.chdir('notebooks'); {client}"
    said = lab.roost("run", "life", "--", "python", "-c", moved).stderr
    assert said.count("OtherFolderWarning: the workers of life work in") == 1
    assert f"and this program works in {below}" in said
    attach = "import os; os.chdir('/'); from roost.dask import RoostCluster; RoostCluster('life')"
    said = lab.roost("run", "life", "--", "python", "-c", attach).stderr
    assert "this program works in /:" in said
    ran = lab.roost("run", "life", "--", "python", "notebooks/script.py").stdout
    assert ran.strip() == "7"


@pytest.mark.slow
def test_a_kernel_made_over_rest(lab: Lab) -> None:
    """The built-in environment; a kernel that is for no notebook, and one that is."""
    lab.file.write_text(
        'name = "life"\nkind = "cluster"\n[local]\nmemory = "2GB"\n[workers]\ncount = 2\n'
    )
    (lab.folder / "helper.py").write_text("TIMES = 7\n")
    lab.roost("up")
    assert _in_kernel(lab, WRITE_AND_READ) == wrote(7, 2)
    zarr = (
        "import dask.array as da, zarr; from dask.distributed import Client; c = Client();"
        "(da.ones((400, 400), chunks=100) * 7).to_zarr('rel.zarr');"
        "mine = zarr.open('rel.zarr', mode='r')[:].mean();"
        "print(mine, da.from_zarr('rel.zarr').mean().compute())"
    )
    assert _in_kernel(lab, zarr) == "7.0 7.0"
    assert _cwd_of_a_bare_kernel(lab) == lab.folder
    lab.roost("scale", "life", "3")
    assert _in_kernel(lab, WRITE_AND_READ) == wrote(7, 3)


def _in_kernel(lab: Lab, code: str) -> str:
    place = lab.home / "local" / "life"
    boot = json.loads((place / "machines" / "head" / "boot.json").read_text())
    url = json.loads((place / "jupyter.json").read_text())["url"]
    words = [f"{boot['bin']}/python", str(KERNEL), url, "a.ipynb", code]
    token = (place / "token").read_text()
    done = subprocess.run(words, input=token, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *warned, printed = done.stdout.strip().splitlines()
    assert not warned or "attaches to it: n_workers ignored" in warned[0]
    return printed


def _cwd_of_a_bare_kernel(lab: Lab) -> Path:
    place = lab.home / "local" / "life"
    url = json.loads((place / "jupyter.json").read_text())["url"]
    request = urllib.request.Request(
        f"{url}api/kernels",
        data=b"{}",
        headers={"Authorization": f"token {(place / 'token').read_text().strip()}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        kernel = json.load(answer)["id"]
    (process,) = [
        p for p in psutil.process_iter() if any(f"kernel-{kernel}" in w for w in _words(p))
    ]
    return Path(process.cwd())


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
