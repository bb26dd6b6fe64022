"""Reach a running cluster from Python: ``from roost.dask import RoostCluster``.

These modules also run on the nodes, in the cluster's own environment: they use the standard
library and distributed, and nothing that only roost's own environment has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.notebook.dask.cluster import RoostCluster

__all__ = ["RoostCluster"]


def __getattr__(name: str) -> Any:
    """Import distributed only when the class is used."""
    if name == "RoostCluster":
        from roost.notebook.dask.cluster import RoostCluster

        return RoostCluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
