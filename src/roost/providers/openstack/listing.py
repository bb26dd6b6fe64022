"""The rows of `roost ls` for one site: three calls, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from roost.home import is_name
from roost.model.record import read_record
from roost.model.summary import Followed, Summary, count_workers
from roost.providers.openstack import marks, observe, parse, record, record_group
from roost.providers.openstack.client import Site


def summaries(site: Site, place: str) -> tuple[Summary, ...]:
    """Return every name of roost's in the project, also those of which only the record is left."""
    site.connection  # noqa: B018 - made by one thread, before many use it
    with ThreadPoolExecutor(3) as pool:
        images = pool.submit(record.find, site)
        groups = pool.submit(_record_groups, site)
        servers = pool.submit(observe.servers, site)
    kept = {name_of(one): record_group.read(one) for one in groups.result()}
    kept |= {record.name_in(one): record.read(one) for one in reversed(images.result())}
    return summarized(servers.result(), kept, place)


def _record_groups(site: Site) -> list[dict[str, Any]]:
    """Return the security groups that keep records."""
    fields = [("fields", field) for field in ("id", "description", "tags", "created_at")]
    asked = [*fields, ("project_id", site.project)]
    every = site.every("network", "/security-groups", "security_groups", asked)
    return [one for one in every if record_group.is_record(one)]


def name_of(group: Mapping[str, Any]) -> str:
    """Return the name whose record a group keeps."""
    return marks.read_description(group.get("description"))[0]


def summarized(
    servers: Iterable[dict[str, Any]], kept: Mapping[str, record.Kept], place: str
) -> tuple[Summary, ...]:
    """Return the rows, by name, without what is gone or not made by roost. Pure."""
    states: dict[str, Counter[str]] = {name: Counter() for name in kept if is_name(name)}
    workers: dict[str, int] = {}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in servers:
        name = marks.metadata(one).get(marks.NAME, "")
        if is_name(name):
            by_name.setdefault(name, []).append(one)
    for name, those in by_name.items():
        ours, _ = parse.sort_servers(those, name)
        if ours:
            those_there = parse.instances(ours)
            count = Counter(str(i.state) for i in those_there)
            states.setdefault(name, Counter()).update(count)
            workers[name] = count_workers(those_there)
    return tuple(
        Summary(
            name=name,
            kind=kept[name].kind if name in kept else "unknown",
            cloud="openstack",
            region=place,
            states=dict(count),
            created=kept[name].created if name in kept else None,
            owner=_owner(kept.get(name)),
            follows=Followed.of(workers.get(name, 0), _follows(kept.get(name))),
        )
        for name, count in sorted(states.items())
    )


def _follows(kept: record.Kept | None) -> tuple[int, int] | None:
    return read_record(kept.record).follows if kept is not None else None


def _owner(kept: record.Kept | None) -> str:
    return kept.owner.caller if kept is not None and kept.owner is not None else ""
