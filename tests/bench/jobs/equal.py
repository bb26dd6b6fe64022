"""Work for about half a minute; says when it has begun, and whether numpy computes the same."""

import time

import dask.array as da
import numpy as np
from dask.distributed import Client


def slowly(block: np.ndarray) -> np.ndarray:
    time.sleep(2)
    return block


client = Client()
numbers = da.arange(36_000_000, chunks=500_000, dtype="float64")
future = client.compute((numbers.map_blocks(slowly) % 7).reshape(6000, 6000).sum(axis=0))
print("begun", flush=True)
found = future.result()
wanted = (np.arange(36_000_000, dtype="float64") % 7).reshape(6000, 6000).sum(axis=0)
print("equal" if np.array_equal(found, wanted) else "different", flush=True)
