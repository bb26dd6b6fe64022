#!/usr/bin/python3
"""``home NAME=PLACE...``: the data volumes as icons on the user's desktop, and in the file manager.
Run as the user.
"""

from __future__ import annotations

import sys
from pathlib import Path


def link(icon: Path, place: str) -> None:
    """Link to the place; leave what the user has put there under this name."""
    if icon.is_symlink():
        icon.unlink()
    if not icon.exists():
        icon.symlink_to(place)


def remember(file: Path, *places: Path) -> None:
    """Add the places to the file manager's side, once; what the user has there stays."""
    lines = file.read_text().splitlines() if file.exists() else []
    known = {line.partition(" ")[0] for line in lines}
    lines += [place.as_uri() for place in places if place.as_uri() not in known]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    """Make one icon for each volume."""
    home = Path.home()
    desktop, downloads = home / "Desktop", home / "Downloads"
    for folder in (desktop, downloads):
        folder.mkdir(exist_ok=True)
    volumes = [word.partition("=")[::2] for word in sys.argv[1:]]
    for name, place in volumes:
        link(desktop / name, place)
    remember(home / ".config/gtk-3.0/bookmarks", downloads, *(Path(place) for _, place in volumes))


if __name__ == "__main__":
    main()
