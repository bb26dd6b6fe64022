"""Commented files to start from, one for each kind."""

from __future__ import annotations

from pathlib import Path

from roost.spec.values import as_name

PLACEHOLDER = "my-name"
DEFAULT_NAMES = {"cluster": "my-cluster", "desktop": "my-desktop", "classroom": "my-class"}


def starter(kind: str, name: str) -> str:
    """Return the text of a starter file; ``name`` must be a usable one."""
    text = (Path(__file__).parent / f"{kind}.toml").read_text(encoding="utf-8")
    return text.replace(PLACEHOLDER, name)


def usable_name(text: str, kind: str) -> str:
    """Turn ``text`` (a folder's name) into a name; a plain one where nothing of it is left."""
    return as_name(text) or DEFAULT_NAMES[kind]
