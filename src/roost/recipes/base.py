"""Input of every recipe, and the uploads that it may ask for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a spec does not say: the workers that there are, and the SHA-256 of each upload."""

    workers: tuple[str, ...] = ()
    uploads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSource:
    """A file or a folder to upload (``only`` these of it, if any, ``below`` that name)."""

    path: Path
    only: tuple[str, ...] = ()
    below: str = ""
