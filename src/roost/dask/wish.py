"""The keywords of ``RoostCluster``, said as the file says them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

OWN_MACHINE = "local"
IDLE = "20m"
"""After so long without work, rented machines stop by themselves unless another time is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for; None, or nothing: the file's own default."""

    n_workers: int | None = None
    cpus: int | None = None
    memory: str | None = None
    gpus: int | None = None
    type: str | None = None
    spot: bool | str | None = None
    cloud: str | None = None
    region: str | None = None
    idle: str | None = None
    project: str | Path | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> tuple[str, ...]:
        """The keywords that were given."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) not in (None, {}))


def values_of(
    wish: Wish, name: str, environment: Mapping[str, Any], *, rents: bool
) -> dict[str, Any]:
    """Return what a file would say; what ``keys`` has wins.

    ``environment`` is the table of that name; ``rents``: the cloud's machines cost money.
    """
    cloud = wish.cloud or OWN_MACHINE
    workers = {"count": wish.n_workers, "gpus": wish.gpus, "type": wish.type, "spot": wish.spot}
    machine = {"cpus": wish.cpus, "memory": wish.memory}
    process = {"threads": wish.cpus, "memory": wish.memory}
    tables: dict[str, Any] = {
        "name": name,
        "kind": "cluster",
        "cloud": cloud,
        # The notebook is the caller's own.
        "jupyter": {"enabled": False},
        "environment": dict(environment),
        "workers": {**workers, **(machine if rents else {})},
        "schedule": {"idle": (wish.idle or IDLE) if rents else None},
        "dask": {} if rents else {"idle_timeout": wish.idle},
        cloud: {"region": wish.region, **({} if rents else process)},
    }
    return _merged(_without_nothing(tables), wish.keys)


def _without_nothing(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the keys without a value, and the tables without a key."""
    plain = {
        key: _without_nothing(value) if isinstance(value, Mapping) else value
        for key, value in tables.items()
    }
    return {key: value for key, value in plain.items() if value is not None and value != {}}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return all keys of both; those of ``above`` win."""
    found = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found
