"""The three kinds of file. Only the one that a file is of gets imported: models take a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from roost.spec.classroom import Classroom
    from roost.spec.cluster import Cluster
    from roost.spec.desktop import Desktop

Spec: TypeAlias = "Desktop | Cluster | Classroom"

KINDS = ("desktop", "cluster", "classroom")
"""The words that may stand at ``kind``."""


def model_of(kind: str) -> type[Spec]:
    """Return the model of a kind. Raises LookupError where there is none."""
    match kind:
        case "desktop":
            from roost.spec.desktop import Desktop

            return Desktop
        case "cluster":
            from roost.spec.cluster import Cluster

            return Cluster
        case "classroom":
            from roost.spec.classroom import Classroom

            return Classroom
    raise LookupError(kind)
