"""Host keys from what cloud-init writes to a machine's console. Pure.

Several write to the console at once: cloud-init itself, syslog and the kernel, each with a prefix
of its own (``[   12.3] cloud-init[811]:``), and any of them may cut another's line in two. So a key
counts only if its blob is whole and says the same type as its line.
"""

from __future__ import annotations

import base64
import binascii
import re

BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
END = "-----END SSH HOST KEY KEYS-----"
KEY = re.compile(
    r"(?:^|\s)(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))"
    r" +([A-Za-z0-9+/]{32,}={0,2})(?=\s|$)"
)


def host_keys(output: str) -> tuple[str, ...]:
    """Return ``("ssh-ed25519 AAAA...", ...)``, the keys of the last complete block; () without one.

    cloud-init writes the block at the first boot only; the console may have lost it since.
    """
    found: tuple[str, ...] = ()
    block: dict[str, None] | None = None
    for line in output.splitlines():
        if BEGIN in line:
            block = {}
        elif END in line:
            found = tuple(block or ()) or found
            block = None
        elif block is not None and (key := _key(line)) is not None:
            block[key] = None
    return found


def _key(line: str) -> str | None:
    """Return the key on a line, if it is whole."""
    match = KEY.search(line)
    if match is None:
        return None
    kind, blob = match.groups()
    try:
        parts = _parts(base64.b64decode(blob, validate=True))
    except (binascii.Error, ValueError):
        return None
    return f"{kind} {blob}" if len(parts) > 1 and parts[0] == kind.encode() else None


def _parts(blob: bytes) -> list[bytes]:
    """Split an SSH blob into its strings, each after its length (RFC 4251). Raises ValueError."""
    parts = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise ValueError("cut in two")
        parts.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return parts
