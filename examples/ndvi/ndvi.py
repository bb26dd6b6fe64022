"""NDVI of a Sentinel-2 scene on a Dask cluster: a map, a GeoTIFF and a table of zonal means.

    python ndvi.py                         the sample scene beside this file
    python ndvi.py --source earth-search   a scene from the public archive on AWS

It attaches to the cluster whose address is in $DASK_SCHEDULER_ADDRESS, and starts one on this
computer where there is none. Input and output folders must be visible to the workers, by the same
paths. Results appear in --out all at once at the end, or not at all.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import dask
import numpy as np
import odc.stac
import pystac
import xarray as xr
from dask.distributed import Client, Future, KilledWorker, as_completed, futures_of
from odc.geo.cog import save_cog_with_dask
from rasterio.errors import RasterioError

SAMPLE = Path(__file__).resolve().parent / "data" / "items.json"
EARTH_SEARCH = "https://earth-search.aws.element84.com/v1"
COLLECTION = "sentinel-2-l2a"
BBOX = (6.869888, 52.208238, 6.914263, 52.230270)
DATES = "2023-06-01/2023-06-02"
MAX_CLOUD = 50

# Classes of the scene classification band (SCL) that hide the ground: no data, saturated, cloud
# shadow, cloud of medium and of high probability, thin cirrus.
HIDDEN = [0, 1, 3, 8, 9, 10]

CHUNK = 1024
ZONE = 128
BLOCK = 1024
"""Side of the GeoTIFF's tiles: that of Dask's blocks, so that nothing is cut anew and moved."""
STEPS = 2.0**24
"""Zonal sums count NDVI in steps of 1/2**24, see zonal_means."""
COLUMNS = ["row", "column", "west", "south", "east", "north", "valid_pixels", "mean_ndvi"]


class NdviError(Exception):
    """Something expected went wrong; its text is all the user needs."""


# --- the workflow, as the notebook uses it too ---------------------------------------------------


def local_items(path: Path) -> list[pystac.Item]:
    """The items of a STAC ItemCollection on disk; relative addresses are relative to it."""
    try:
        collection = json.loads(path.read_text(encoding="utf-8"))
        items = [pystac.Item.from_dict(feature) for feature in collection["features"]]
    except FileNotFoundError:
        raise NdviError(f"no such file: {path}") from None
    except (ValueError, KeyError, TypeError, AttributeError, pystac.STACError):
        raise NdviError(f"not a STAC ItemCollection: {path}") from None
    for asset in (asset for item in items for asset in item.assets.values()):
        if not urlparse(asset.href).scheme:
            asset.href = str(path.resolve().parent / asset.href)
            if not Path(asset.href).exists():
                raise NdviError(f"no such file: {asset.href} (named in {path})")
    return items


def search_items(
    bbox: Iterable[float] = BBOX, dates: str = DATES, api: str = EARTH_SEARCH
) -> list[pystac.Item]:
    """The Sentinel-2 L2A items of a STAC API, at most half under cloud."""
    from pystac_client import Client as Catalogue  # a second that the sample need not wait for
    from pystac_client.exceptions import APIError

    try:
        search = Catalogue.open(api).search(
            collections=[COLLECTION],
            bbox=list(bbox),
            datetime=dates,
            query={"eo:cloud_cover": {"lt": MAX_CLOUD}},
        )
        return list(search.items())
    except APIError as error:
        raise NdviError(f"{api} does not answer: {brief(root(error))}") from None


def load_bands(
    items: list[pystac.Item], chunk: int = CHUNK, bbox: Iterable[float] | None = None
) -> xr.Dataset:
    """Red, near infrared and, where there is one, the classification: lazy, one step per day."""
    missing = [band for band in ("red", "nir") if band not in items[0].assets]
    if missing:
        raise NdviError(f"item {items[0].id} has no asset named {' or '.join(missing)}")
    odc.stac.configure_rio(cloud_defaults=True)
    return odc.stac.load(
        items,
        bands=["red", "nir", *(["scl"] if "scl" in items[0].assets else [])],
        bbox=None if bbox is None else list(bbox),
        chunks={"x": chunk, "y": chunk},
        groupby="solar_day",
    )


def compute_ndvi(bands: xr.Dataset) -> xr.DataArray:
    """(nir - red) / (nir + red) as float32, NaN where the ground was not seen."""
    seen = (bands.red > 0) & (bands.nir > 0)
    if "scl" in bands:
        seen &= ~bands.scl.isin(HIDDEN)
    red, nir = bands.red.astype("float32"), bands.nir.astype("float32")
    index = ((nir - red) / (nir + red)).where(seen)
    # Of several days the greenest counts, the usual composite: what clouds are left lower NDVI.
    index = index.isel(time=0, drop=True) if index.sizes["time"] == 1 else index.max("time")
    return index.rename("ndvi").assign_attrs(nodata=np.nan, long_name="NDVI")


def zonal_means(index: xr.DataArray, zone: int = ZONE) -> xr.Dataset:
    """Mean NDVI and number of valid pixels in squares of zone x zone pixels.

    In whole steps of 1/2**24 (what float32 resolves near 1) every float64 sum here is exact, so the
    result is the same to the last bit however the blocks were cut and whoever computed them.
    """
    steps = (index * STEPS).round().astype("float64")
    squares = steps.coarsen(y=zone, x=zone, boundary="pad")
    pixels = squares.count()
    mean = squares.sum() / STEPS / pixels.where(pixels > 0)
    return xr.Dataset({"pixels": pixels, "mean": mean})


def save_cog(client: Client, index: xr.DataArray, path: Path) -> None:
    """Have the workers write a cloud-optimised GeoTIFF; the pixels do not pass through here.

    On the right and at the bottom the file may have a few columns and rows of NaN more than the
    scene: its sides are made divisible by two once for each overview.
    """
    index = index.chunk(x=BLOCK, y=BLOCK)  # small blocks would make the overviews very slow
    for attempt in (1, 2):
        job = save_cog_with_dask(
            index,
            path.with_stem(f"{path.stem}-{attempt}"),
            compression="deflate",
            level=1,  # NDVI is hard to compress: 6 takes far longer and gains nothing
            predictor=3,
            blocksize=BLOCK,
            overview_resampling="average",
            stats=False,  # they would make the overviews a second time
        )
        try:
            written = client.compute(job).result()
        except FileNotFoundError:
            # The last task joins the parts and deletes them. If its worker dies over that, Dask
            # runs it again and it does not find them: the parts must be made anew.
            if attempt == 2:
                raise
        else:
            break
    if not Path(written).exists():
        raise NdviError(f"the workers wrote {written}, which is not visible from here")
    os.replace(written, path)


# --- the program ---------------------------------------------------------------------------------


def main(words: list[str] | None = None) -> int:
    """Run the workflow; 0 if all went well, 1 and one line if not."""
    options = parse(words)
    try:
        summary = run(options)
    except KeyboardInterrupt:
        print("interrupted: no results were written", file=sys.stderr)
        return 130
    except (NdviError, OSError, RasterioError, KilledWorker) as error:
        print(f"error: {brief(error)}", file=sys.stderr)
        return 1
    print(json.dumps(summary) if options.json else in_words(summary))
    return 0


def parse(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", choices=["local", "earth-search"], default="local")
    parser.add_argument("--items", type=Path, default=SAMPLE, help="local: a STAC ItemCollection")
    parser.add_argument("--bbox", type=float, nargs=4, default=BBOX, metavar="DEGREES")
    parser.add_argument("--dates", default=DATES, help=f"earth-search (default: {DATES})")
    parser.add_argument("--api", default=EARTH_SEARCH, help="earth-search: another STAC API")
    parser.add_argument("--out", type=Path, default=Path("results"), help="(default: results/)")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="side of a Dask block, in pixels")
    parser.add_argument("--zone", type=int, default=ZONE, help="side of a zone, in pixels")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    options = parser.parse_args(words)
    if options.zone < 1 or options.chunk < 1 or options.chunk % options.zone:
        # Otherwise zones would straddle blocks, and the blocks be moved about to join them.
        parser.error(f"--chunk must be a multiple of --zone, {options.zone}")
    return options


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All steps, from finding the scene to its results in the folder."""
    started = time.perf_counter()
    items = find_items(options)
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with connect() as client:
        client.wait_for_workers(1, timeout=120)
        bbox = options.bbox if options.source == "earth-search" else None
        index = compute_ndvi(load_bands(items, options.chunk, bbox)).persist()
        follow("NDVI", futures_of(index))
        work = Path(tempfile.mkdtemp(prefix=".ndvi-", dir=out))
        try:
            zones = write_results(client, index, options.zone, title(items), work)
            files = publish(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        workers = len(client.nthreads())
    pixels = zones.pixels.values
    return {
        "items": [item.id for item in items],
        "shape": list(index.shape),
        "valid_pixels": int(pixels.sum()),
        "mean_ndvi": weighted_mean(zones),
        "seconds": round(time.perf_counter() - started, 2),
        "workers": workers,
        "files": [str(file) for file in files],
    }


def connect() -> Client:
    """The cluster that the environment names, or one of our own until the end of the program."""
    if dask.config.get("scheduler-address", None):
        return Client()
    # Its workers log to this terminal, and would repeat there what becomes our one line.
    return Client(dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL)


def find_items(options: argparse.Namespace) -> list[pystac.Item]:
    """The items to work on, at least one."""
    if options.source == "local":
        items = local_items(options.items)
        where = str(options.items)
    else:
        items = search_items(options.bbox, options.dates, options.api)
        box = " ".join(str(degrees) for degrees in options.bbox)
        where = f"{options.dates}, {box}, cloud below {MAX_CLOUD} %"
    if not items:
        raise NdviError(f"no items found: {where}")
    return items


def write_results(
    client: Client, index: xr.DataArray, zone: int, name: str, folder: Path
) -> xr.Dataset:
    """The three files."""
    from ndvi_map import draw_map  # as slow to import, and not needed for an error

    say("zonal means")
    zones = zonal_means(index, zone).compute()
    write_zones(zones, index, zone, folder / "zones.csv")
    say("GeoTIFF")
    save_cog(client, index, folder / "ndvi.tif")
    say("map")
    draw_map(folder / "ndvi.tif", zones["mean"].values, zone, name, folder / "ndvi.png")
    return zones


def write_zones(zones: xr.Dataset, index: xr.DataArray, zone: int, path: Path) -> None:
    """One row for each zone: its place in the grid and on the map, its mean NDVI."""
    height, width = index.shape
    transform = index.odc.transform
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for (row, column), mean in np.ndenumerate(zones["mean"].values):
            west, north = transform * (column * zone, row * zone)
            right, bottom = min((column + 1) * zone, width), min((row + 1) * zone, height)
            east, south = transform * (right, bottom)
            pixels = int(zones.pixels.values[row, column])
            table.writerow([row, column, west, south, east, north, pixels, float(mean)])


def publish(work: Path, out: Path) -> list[Path]:
    """Move the finished files to their place, each in one step."""
    files = sorted(path for path in work.iterdir() if path.is_file())
    for path in files:
        os.replace(path, out / path.name)
    return [out / path.name for path in files]


def weighted_mean(zones: xr.Dataset) -> float | None:
    """The scene's mean NDVI, or None where nothing was seen."""
    pixels = zones.pixels.values
    if not pixels.any():
        return None
    return float(np.nansum(zones["mean"].values * pixels) / pixels.sum())


# --- what the user sees --------------------------------------------------------------------------


def title(items: list[pystac.Item]) -> str:
    """For the map: the first item's name, and when it was taken as far as that is known."""
    first = items[0]
    name = first.properties.get("title", first.id)
    start, end = first.common_metadata.start_datetime, first.common_metadata.end_datetime
    if first.datetime:
        when = f"{first.datetime:%Y-%m-%d}"
    else:
        when = f"between {start:%B %Y} and {end:%B %Y}" if start and end else "date unknown"
    return f"{name}\nSentinel-2, {when}"


def follow(label: str, futures: list[Future]) -> None:
    """Wait for the blocks; a moving bar on a terminal, a line now and then elsewhere."""
    total = len(futures)
    terminal = sys.stderr.isatty()
    for done, future in enumerate(as_completed(futures), 1):
        if future.status == "error":
            raise NdviError(f"a block failed on its worker: {brief(future.exception())}")
        if terminal:
            bar = "#" * (30 * done // total)
            print(f"\r{label} [{bar:<30}] {done}/{total} blocks", end="", file=sys.stderr)
        elif done * 10 // total > (done - 1) * 10 // total:
            say(f"{label} {done}/{total} blocks")
    if terminal:
        print(file=sys.stderr)


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def root(error: BaseException) -> BaseException:
    """What was behind it all; libraries wrap a refused connection many times."""
    while behind := error.__cause__ or error.__context__:
        error = behind
    return error


def brief(error: BaseException) -> str:
    """An error in one line of bearable length."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 300 else f"{lines[0][:297]}..."


def in_words(summary: dict[str, Any]) -> str:
    """The summary for people."""
    height, width = summary["shape"]
    mean = summary["mean_ndvi"]
    return "\n".join(
        [
            f"scene         {', '.join(summary['items'])}",
            f"size          {width} x {height} pixels, {summary['valid_pixels']:,} valid",
            f"mean NDVI     {'none' if mean is None else f'{mean:.4f}'}",
            f"computed in   {summary['seconds']:.1f} s on {summary['workers']} workers",
            *(f"written       {file}" for file in summary["files"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
