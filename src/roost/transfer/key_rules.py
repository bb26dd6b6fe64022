"""Rules for names: both sides must be able to hold them."""

from __future__ import annotations

import re
from hashlib import sha256

PART = ".roost-part"
"""The ending of a file that is still being received; see ``part_name``."""
_PART = re.compile(rf"\.([0-9a-f]{{16}})([0-9a-f]{{8}}){re.escape(PART)}")
OURS = ".roost/"
"""The folder of roost's own objects (manifests) below a prefix; no file of the user's."""
LONGEST_KEY = 1024
LONGEST_NAME = 255


def key_trouble(name: str, prefix: str = "") -> str | None:
    """Return the reason for which no object can have the name of this file; None if one can."""
    try:
        key = (prefix + name).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if len(key) > LONGEST_KEY:
        return f"its name has more than {LONGEST_KEY} bytes in S3"
    return None


def file_trouble(name: str) -> str | None:
    """Return the reason for which no file can have the name of this object; None if one can."""
    parts = name.removesuffix("/").split("/")
    if "" in parts:
        return "its name has an empty part (//, or a slash at the beginning)"
    if "." in parts or ".." in parts:
        return 'its name has a part "." or ".."'
    if "\0" in name:
        return "its name has a NUL"
    if any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME for part in parts):
        return f"a part of its name has more than {LONGEST_NAME} bytes"
    if any(is_part(part) for part in parts):
        return "such a name is for files that are being received"
    return None


def part_name(seed: str) -> str:
    """Return the name under which a file is received: nobody gives it to a file by accident.

    Its second half is a checksum of the first, so that roost knows its own.
    """
    first = _digest(seed)[:16]
    return f".{first}{_digest(f'roost part {first}')[:8]}{PART}"


def is_part(name: str) -> bool:
    """Tell if a name (without its folder) is one that ``part_name`` gives."""
    fits = _PART.fullmatch(name) if name.endswith(PART) else None
    return fits is not None and _digest(f"roost part {fits[1]}")[:8] == fits[2]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def show(name: str) -> str:
    """Return the name in one line of a terminal, whatever is in it."""
    if name.isprintable():
        return name
    return name.encode("unicode_escape", "backslashreplace").decode("ascii")
