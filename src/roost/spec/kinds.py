"""The three kinds of file, by the word that names each."""

from __future__ import annotations

from roost.spec.classroom import Classroom
from roost.spec.cluster import Cluster
from roost.spec.desktop import Desktop

Spec = Desktop | Cluster | Classroom
KINDS: dict[str, type[Spec]] = {"desktop": Desktop, "cluster": Cluster, "classroom": Classroom}
