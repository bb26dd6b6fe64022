"""The file's ``[dask]`` table, as words and variables of scheduler and workers. Pure."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.spec.cluster import Cluster

CONFIG_VARIABLE = "DASK_INTERNAL_INHERIT_CONFIG"
"""Where Dask itself reads what one of its processes hands to another."""
NO_SPILL = {"distributed.worker.memory.target": False, "distributed.worker.memory.spill": False}


def variables(spec: Cluster) -> dict[str, str]:
    """Return the variables of every process of the cluster."""
    from roost.notebook.dask.idle import IDLE_VARIABLE
    from roost.notebook.dask.preload import PRELOAD_VARIABLE

    dask = spec.dask
    if dask is None:
        return {}
    config = {**({} if dask.spill else NO_SPILL), **dask.config}
    found = {}
    if config:
        text = json.dumps(config, sort_keys=True).encode()
        found[CONFIG_VARIABLE] = base64.urlsafe_b64encode(text).decode()
    if dask.preload:
        found[PRELOAD_VARIABLE] = " ".join(dask.preload)
    if dask.idle_timeout is not None:
        found[IDLE_VARIABLE] = f"{dask.idle_timeout.total_seconds():g}"
    return found


def worker_words(spec: Cluster) -> tuple[str, ...]:
    """Return the options of ``python -m roost.notebook.dask.worker``."""
    dask = spec.dask
    if dask is None:
        return ()
    resources = ",".join(f"{name}={amount:g}" for name, amount in sorted(dask.resources.items()))
    return (
        *(("--processes", str(dask.processes)) if dask.processes is not None else ()),
        *(("--nthreads", str(dask.threads)) if dask.threads is not None else ()),
        *(("--resources", resources) if resources else ()),
        *(() if dask.nanny else ("--no-nanny",)),
        *(("--worker-class", dask.worker_class) if dask.worker_class else ()),
    )
