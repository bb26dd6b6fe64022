"""What the user of this computer gave a name: files that its machines may get, data that may go.

The record of a name lies with the cloud, where whoever shares the account can write. So a path in
it, and a ``park = "discard"``, is obeyed only if ``roost up FILE`` has named it on this computer,
for this name. What a record rents or opens that was not agreed to on this computer is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.spec import Spec

MOST = 1_000_000
"""Bytes of a list that are read."""


def give(cloud: Cloud, spec: Spec) -> None:
    """Remember what a spec, read from a file of this computer, names."""
    from roost.parking.modes import ParkMode
    from roost.recipes.registry import secrets_of, uploads_of

    paths = {source.path for source in uploads_of(spec).values()} | set(secrets_of(spec).values())
    if spec.kind == "classroom" and spec.people is not None:
        paths.add(spec.people)
    discard = sorted(v.name for v in spec.volumes if v.park is ParkMode.DISCARD)
    names = sorted(os.fspath(path.absolute()) for path in paths)
    _write(cloud, spec.name, {"paths": names, "discard": discard})


def agree(cloud: Cloud, name: str, record: str) -> None:
    """Remember that the user of this computer lets a name be as a record says."""
    digest = _digest(record)
    if digest not in _read(cloud, name, "agreed"):
        _write(cloud, name, {"agreed": [digest]})


def agreed(cloud: Cloud, have: State) -> bool:
    """Tell whether the settings of a name are those that were agreed to on this computer."""
    return have.record is not None and _digest(have.record) in _read(cloud, have.name, "agreed")


def given(cloud: Cloud, name: str) -> frozenset[Path]:
    """Return the files that were given for a name; none where the list cannot be read."""
    return frozenset(Path(path) for path in _read(cloud, name, "paths"))


def discards(cloud: Cloud, have: State) -> frozenset[str]:
    """Return the volumes that the file says to discard, as its record still does.

    The record has each seat's volumes by their own names, the file one name for all of them.
    """
    from roost.parking.modes import ParkMode
    from roost.plan.wanted import volumes_of
    from roost.spec import from_json

    named = _read(cloud, have.name, "discard")
    if not named or not have.record:
        return frozenset()
    volumes = volumes_of(from_json(have.record)).items()
    return frozenset(name for name, v in volumes if v.park is ParkMode.DISCARD and v.name in named)


def met(cloud: Cloud, name: str) -> dict[str, str]:
    """Return the ids of the machines of a name that this computer has used, by their names."""
    pairs = (one.split(maxsplit=1) for one in _read(cloud, name, "machines"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def meet(cloud: Cloud, name: str, machines: Mapping[str, str]) -> None:
    """Remember these machines of a name, and no others."""
    _write(cloud, name, {"machines": [f"{node} {one}" for node, one in sorted(machines.items())]})


def _digest(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()


def _read(cloud: Cloud, name: str, key: str) -> list[str]:
    """Return a list of what was given."""
    listed = _all(cloud, name).get(key)
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _all(cloud: Cloud, name: str) -> dict[str, Any]:
    """Return all lists; an older roost wrote only the paths."""
    try:
        with _list(cloud, name).open("rb") as file:
            found = json.loads(file.read(MOST))
    except (OSError, ValueError):
        return {}
    if isinstance(found, list):
        return {"paths": found}
    return found if isinstance(found, dict) else {}


def _write(cloud: Cloud, name: str, lists: dict[str, list[str]]) -> None:
    """Write these lists beside the others."""
    place = _list(cloud, name)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    beside.write_text(json.dumps({**_all(cloud, name), **lists}) + "\n")
    beside.replace(place)


def _list(cloud: Cloud, name: str) -> Path:
    from roost.home import check_name, home

    return home() / "given" / f"{cloud.name}-{cloud.region or 'here'}-{check_name(name)}.json"
