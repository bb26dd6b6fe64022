"""Sizes, durations and spans as people write them.

Sizes follow the clouds' own habit: EBS, EC2 and OpenStack count in units of 2**30 bytes and call
them "GB" or "GiB", so roost reads both as the same thing.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_SIZE_GIB = {"mb": 1 / 1024, "mib": 1 / 1024, "gb": 1.0, "gib": 1.0, "tb": 1024.0, "tib": 1024.0}
_SPAN_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d|w)", re.IGNORECASE | re.ASCII)
_SPAN_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LARGEST_TB = 1_000_000
LONGEST_DAYS = 3650


def parse_size(text: object) -> float:
    """Return the size in GiB of ``"500GB"``, ``"16 GiB"``, ``"1.5TB"`` or ``"512MiB"``.

    Raises ValueError where the unit is missing or unknown, or the size is not above 0.
    """
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2].lower() not in _SIZE_GIB:
        raise ValueError('a size with its unit: "512MiB", "16GiB", "500GB", "2TB"')
    size = float(match[1]) * _SIZE_GIB[match[2].lower()]
    if not 0 < size <= LARGEST_TB * 1024:
        raise ValueError("a size above 0" if size <= 0 else f'a size of at most "{LARGEST_TB}TB"')
    return size


def format_size(gib: float) -> str:
    """Format ``500.0`` as ``"500GB"``, ``1536.0`` as ``"1.5TB"``, ``0.5`` as ``"512MB"``."""
    if gib >= 1024 and (gib / 1024 * 10).is_integer():
        # All its digits: six are too few for 190130.5TB.
        return f"{gib / 1024:.1f}".removesuffix(".0") + "TB"
    return f"{_written(gib)}GB" if gib >= 1 else f"{_written(gib * 1024)}MB"


def _written(number: float) -> str:
    """Format whole numbers exactly, others with six digits; never with an exponent."""
    return f"{number:.0f}" if float(number).is_integer() else f"{Decimal(f'{number:.6g}'):f}"


def parse_span(text: object) -> timedelta:
    """Return the span in ``"30m"``, ``"1h30m"``, ``"2 d"``; units s, m (min), h, d, w.

    Raises ValueError for anything else, and for 0.
    """
    parts = _SPAN_PART.findall(text) if isinstance(text, str) else []
    rest = _SPAN_PART.sub("", text).strip() if isinstance(text, str) else "?"
    if not parts or rest:
        raise ValueError('a length of time with its unit: "30m", "2h", "1h30m", "5d"')
    seconds = sum(float(n) * _SPAN_SECONDS[u.lower()] for n, u in parts)
    if seconds > LONGEST_DAYS * 86400:
        raise ValueError(f'a length of time of at most "{LONGEST_DAYS}d"')
    span = timedelta(seconds=seconds)
    if not span:
        raise ValueError("a length of time above 0")
    if span.microseconds:
        raise ValueError("a length of time in whole seconds")
    return span


def format_span(span: timedelta) -> str:
    """Format ``timedelta(hours=26, minutes=30)`` as ``"1d2h30m"``."""
    left = int(span.total_seconds())
    out = ""
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        out += f"{count}{unit}" if count else ""
    return out or "0s"
