#!/usr/bin/python3
"""``home NAME=PLACE...``: the data volumes as icons on the user's desktop. Run as the user."""

from __future__ import annotations

import sys
from pathlib import Path


def link(icon: Path, place: str) -> None:
    """Link to the place; leave what the user has put there under this name."""
    if icon.is_symlink():
        icon.unlink()
    if not icon.exists():
        icon.symlink_to(place)


def main() -> None:
    """Make one icon for each volume."""
    desktop = Path.home() / "Desktop"
    desktop.mkdir(exist_ok=True)
    for word in sys.argv[1:]:
        name, _, place = word.partition("=")
        link(desktop / name, place)


if __name__ == "__main__":
    main()
