"""What is wanted: the TOML file, checked whole, as frozen models."""

from roost.spec.classroom import Classroom
from roost.spec.cluster import Cluster
from roost.spec.desktop import Desktop
from roost.spec.kinds import Spec
from roost.spec.load import from_json, load

__all__ = ["Classroom", "Cluster", "Desktop", "Spec", "from_json", "load"]
