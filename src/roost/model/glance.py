"""A look at a seat: what it says of itself. Parsed once, bounded, and not believed further.

Who has a seat may be root there, so a picture is a JPEG of a bounded size or it is none, and a text
is short and printable.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from typing import Any

LONGEST_LINE = 200_000
LARGEST, WIDEST = 65_536, 1024
"""Bytes of a picture, and pixels of a side."""
LONGEST = 200
SILENT = "does not answer"
WHY = {
    "silent": SILENT,
    "refused": "its page does not answer",
    "failed": "its page has an error",
    "password": "the gateway has no password of it; `roost up` brings it",
    "old": "it was set up by an older roost; `roost up` brings what is missing",
}
NOT_ITS_FAULT = ("password", "old")


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, and a short word that is another one where the picture is."""

    data: bytes
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One look at a seat. ``miss`` is why it gave no answer, one of WHY's keys; "" where it did.

    ``picture`` is None where it is as before (``same``), or where there is none. Memory is in MiB.
    """

    seat: str
    miss: str = ""
    picture: Picture | None = None
    same: bool = False
    idle_s: float | None = None
    used: int | None = None
    memory: int | None = None
    failed: bool = False
    hand: bool = False
    error: str = ""


def parse(line: bytes | str) -> Glance | None:
    """Read a line of the gateway's program; None where it is none."""
    try:
        told = json.loads(line)
        seat, miss = told["seat"], told.get("error", "")
        if not isinstance(seat, str) or (miss and miss not in WHY):
            return None
        if miss:
            return Glance(seat=seat, miss=miss)
        found = json.loads(base64.b64decode(told["answer"], validate=True))
        return _answer(seat, found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _answer(seat: str, found: Any) -> Glance:
    if not isinstance(found, dict):
        return Glance(seat=seat, miss="failed")
    mark, picture = found.get("hash"), None
    if "picture" in found and isinstance(mark, str) and len(mark) == 16 and mark.isalnum():
        picture = picture_of(found["picture"], mark)
    used, memory = _memory(found.get("memory"))
    return Glance(
        seat=seat,
        picture=picture,
        same=mark is not None and "picture" not in found,
        idle_s=_seconds(found.get("idle_s")),
        used=used,
        memory=memory,
        failed=found.get("failed") is True,
        hand=found.get("hand") is True,
        error=_text(found.get("error")),
    )


def picture_of(text: object, mark: str) -> Picture | None:
    """Return a JPEG that is neither large nor wide; None for anything else."""
    if not isinstance(text, str) or len(text) > LARGEST * 4 // 3 + 4:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    size = jpeg_size(data)
    fits = size is not None and all(0 < side <= WIDEST for side in size)
    return Picture(data, mark) if fits else None


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as the JPEG's own frame says; None where it is no JPEG."""
    if data[:3] != b"\xff\xd8\xff" or data[-2:] != b"\xff\xd9":
        return None
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind in (0xC0, 0xC1):  # baseline and extended, without the many scans of progressive
            height, width = (int.from_bytes(data[at + n : at + n + 2], "big") for n in (5, 7))
            return width, height
        if length < 2:
            return None
        at += 2 + length
    return None


def _seconds(told: Any) -> float | None:
    good = type(told) in (int, float) and math.isfinite(told) and 0 <= told < 10**9
    return float(told) if good else None


def _memory(told: Any) -> tuple[int | None, int | None]:
    if not isinstance(told, list) or len(told) != 2:
        return None, None
    used, whole = told
    good = type(used) is int and type(whole) is int and 0 <= used <= whole < 2**40 and whole > 0
    return (used, whole) if good else (None, None)


def _text(told: Any) -> str:
    return (
        "".join(one for one in told if one.isprintable())[:LONGEST] if isinstance(told, str) else ""
    )
