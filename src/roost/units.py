"""Sizes, durations and spans as people write them.

Sizes follow the clouds' own habit: EBS, EC2 and OpenStack count in units of 2**30 bytes and call
them "GB" or "GiB", so roost reads both as the same thing.
"""

from __future__ import annotations

import re
from datetime import timedelta

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$")
_SIZE_GIB = {"mb": 1 / 1024, "mib": 1 / 1024, "gb": 1.0, "gib": 1.0, "tb": 1024.0, "tib": 1024.0}
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)", re.IGNORECASE)
_SPAN_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_size(text: object) -> float:
    """The size in GiB of ``"500GB"``, ``"16 GiB"``, ``"1.5TB"`` or ``"512MiB"``.

    Raises ValueError where the unit is missing or unknown, or the size is not above 0.
    """
    match = _SIZE.match(text) if isinstance(text, str) else None
    if match is None or match[2].lower() not in _SIZE_GIB:
        raise ValueError('a size with its unit: "512MiB", "16GiB", "500GB", "2TB"')
    size = float(match[1]) * _SIZE_GIB[match[2].lower()]
    if size <= 0:
        raise ValueError("a size above 0")
    return size


def format_size(gib: float) -> str:
    """``500.0`` -> ``"500GB"``, ``1536.0`` -> ``"1.5TB"``, ``0.5`` -> ``"512MB"``."""
    if gib >= 1024 and (gib / 1024 * 10).is_integer():
        return f"{gib / 1024:g}TB"
    return f"{gib:g}GB" if gib >= 1 else f"{gib * 1024:g}MB"


def parse_span(text: object) -> timedelta:
    """The length of time in ``"30m"``, ``"1h30m"``, ``"2 d"``; units s, m (min), h, d, w.

    Raises ValueError for anything else, and for 0.
    """
    parts = _SPAN_PART.findall(text) if isinstance(text, str) else []
    rest = _SPAN_PART.sub("", text).strip() if isinstance(text, str) else "?"
    if not parts or rest:
        raise ValueError('a length of time with its unit: "30m", "2h", "1h30m", "5d"')
    span = timedelta(seconds=sum(float(n) * _SPAN_SECONDS[u.lower()] for n, u in parts))
    if not span:
        raise ValueError("a length of time above 0")
    return span


def format_span(span: timedelta) -> str:
    """``timedelta(hours=26, minutes=30)`` -> ``"1d2h30m"``."""
    left = int(span.total_seconds())
    out = ""
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        out += f"{count}{unit}" if count else ""
    return out or "0s"
