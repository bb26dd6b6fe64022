"""A file's time and executable bit in an object's metadata, as rclone keeps them too."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from roost.transfer.s3.bucket import META

LONGEST = 64
"""Characters of a time in metadata; what is longer is none."""
DIGITS = 11
"""Digits of its seconds: about as far as file systems can go."""


def headers(mtime_ns: int, mode: int) -> dict[str, str]:
    """Return ``mtime`` in seconds, with all its digits; ``mode`` where it is an unusual one."""
    sign, (seconds, rest) = ("-" if mtime_ns < 0 else ""), divmod(abs(mtime_ns), 10**9)
    made = {f"{META}mtime": f"{sign}{seconds}.{rest:09d}".rstrip("0").rstrip(".")}
    if mode & 0o111:
        made[f"{META}mode"] = f"0{0o100000 | mode & 0o7777:o}"
    return made


def mtime_ns(meta: Mapping[str, str]) -> int | None:
    """Return the time in nanoseconds; None where none is kept or it cannot be read."""
    text = meta.get("mtime", "")
    if not text or len(text) > LONGEST:
        return None
    try:
        seconds = Decimal(text)
        if not seconds.is_finite() or seconds.adjusted() > DIGITS:
            return None  # its digits alone would take minutes
        made = int(seconds * 10**9)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return made if abs(made) < 2**63 * 10 else None


def executable(meta: Mapping[str, str]) -> bool:
    """Tell if the owner may run the file."""
    try:
        return bool(int(meta.get("mode", "0"), 8) & 0o100)
    except ValueError:
        return False
