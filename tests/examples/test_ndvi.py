"""The NDVI example: what is shipped, and (slow) that Dask computes what plain numpy computes.

The slow tests run in the example's own environment, made outside of the example's folder.
"""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ndvi"
ITEMS = EXAMPLE / "data" / "items.json"
MEGABYTE = 1_000_000


# --- what is shipped -----------------------------------------------------------------------------


def test_items_name_files_that_are_there():
    (item,) = json.loads(ITEMS.read_text())["features"]
    assert set(item["assets"]) == {"red", "nir"}
    for asset in item["assets"].values():
        href = asset["href"]
        assert not Path(href).is_absolute()
        assert ":" not in href
        assert b"LAYOUT=IFDS_BEFORE_DATA" in (ITEMS.parent / href).read_bytes()[:512]
        assert asset["raster:bands"][0]["nodata"] == 0


def test_item_lies_where_its_grid_says():
    (item,) = json.loads(ITEMS.read_text())["features"]
    west, south, east, north = item["bbox"]
    assert -180 < west < east < 180
    assert -90 < south < north < 90
    grids = {(*asset["proj:shape"], *asset["proj:transform"]) for asset in item["assets"].values()}
    assert len(grids) == 1
    assert item["properties"]["proj:code"] == "EPSG:32618"


def test_data_are_small_and_say_what_they_are():
    files = {path.name: path.stat().st_size for path in ITEMS.parent.iterdir()}
    assert set(files) == {"red.tif", "nir.tif", "items.json", "LICENSE", "README.md"}
    assert sum(files.values()) < 9 * MEGABYTE
    assert "CC0 1.0" in (ITEMS.parent / "LICENSE").read_text()
    assert "Copernicus Sentinel data" in (ITEMS.parent / "README.md").read_text()


def test_notebook_is_clean_and_compiles():
    notebook = json.loads((EXAMPLE / "ndvi.ipynb").read_text())
    cells = notebook["cells"]
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            ast.parse("".join(cell["source"]), filename=cell["id"])


def test_environment_comes_from_public_places():
    lock = (EXAMPLE / "uv.lock").read_text()
    hosts = set(re.findall(r"https?://([^/\"]+)", lock))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


# --- what it computes ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of the example's environment."""
    place = tmp_path_factory.mktemp("ndvi-environment") / "venv"
    subprocess.run(
        ["uv", "sync", "--quiet", "--frozen", "--project", EXAMPLE],
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(place)},
        check=True,
    )
    return place / "bin" / "python"


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would send the example to another cluster or leave files in its folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


def run(python: Path, program: str, *words: object, **more: str) -> subprocess.CompletedProcess:
    """One program of the example, to its end."""
    command = [python, EXAMPLE / program, *map(str, words)]
    return subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, timeout=300, check=False
    )


def assert_equals_numpy(python: Path, results: Path) -> None:
    """No difference in any pixel or zone."""
    checked = run(python, "check.py", "--results", results, "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    report = json.loads(checked.stdout)
    assert report["max_difference"] == 0
    assert report["validity_differences"] == report["zone_differences"] == 0
    assert (report["pixels"], report["zones"]) == (1450 * 1700, 12 * 14)


@pytest.fixture(scope="session")
def results(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ndvi.py makes of the sample on a cluster of its own."""
    out = tmp_path_factory.mktemp("ndvi") / "results"
    done = run(python, "ndvi.py", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["shape"] == [1700, 1450]
    assert summary["valid_pixels"] == 1700 * 1450
    assert summary["mean_ndvi"] == pytest.approx(0.116, abs=0.001)
    assert {Path(file).name for file in summary["files"]} == {path.name for path in out.iterdir()}
    return out


@pytest.mark.slow
def test_result_equals_numpy(python: Path, results: Path):
    assert {path.name for path in results.iterdir()} == {"ndvi.tif", "ndvi.png", "zones.csv"}
    assert_equals_numpy(python, results)


@pytest.mark.slow
def test_the_check_sees_one_bit_of_one_zone(python: Path, results: Path, tmp_path: Path):
    damaged = shutil.copytree(results, tmp_path / "results")
    with (damaged / "zones.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    rows[7][-1] = str(float(rows[7][-1]) + 2**-50)
    with (damaged / "zones.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    checked = run(python, "check.py", "--results", damaged, "--json")
    assert checked.returncode == 1
    assert json.loads(checked.stdout)["zone_differences"] == 1


@pytest.mark.slow
def test_the_check_sees_one_pixel(python: Path, results: Path, tmp_path: Path):
    damaged = shutil.copytree(results, tmp_path / "results")
    change = (
        "import sys, rasterio\n"
        "from rasterio.windows import Window\n"
        "with rasterio.open(sys.argv[1], 'r+', IGNORE_COG_LAYOUT_BREAK='YES') as file:\n"
        "    pixel = Window(1449, 1699, 1, 1)\n"
        "    file.write(file.read(1, window=pixel) + 0.25, 1, window=pixel)\n"
    )
    subprocess.run([python, "-c", change, damaged / "ndvi.tif"], check=True)
    checked = run(python, "check.py", "--results", damaged, "--json")
    assert checked.returncode == 1
    assert json.loads(checked.stdout)["max_difference"] == pytest.approx(0.25)


@pytest.mark.slow
def test_notebook_runs(python: Path, tmp_path: Path):
    for name in ("ndvi.ipynb", "ndvi.py", "ndvi_map.py"):
        shutil.copy(EXAMPLE / name, tmp_path)
    shutil.copytree(EXAMPLE / "data", tmp_path / "data")
    done = subprocess.run(
        [python.parent / "jupyter-execute", "--inplace", "ndvi.ipynb"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "notebook.tif").stat().st_size > MEGABYTE
    assert "image/png" in (tmp_path / "ndvi.ipynb").read_text()


# --- a worker dies -------------------------------------------------------------------------------


@pytest.fixture
def cluster(python: Path, tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler and two workers without nannies, each a process: address, workers."""
    where = tmp_path / "scheduler.json"
    log = (tmp_path / "cluster.log").open("w")
    started: list[subprocess.Popen] = []

    def start(module: str, *words: str) -> subprocess.Popen:
        common = ["--host", "127.0.0.1", "--scheduler-file", str(where), "--no-dashboard"]
        started.append(
            subprocess.Popen(
                [python, "-m", f"distributed.cli.{module}", *common, *words],
                env=environment(),
                cwd=tmp_path,
                stdout=log,
                stderr=log,
            )
        )
        return started[-1]

    start("dask_scheduler", "--port", "0")
    workers = [
        start("dask_worker", "--no-nanny", "--nthreads", "1", "--name", name) for name in "ab"
    ]
    try:
        wait_for = (
            "import sys\nfrom distributed import Client\n"
            "client = Client(scheduler_file=sys.argv[1], timeout=60)\n"
            "client.wait_for_workers(2, timeout=60)\n"
        )
        subprocess.run([python, "-c", wait_for, where], check=True, env=environment())
        yield json.loads(where.read_text())["address"], workers
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        log.close()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["NDVI", "GeoTIFF"])
def test_result_equals_numpy_though_a_worker_was_killed(
    python: Path, cluster: tuple[str, list[subprocess.Popen]], tmp_path: Path, moment: str
):
    address, workers = cluster
    job = subprocess.Popen(
        # Small blocks, so that there are many when the worker dies.
        [python, EXAMPLE / "ndvi.py", "--out", tmp_path / "results", "--chunk", "128", "--json"],
        env=environment(DASK_SCHEDULER_ADDRESS=address),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert job.stderr is not None
    before = next(line for line in job.stderr if line.startswith(moment))
    os.kill(workers[0].pid, signal.SIGKILL)
    assert job.poll() is None
    if moment == "NDVI":
        done, total = map(int, re.findall(r"\d+", before))
        assert done < total
    said, complaints = job.communicate(timeout=300)
    assert job.returncode == 0, complaints
    assert workers[0].wait() == -signal.SIGKILL
    assert json.loads(said)["workers"] == 1
    assert_equals_numpy(python, tmp_path / "results")


# --- expected failures, and the archive ----------------------------------------------------------


def assert_one_line(done: subprocess.CompletedProcess, text: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert text in line


@pytest.mark.slow
def test_missing_items_file(python: Path, tmp_path: Path):
    done = run(python, "ndvi.py", "--items", tmp_path / "none.json", "--out", tmp_path / "results")
    assert_one_line(done, f"no such file: {tmp_path / 'none.json'}")
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_missing_raster(python: Path, tmp_path: Path):
    items = shutil.copy(ITEMS, tmp_path)
    done = run(python, "ndvi.py", "--items", items, "--out", tmp_path / "results")
    assert_one_line(done, f"(named in {items})")


@pytest.mark.slow
def test_broken_raster_leaves_no_half_results(python: Path, tmp_path: Path):
    for path in ITEMS.parent.glob("*.*"):
        shutil.copy(path, tmp_path)
    with (tmp_path / "red.tif").open("r+b") as file:
        file.truncate(MEGABYTE)
    items, out = tmp_path / "items.json", tmp_path / "results"
    done = run(python, "ndvi.py", "--items", items, "--out", out)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: a block failed on its worker: ")
    assert f"Failed to load {tmp_path / 'red.tif'}" in done.stderr
    assert list(out.iterdir()) == []


def item_with_clouds(python: Path, folder: Path) -> dict:
    """The sample scene, its upper left quarter (850 x 725 pixels) under cloud, classes at 20 m."""
    (item,) = json.loads(ITEMS.read_text())["features"]
    for name, asset in item["assets"].items():
        asset["href"] = str(ITEMS.parent / f"{name}.tif")
    draw = (
        "import sys, numpy as np, rasterio\n"
        "red, out = sys.argv[1:]\n"
        "classes = np.full((850, 725), 4, 'uint8')\n"
        "classes[:425, :362] = 9\n"
        "with rasterio.open(red) as scene:\n"
        "    crs, transform = scene.crs, scene.transform * scene.transform.scale(2)\n"
        "with rasterio.open(out, 'w', driver='GTiff', count=1, dtype='uint8', height=850,\n"
        "                   width=725, nodata=0, crs=crs, transform=transform) as file:\n"
        "    file.write(classes, 1)\n"
    )
    path = folder / "scl.tif"
    subprocess.run([python, "-c", draw, ITEMS.parent / "red.tif", path], check=True)
    a, b, c, d, e, f = item["assets"]["red"]["proj:transform"]
    item["assets"]["scl"] = {
        "href": str(path),
        "type": "image/tiff; application=geotiff",
        "roles": ["data"],
        "raster:bands": [{"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}],
        "proj:shape": [850, 725],
        "proj:transform": [2 * a, b, c, d, 2 * e, f],
    }
    item["properties"]["datetime"] = "2023-06-01T10:36:29Z"
    return {**item, "collection": "sentinel-2-l2a"}


@pytest.mark.slow
def test_a_scene_of_an_archive_without_its_clouds(
    python: Path, archive: ThreadingHTTPServer, tmp_path: Path
):
    item = item_with_clouds(python, tmp_path)
    archive.items = [item]  # type: ignore[attr-defined]
    api = f"http://127.0.0.1:{archive.server_port}"
    words = ["--source", "earth-search", "--api", api, "--out", tmp_path / "results", "--json"]
    done = run(python, "ndvi.py", *words, "--bbox", *item["bbox"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["valid_pixels"] == 1700 * 1450 - 850 * 724
    (asked,) = archive.asked  # type: ignore[attr-defined]
    assert asked["collections"] == ["sentinel-2-l2a"]
    assert asked["query"] == {"eo:cloud_cover": {"lt": 50}}
    assert asked["datetime"].startswith("2023-06-01T00:00:00Z/2023-06-02")


@pytest.mark.slow
def test_an_archive_without_such_a_scene(
    python: Path, archive: ThreadingHTTPServer, tmp_path: Path
):
    api = f"http://127.0.0.1:{archive.server_port}"
    words = ["--source", "earth-search", "--api", api, "--out", tmp_path / "results"]
    assert_one_line(run(python, "ndvi.py", *words), "no items found")


@pytest.mark.slow
def test_no_network(python: Path, archive: ThreadingHTTPServer, tmp_path: Path):
    api = f"http://127.0.0.1:{archive.server_port}"
    archive.shutdown()
    archive.server_close()
    words = ["--source", "earth-search", "--api", api, "--out", tmp_path / "results"]
    assert_one_line(run(python, "ndvi.py", *words), "does not answer")
