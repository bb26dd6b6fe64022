"""An answer of S3, and how a key is written in a request."""

from __future__ import annotations

from dataclasses import dataclass, field

SAFE = "/-_.~"
"""The characters of a key that S3's signature does not quote."""


@dataclass(slots=True)
class Reply:
    """An answer. The names of its headers are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
