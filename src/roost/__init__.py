"""roost: scientists' computers in the cloud, from one file.

The flow, one direction only: ``spec`` (what is wanted) -> ``prices`` and ``plan`` (pure) ->
``clouds`` (effects) -> ``recipes`` (what a machine runs on itself) -> ``access`` (reach it).
"""

__version__ = "0.1.0"
