"""The rows of `roost ls` for one site: two calls, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from roost.home import is_name
from roost.providers.openstack import marks, observe, parse, record
from roost.providers.openstack.client import Site
from roost.providers.provider import Summary


def summaries(site: Site, place: str) -> tuple[Summary, ...]:
    """Return every name of roost's in the project, also those of which only the record is left."""
    site.connection  # noqa: B018 - made by one thread, before many use it
    with ThreadPoolExecutor(2) as pool:
        records = pool.submit(record.find, site)
        servers = pool.submit(observe.servers, site)
    return summarized(servers.result(), records.result(), place)


def summarized(
    servers: Iterable[dict[str, Any]], records: Iterable[dict[str, Any]], place: str
) -> tuple[Summary, ...]:
    """Return the rows, by name, without what is gone or not made by roost. Pure."""
    kept = {record.name_in(one): record.read(one) for one in records}
    states: dict[str, Counter[str]] = {name: Counter() for name in kept if is_name(name)}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in servers:
        name = marks.metadata(one).get(marks.NAME, "")
        if is_name(name):
            by_name.setdefault(name, []).append(one)
    for name, those in by_name.items():
        ours, _ = parse.sort_servers(those, name)
        if ours:
            count = Counter(str(i.state) for i in parse.instances(ours))
            states.setdefault(name, Counter()).update(count)
    return tuple(
        Summary(
            name=name,
            kind=kept[name].kind if name in kept else "unknown",
            cloud="openstack",
            region=place,
            states=dict(count),
            created=kept[name].created if name in kept else None,
            owner=_owner(kept.get(name)),
        )
        for name, count in sorted(states.items())
    )


def _owner(kept: record.Kept | None) -> str:
    return kept.owner.caller if kept is not None and kept.owner is not None else ""
