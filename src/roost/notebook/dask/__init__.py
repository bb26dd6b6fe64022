"""Launchers and helpers of Dask's scheduler and workers."""
