"""The TOML file, checked whole, as frozen models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.spec.kinds import KINDS, Spec, model_of
from roost.spec.load import from_json, load

if TYPE_CHECKING:
    from roost.spec.classroom import Classroom
    from roost.spec.cluster import Cluster
    from roost.spec.desktop import Desktop

__all__ = ["Classroom", "Cluster", "Desktop", "Spec", "from_json", "load"]


def __getattr__(name: str) -> Any:
    """Import a model when it is first used."""
    if name.lower() in KINDS:
        return model_of(name.lower())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
