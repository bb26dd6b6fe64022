"""Recipes of Dask and JupyterLab, on the own machine and on rented ones."""
