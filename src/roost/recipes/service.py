"""What a machine runs, as data: set-up steps once, then services for as long as it is up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """Done once: skipped where ``creates`` exists; ``lock`` keeps two machines from doing it."""

    name: str
    argv: tuple[str, ...]
    creates: str
    lock: str
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Kept running. It is ready once ``ready_file`` was written after its start, or at once.

    ``nice`` lowers its priority, so that it does not slow the start of what others wait for.
    """

    name: str
    argv: tuple[str, ...]
    ready_file: str | None = None
    cwd: str | None = None
    nice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """All that one machine does by itself; ``bin`` is put first on its PATH."""

    bin: str | None = None
    setup: tuple[SetupStep, ...] = ()
    services: tuple[Service, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A plain dict, as the machine's supervisor reads it."""
        return asdict(self)
