"""Reach a running cluster from Python: ``from roost.dask import RoostCluster``."""
