"""roost: scientists' computers in the cloud, from one file.

Public for programs, and documented in docs/python.md: ``roost.dask``, ``roost.errors``,
``roost.spec``, and ``--json`` of every command. All else may change in any version.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
