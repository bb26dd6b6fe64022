"""``RoostCluster(...)`` of a plain script: from a fresh environment with the built wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from roost.recipes.dask.environment import find_uv
from tests.life.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

REPO = Path(__file__).parents[2]
BEGIN = "import asyncio, os, sys, warnings\nfrom roost.dask import RoostCluster\n"
WITH = (
    BEGIN
    + """
with RoostCluster(n_workers=2, cpus=1, memory="1GiB") as cluster:
    client = cluster.get_client()
    print(cluster.name, client.submit(pow, 2, 10).result(), sorted(cluster.observed))
    print(client.submit(lambda: sys.version_info[:2]).result() == sys.version_info[:2])
    client.get_versions(check=True)
    cluster.scale(1)
    cluster.wait_for_workers(1, timeout=30)
    print(len(cluster.plan), "token=" in cluster.dashboard_link, len(cluster.logs()))
    with RoostCluster(cluster.name) as again:
        assert again.observed == cluster.observed
    assert client.submit(sum, [1, 2]).result() == 3
"""
)
KEPT = (
    BEGIN
    + """
async def main():
    async with RoostCluster("kept", n_workers=1, memory="1GiB", asynchronous=True,
                            shutdown_on_close=False) as cluster:
        client = cluster.get_client()
        async with client:
            print(await client.submit(sum, [1, 2, 3]))
asyncio.run(main())
again = RoostCluster("kept", n_workers=2, memory="1GiB")
again.wait_for_workers(2)
print(len(again.observed), again.shutdown_on_close)
"""
)
LEFT = BEGIN + 'made = RoostCluster("left", n_workers=1, memory="1GiB")\nprint(made.observed)\n'


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the built wheel and its extra, and nothing else."""
    at = tmp_path_factory.mktemp("fresh")
    uv = [find_uv(), "--quiet"]
    subprocess.run([*uv, "build", "--wheel", "--out-dir", at / "dist", REPO], check=True)
    subprocess.run([*uv, "venv", "--python", sys.executable, at / "venv"], check=True)
    (wheel,) = (at / "dist").glob("*.whl")
    python = at / "venv" / "bin" / "python"
    install = [*uv, "pip", "install", "--python", python, f"roost[dask] @ {wheel.as_uri()}"]
    subprocess.run(install, check=True)
    return python


def script(python: Path, lab: Lab, text: str) -> str:
    """Run it as a user does, in a folder of her own; what it printed."""
    file = lab.folder / "script.py"
    file.write_text(text)
    mine = ("PYTHON", "VIRTUAL_ENV", "ROOST_NAME")
    env = {k: v for k, v in lab.env.items() if not k.startswith(mine)}
    done = subprocess.run(
        [python, file],
        cwd=lab.folder,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_plain_script_makes_finds_and_ends_its_cluster(fresh: Path, lab: Lab) -> None:
    lab.file.unlink()
    said = script(fresh, lab, WITH).splitlines()
    assert said == ["project 1024 ['worker-1', 'worker-2']", "True", "1 True 3"]
    lab.none_left()
    assert script(fresh, lab, KEPT).split() == ["6", "2", "False"]
    kept = Lab(lab.home, lab.folder, "kept")
    assert len(kept.states()) == 3
    # What a program leaves open ends with it.
    assert script(fresh, lab, LEFT).strip() == "{'worker-1'}"
    assert not (lab.home / "local" / "left").exists()
    # A program of the cluster itself attaches to it, whatever it asks for.
    inside = "from roost.dask import RoostCluster; print(len(RoostCluster(n_workers=9).observed))"
    ran = kept.roost("run", "kept", "--", "python", "-c", inside)
    assert ran.stdout.strip() == "2"
    assert "this runs on the cluster kept, and attaches to it: n_workers ignored" in ran.stderr
    kept.roost("down", "kept", "--yes")
    lab.none_left()


def test_a_project_with_a_lock_is_the_environment(fresh: Path, lab: Lab) -> None:
    lab.file.unlink()
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(REPO / "tests" / "life" / "environment" / name, lab.folder)
    (lab.folder / "helper.py").write_text("TIMES = 7\n")
    text = (
        "import os; from roost.dask import RoostCluster\n"
        "import helper\n"
        "with RoostCluster(n_workers=1, memory='1GiB') as cluster:\n"
        "    client = cluster.get_client()\n"
        "    print(client.submit(lambda: (os.getcwd(), __import__('helper').TIMES)).result())\n"
    )
    assert script(fresh, lab, text).strip() == f"({os.fspath(lab.folder)!r}, 7)"
