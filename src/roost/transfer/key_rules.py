"""Rules for names: both sides must be able to hold them."""

from __future__ import annotations

PART = ".roost-part"
"""The ending of a file that is still being received."""
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
    if any(len(part.encode()) > LONGEST_NAME for part in parts):
        return f"a part of its name has more than {LONGEST_NAME} bytes"
    if any(part.endswith(PART) for part in parts):
        return f"{PART} is for files that are being received"
    return None


def show(name: str) -> str:
    """Return the name in one line of a terminal, whatever is in it."""
    if name.isprintable():
        return name
    return name.encode("unicode_escape", "backslashreplace").decode("ascii")
