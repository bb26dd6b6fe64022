"""The one address to open."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote


def address(jupyter: dict[str, Any], token: str) -> str:
    """Return the browser's address, from ``jupyter.json`` and the token."""
    return f"{str(jupyter['url']).rstrip('/')}/?token={quote(token, safe='')}"
