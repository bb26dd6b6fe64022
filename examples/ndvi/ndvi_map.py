"""The map of ndvi.py: NDVI beside its zonal means, with coordinates and a legend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, MaxNLocator

LOWEST, HIGHEST = -0.6, 1.0
LARGEST_SIDE = 1200
LAND_COVER = {"water": -0.3, "bare": 0.1, "sparse": 0.35, "dense": 0.75}

Extent = tuple[float, float, float, float]


def ndvi_colours() -> LinearSegmentedColormap:
    """Blues for water (below 0), sand for bare ground, greens for plants, grey for no data."""
    stops = {
        -0.6: "#0b3c6f",
        -0.2: "#4a90c2",
        -0.02: "#cfe5ee",
        0.0: "#efe6cf",
        0.15: "#e3cf9b",
        0.35: "#bcd07a",
        0.6: "#4f9d45",
        1.0: "#0b4a22",
    }
    span = HIGHEST - LOWEST
    points = [((value - LOWEST) / span, colour) for value, colour in stops.items()]
    colours = LinearSegmentedColormap.from_list("ndvi", points)
    colours.set_bad("#bbbbbb")
    return colours


def draw_map(raster: Path, means: np.ndarray, zone: int, title: str, path: Path) -> None:
    """Draw what a reader needs on one page; of the raster only a small overview is read."""
    overview, extent, crs = read_overview(raster)
    with rasterio.open(raster) as source:
        west, north = source.transform * (0, 0)
        east, south = source.transform * (means.shape[1] * zone, means.shape[0] * zone)
        size = abs(source.transform.a) * zone
    tall = (extent[3] - extent[2]) / (extent[1] - extent[0])
    figure = Figure(figsize=(11.5, 1.6 + 4.4 * tall), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    picture = draw_panel(left, overview, extent, "NDVI")
    draw_panel(right, means, (west, east, south, north), f"mean NDVI in squares of {size:g} m")
    # The last zones reach beyond the scene; the scene sets the frame.
    left.set(xlim=extent[:2], ylim=extent[2:], ylabel=f"northing [km], {crs}")
    figure.suptitle(title, fontsize=14)
    bar = figure.colorbar(picture, ax=[left, right], shrink=0.85, label="NDVI")
    names = bar.ax.secondary_yaxis("left")
    names.set_yticks(list(LAND_COVER.values()), labels=list(LAND_COVER), rotation=90, va="center")
    names.tick_params(length=0)
    figure.savefig(path, dpi=110)


def read_overview(raster: Path) -> tuple[np.ndarray, Extent, str]:
    """The pixels at a size for a page, taken from the GeoTIFF's overviews; their place."""
    with rasterio.open(raster) as source:
        factor = 2 ** max(0, int(np.ceil(np.log2(max(source.shape) / LARGEST_SIDE))))
        shape = tuple(max(1, side // factor) for side in source.shape)
        bounds = source.bounds
        extent = (bounds.left, bounds.right, bounds.bottom, bounds.top)
        return source.read(1, out_shape=shape), extent, str(source.crs)


def draw_panel(axes: Axes, pixels: np.ndarray, extent: Extent, name: str) -> AxesImage:
    """One picture in map coordinates."""
    picture = axes.imshow(
        np.ma.masked_invalid(pixels),
        extent=extent,
        cmap=ndvi_colours(),
        norm=Normalize(LOWEST, HIGHEST),
        interpolation="nearest",
    )
    axes.set(title=name, xlabel="easting [km]", aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda metres, _: f"{metres / 1000:g}"))
    return picture
