"""Make a cluster, or reach a running one, from Python: ``from roost.dask import RoostCluster``.

These modules also run on the nodes, in the cluster's own environment: they use the standard
library and distributed. ``launch`` alone needs all of roost, and is imported when something is
made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.dask.cluster import RoostCluster

__all__ = ["RoostCluster"]


def __getattr__(name: str) -> Any:
    """Import distributed only when the class is used. Raises ImportError where it is missing."""
    if name == "RoostCluster":
        try:
            from roost.dask.cluster import RoostCluster
        except ModuleNotFoundError as error:
            if error.name not in ("dask", "distributed"):
                raise
            what = f"RoostCluster needs {error.name}: pip install 'roost[dask]'"
            raise ImportError(what, name=error.name) from None
        return RoostCluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
