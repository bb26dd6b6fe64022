"""What every recipe is given, and what it may ask to be brought. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a spec does not say: the head's private address, the workers that there are, and the
    SHA-256 of each upload."""

    head: str | None = None
    workers: tuple[str, ...] = ()
    uploads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is brought: a file, or a folder (``only`` these of it, if any, ``below`` that name)."""

    path: Path
    only: tuple[str, ...] = ()
    below: str = ""
