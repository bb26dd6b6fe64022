"""Compute NDVI again with numpy and rasterio alone, and compare it with the results of ndvi.py.

    python check.py [--items FILE] [--results FOLDER]

It knows nothing of Dask, xarray or odc. Expected is no difference at all: not in a pixel of the
GeoTIFF, not in the last bit of a zonal mean. It works on one row of zones at a time, so its memory
stays low at any size. Exit status: 0 equal, 1 different, or something is missing.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

HERE = Path(__file__).resolve().parent
STEPS = 2.0**24


@dataclass
class Report:
    """What was compared, and what differs."""

    pixels: int = 0
    max_difference: float = 0.0
    validity_differences: int = 0
    zones: int = 0
    zone_differences: int = 0
    wrong_format: str = ""

    @property
    def equal(self) -> bool:
        """Nothing differs."""
        differences = (self.max_difference, self.validity_differences, self.zone_differences)
        return not any(differences) and not self.wrong_format


def main() -> int:
    """Compare and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=Path, default=HERE / "data" / "items.json")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--zone", type=int, default=128, help="side of a zone, in pixels")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    try:
        report = compare(options.items, options.results, options.zone)
    except (OSError, RasterioError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({**asdict(report), "equal": report.equal}))
    else:
        print(in_words(report))
    return 0 if report.equal else 1


def compare(items: Path, results: Path, zone: int) -> Report:
    """All pixels and all zones."""
    red, nir = band_files(items)
    table = read_zones(results / "zones.csv")
    report = Report(zones=len(table))
    with (
        rasterio.open(red) as reds,
        rasterio.open(nir) as nirs,
        rasterio.open(results / "ndvi.tif") as result,
    ):
        report.wrong_format = wrong_format(result, reds)
        if report.wrong_format:
            return report
        expected = {}
        for top in range(0, reds.height, zone):
            window = Window(0, top, reds.width, min(zone, reds.height - top))
            index = ndvi(reds.read(1, window=window), nirs.read(1, window=window))
            found = result.read(1, window=Window(0, top, result.width, window.height))
            compare_pixels(report, index, found)
            for column, (pixels, mean) in enumerate(zonal_means(index, zone)):
                expected[top // zone, column] = pixels, mean
        margin = result.read(1, window=Window(0, reds.height, result.width, result.height))
        report.validity_differences += int((~np.isnan(margin)).sum())
    report.zone_differences = differing_zones(expected, table)
    return report


def band_files(items: Path) -> tuple[Path, Path]:
    """The two rasters named by a collection of one item."""
    (item,) = json.loads(items.read_text(encoding="utf-8"))["features"]
    red, nir = (items.parent / item["assets"][band]["href"] for band in ("red", "nir"))
    return red, nir


def wrong_format(result: rasterio.DatasetReader, scene: rasterio.DatasetReader) -> str:
    """What is not as it should be with the GeoTIFF as such, or an empty text."""
    margin = [have - want for have, want in zip(result.shape, scene.shape, strict=True)]
    wrong = {
        "coordinate system": result.crs != scene.crs,
        "place": result.transform != scene.transform,
        # Sides are padded so that every overview is exactly half the one before.
        "size": min(margin) < 0 or max(margin) >= 2 ** len(result.overviews(1)),
        "data type": result.dtypes != ("float32",),
        "no-data value": result.nodata is None or not np.isnan(result.nodata),
        "tiling": not result.is_tiled,
        "overviews": max(scene.shape) > 1024 and not result.overviews(1),
    }
    return ", ".join(what for what, is_wrong in wrong.items() if is_wrong)


def ndvi(red: np.ndarray, nir: np.ndarray) -> np.ndarray:
    """The index in float32, NaN where either band has no data (0)."""
    seen = (red > 0) & (nir > 0)
    red, nir = red.astype(np.float32), nir.astype(np.float32)
    index = np.full(red.shape, np.nan, dtype=np.float32)
    np.divide(nir - red, nir + red, out=index, where=seen)
    return index


def compare_pixels(report: Report, expected: np.ndarray, found: np.ndarray) -> None:
    """One strip; what the result has beyond the scene's right edge must be NaN."""
    inside, margin = np.split(found, [expected.shape[1]], axis=1)
    valid = ~np.isnan(expected)
    report.pixels += expected.size
    report.validity_differences += int((valid == np.isnan(inside)).sum())
    report.validity_differences += int((~np.isnan(margin)).sum())
    difference = np.abs(inside - expected)[valid & ~np.isnan(inside)]
    report.max_difference = max(report.max_difference, float(difference.max(initial=0.0)))


def zonal_means(index: np.ndarray, zone: int) -> Iterator[tuple[int, float]]:
    """Valid pixels and mean of each zone in a strip, in the same whole steps as ndvi.py."""
    for left in range(0, index.shape[1], zone):
        square = index[:, left : left + zone]
        values = np.rint(square[~np.isnan(square)].astype(np.float64) * STEPS)
        pixels = values.size
        yield pixels, float(values.sum() / STEPS / pixels) if pixels else float("nan")


def read_zones(path: Path) -> dict[tuple[int, int], tuple[int, float]]:
    """The table of ndvi.py."""
    with path.open(newline="", encoding="utf-8") as file:
        return {
            (int(row["row"]), int(row["column"])): (
                int(row["valid_pixels"]),
                float(row["mean_ndvi"]),
            )
            for row in csv.DictReader(file)
        }


def differing_zones(expected: dict, found: dict) -> int:
    """How many zones are missing, too many, or not equal to the last bit."""
    names = expected.keys() | found.keys()
    # repr: NaN is then equal to itself.
    return sum(repr(expected.get(name)) != repr(found.get(name)) for name in names)


def in_words(report: Report) -> str:
    """The report for people."""
    if report.wrong_format:
        return f"DIFFERENT: the GeoTIFF's {report.wrong_format}"
    return "\n".join(
        [
            f"{report.pixels:,} pixels: largest difference {report.max_difference:g}, "
            f"{report.validity_differences} valid in one and not in the other",
            f"{report.zones:,} zones: {report.zone_differences} different",
            "equal" if report.equal else "DIFFERENT",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
