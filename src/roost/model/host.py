"""The user's own machine, as far as a plan must know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """The user's own machine: its CPUs and its memory in GiB."""

    cpus: int
    memory_gib: float
