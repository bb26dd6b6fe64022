"""An answer of S3, and how a key and a query are written in a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

SAFE = "/-_.~"
"""The characters of a key that S3's signature does not quote."""


@dataclass(slots=True)
class Reply:
    """An answer. The names of its headers are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def query_text(query: Mapping[str, str]) -> str:
    """Return a query as S3's signature wants it."""
    return "&".join(f"{k}={quote(v, safe='-_.~')}" for k, v in sorted(query.items()))
