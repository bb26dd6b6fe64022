"""Facts shipped with roost: instance types, regions and prices, each with its source and date.

Nothing here asks the network or needs an account. `load` gives the catalogue of a provider; only
the files that are asked for are read.
"""

from roost.catalogue.facts import (
    AddressRule,
    CpuCredits,
    Gpu,
    InstanceType,
    Rate,
    TransferTier,
    VolumeRule,
)
from roost.catalogue.load import Catalogue, load
from roost.catalogue.region import RegionPrices

__all__ = [
    "AddressRule",
    "Catalogue",
    "CpuCredits",
    "Gpu",
    "InstanceType",
    "Rate",
    "RegionPrices",
    "TransferTier",
    "VolumeRule",
    "load",
]
