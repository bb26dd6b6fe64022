"""Is the GeoTIFF that the notebook wrote what numpy computes from the same two bands?"""

import numpy as np
import rasterio

bands = []
for name in ("red", "nir"):
    with rasterio.open(f"data/{name}.tif") as file:
        bands.append(file.read(1))
red, nir = (band.astype("float32") for band in bands)
seen = (bands[0] > 0) & (bands[1] > 0)
with np.errstate(divide="ignore", invalid="ignore"):
    wanted = np.where(seen, (nir - red) / (nir + red), np.float32("nan"))
with rasterio.open("results/notebook.tif") as file:
    found = file.read(1)[: wanted.shape[0], : wanted.shape[1]]
print("equal" if np.array_equal(found, wanted, equal_nan=True) else "different", int(seen.sum()))
