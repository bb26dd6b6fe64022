"""The files of this computer that the machines of a name may get: those that its user gave.

The record of a name lies with the cloud, where whoever shares the account can write. So a path in
it is obeyed only if ``roost up FILE`` has named it on this computer, for this name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.providers.provider import Cloud
    from roost.spec import Spec

MOST = 1_000_000
"""Bytes of a list that are read."""


def give(cloud: Cloud, spec: Spec) -> None:
    """Remember the files that a spec, read from a file of this computer, names."""
    from roost.recipes.registry import secrets_of, uploads_of

    paths = {source.path for source in uploads_of(spec).values()} | set(secrets_of(spec).values())
    place = _list(cloud, spec.name)
    if not paths and not place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    beside.write_text(json.dumps(sorted(os.fspath(path.absolute()) for path in paths)) + "\n")
    beside.replace(place)


def given(cloud: Cloud, name: str) -> frozenset[Path]:
    """Return the files that were given for a name; none where the list cannot be read."""
    try:
        with _list(cloud, name).open("rb") as file:
            paths = json.loads(file.read(MOST))
    except (OSError, ValueError):
        return frozenset()
    if not isinstance(paths, list):
        return frozenset()
    return frozenset(Path(path) for path in paths if isinstance(path, str))


def _list(cloud: Cloud, name: str) -> Path:
    from roost.home import check_name, home

    return home() / "given" / f"{cloud.name}-{cloud.region or 'here'}-{check_name(name)}.json"
