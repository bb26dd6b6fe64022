"""The public keys of people: lines as OpenSSH has them, files of such lines, or a cloud's own."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

from roost.spec.table import Surroundings, project_folder, wrong

ALLOWED = (
    'a public key with a name after it ("ssh-ed25519 AAAA... alice"), a file of such keys'
    ' ("alice.pub"), or a key pair that the cloud has ("aws:NAME")'
)
KINDS = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)"
    r"|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
)
NAME = re.compile(r"[\w.@+ -]{1,64}")
PAIR = re.compile(r"[a-z]+:[\w.@+-]{1,255}", re.ASCII)
MOST = 30
"""More of them do not fit beside a file in its record."""
LARGEST = 100_000
"""Bytes of a file of keys."""


def expand(found: tuple[str, ...], here: Surroundings | None) -> tuple[str, ...]:
    """Return each key as one line; files are read where the user's own file names them only."""
    keys: list[str] = []
    for number, text in enumerate(found):
        for key in _keys(text, here, number):
            if key.rpartition(" ")[0] in {one.rpartition(" ")[0] for one in keys if " " in one}:
                raise wrong("a key twice", at=(number,))
            keys.append(key)
    if len(keys) > MOST:
        raise wrong(f"{len(keys)} keys", allowed=f"at most {MOST}")
    return tuple(keys)


def _keys(text: str, here: Surroundings | None, number: int) -> list[str]:
    if KINDS.match(text):
        return [_key(text, "", number)]
    if PAIR.fullmatch(text):
        cloud = here.rules.name if here is not None and here.rules is not None else None
        if cloud is not None and text.partition(":")[0] != cloud:
            raise wrong("a key pair of another cloud", allowed=ALLOWED, at=(number,))
        return [text]
    if here is None or here.recorded:
        raise wrong("not a public key", allowed=ALLOWED, at=(number,))
    path = project_folder(here.folder, text.replace("\0", ""))
    lines = _lines(path, number)
    return [_key(line, path.stem, number) for line in lines]


def one_key(line: str, name: str) -> str:
    """Return a public key as one line that ends with ``name``. Raises PydanticCustomError."""
    kind, blob, *_ = [*line.split(), "", ""]
    return _key(f"{kind} {blob} {name}", "", 0)


def _lines(path: Path, number: int) -> list[str]:
    if not os.path.isfile(path):
        raise wrong(f"no such file: {path}", allowed=ALLOWED, at=(number,))
    text = path.read_bytes()[:LARGEST].decode(errors="replace")
    if "PRIVATE KEY" in text:
        raise wrong(f"{path.name} is a private key", allowed=f"{path.name}.pub", at=(number,))
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _key(line: str, name: str, number: int) -> str:
    """Return ``"KIND BASE64 NAME"``; a file's keys can take its name."""
    kind, _, rest = line.partition(" ")
    blob, _, comment = rest.strip().partition(" ")
    try:
        raw = base64.b64decode(blob, validate=True)
    except ValueError:
        raw = b""
    length = int.from_bytes(raw[:4], "big")
    if not KINDS.fullmatch(kind) or raw[4 : 4 + length] != kind.encode():
        raise wrong("not a public key", allowed=ALLOWED, at=(number,))
    comment = comment.strip() or name
    if not NAME.fullmatch(comment):
        raise wrong("a public key without a name", allowed=ALLOWED, at=(number,))
    return f"{kind} {blob} {comment.replace(' ', '-')}"
