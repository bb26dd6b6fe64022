"""All resources of a project that are roost's, whether or not their record still exists.

A fixed number of calls for each site, all sites at once. Others' machines are in the same project:
only what carries roost's mark is listed, and beside it, as a hint, disks and addresses of nobody's
that cost all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from roost.cost.inventory import Found, Inventory
from roost.errors import RoostError, command_line
from roost.providers.openstack import marks, record, session
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import translated

if TYPE_CHECKING:
    from roost.cost.site_prices import SitePrices, State
    from roost.model.place import Place

Described = Mapping[str, Any]
PAGE = ("limit", "1000")
OFF = frozenset({"SHUTOFF", "SUSPENDED", "STOPPED"})
SHELVED = frozenset({"SHELVED", "SHELVED_OFFLOADED"})


class OpenStackAuditor:
    """The audit of the sites of clouds.yaml."""

    def regions(self, place: Place, *, every: bool) -> tuple[str, ...]:
        """Return the named site, or all that this computer is set up for. Raises RoostError."""
        del every  # there is no place beside those of clouds.yaml
        if place.region or place.profile:
            return (str(session.site_of(place)),)
        return tuple(map(str, session.sites())) or (str(session.site_of(place)),)

    def look(self, regions: tuple[str, ...], place: Place) -> tuple[Inventory, ...]:
        """Return what each site has; two entries that lead to one project are looked at once."""
        from roost.providers.openstack.at_once import at_once

        del place
        sites = {session.Site(*_halves(region)): region for region in regions}
        seen: dict[tuple[str, str], str] = {}
        found: list[Inventory] = []
        for at, answer in at_once(sites, _sweep).items():
            if isinstance(answer, RoostError):
                found.append(Inventory(sites[at], unknown=answer.what))
                continue
            if seen.setdefault(answer.identity, sites[at]) == sites[at]:
                found.append(answer.inventory)
        return tuple(found)


def _halves(region: str) -> tuple[str, str]:
    cloud, _, below = region.partition("/")
    return cloud, below


@dataclass(frozen=True, slots=True)
class _Swept:
    identity: tuple[str, str]
    inventory: Inventory


def _sweep(at: session.Site) -> _Swept:
    site = Site(partial(session.connect, at.cloud, at.region or None))
    with translated(f"look for what costs at {at}"):
        return _Swept(site.identity, sweep(site, at))


def sweep(site: Site, at: session.Site) -> Inventory:
    """Return all of one site that carries roost's mark, with the hints. Eight calls, at once."""
    mine = ("project_id", site.project)
    asks = {
        "server": partial(site.every, "compute", "/servers/detail", "servers", [PAGE]),
        "volume": partial(site.every, "block-storage", "/volumes/detail", "volumes", [PAGE]),
        "snapshot": partial(site.every, "block-storage", "/snapshots/detail", "snapshots", [PAGE]),
        "image": partial(
            site.every, "image", "/images", "images", [("owner", site.project), ("tag", marks.TAG)]
        ),
        "floating address": partial(site.every, "network", "/floatingips", "floatingips", [mine]),
        "security group": partial(
            site.every, "network", "/security-groups", "security_groups", [mine]
        ),
        "port": partial(site.every, "network", "/ports", "ports", [mine]),
        "record": partial(record.find, site),
    }
    with ThreadPoolExecutor(len(asks)) as pool:
        futures = {kind: pool.submit(ask) for kind, ask in asks.items()}
        described = {kind: future.result() for kind, future in futures.items()}
    return inventory(described, at)


# --- pure: from what a site describes to what is paid for ----------------------------------------


def inventory(described: Mapping[str, list[dict[str, Any]]], at: session.Site) -> Inventory:
    """Return roost's own, each with the command that ends it; then what is of nobody."""
    records = {record.name_in(one): one for one in described["record"]}
    prices = {name: _prices(one) for name, one in records.items()}
    ids = {str(one.get("id")) for one in described["record"]}
    found = [
        *_servers(described["server"], at, prices),
        *_volumes(described["volume"], at),
        *_snapshots(described["snapshot"], at),
        *_images([one for one in described["image"] if str(one.get("id")) not in ids], at),
        *_addresses(described["floating address"], at),
        *_free("security group", described["security group"], at),
        *_free("port", described["port"], at),
        *(
            Found(kind="record", ids=(str(one["id"]),), what="record", region=str(at), name=name)
            for name, one in records.items()
        ),
    ]
    ours = tuple(_judged(one, set(records), at) for one in found if one.name)
    return Inventory(str(at), ours, tuple(_unused(found, at)))


def _prices(described: Described) -> SitePrices | None:
    """Return the prices that a record brings; None where it brings none that can be read."""
    from roost.cost import site_prices
    from roost.model.record import read_record

    listed = (read_record(record.read(described).record).openstack or {}).get("price_list")
    try:
        return site_prices.parse(listed) if isinstance(listed, Mapping) else None
    except site_prices.WrongPricesError:
        return None


def _servers(
    listed: Iterable[Described], at: session.Site, prices: Mapping[str, SitePrices | None]
) -> Iterator[Found]:
    for one in listed:
        name = marks.metadata(one).get(marks.NAME, "")
        status = str(one.get("status"))
        flavor = one.get("flavor")
        kind = str(flavor.get("original_name", "?"))[:80] if isinstance(flavor, dict) else "?"
        if status in ("DELETED", "SOFT_DELETED"):
            continue
        yield Found(
            kind="server",
            ids=(str(one["id"]),),
            what=f"{kind} {_words(status)}{_rate(prices.get(name), kind, status)}",
            region=str(at),
            name=name,
            running=status == "ACTIVE",
            priced=False,
        )


def _rate(prices: SitePrices | None, kind: str, status: str) -> str:
    """Return what the file's list says of an hour: ``", 4.00 SU an hour"``."""
    from roost.cost.rates import Amount, Unknown

    if prices is None:
        return ""
    state: State = "shelved" if status in SHELVED else "stopped" if status in OFF else "running"
    price = prices.flavor(kind, state)
    if isinstance(price, Unknown):
        return ""
    return f", {Amount(price.usd, currency=price.currency)} an hour"


def _words(status: str) -> str:
    return {"ACTIVE": "running", "SHUTOFF": "off"}.get(status, status.lower().replace("_", " "))


def _volumes(listed: Iterable[Described], at: session.Site) -> Iterator[Found]:
    for one in listed:
        if one.get("status") == "deleting":
            continue
        held = marks.metadata(one)
        used = bool(one.get("attachments"))
        node = f' "{held[marks.NODE][:40]}"' if marks.NODE in held else ""
        where = "attached" if used else "attached to nothing"
        yield Found(
            kind="volume",
            ids=(str(one["id"]),),
            what=f"volume{node} of {one.get('size')} GB, {where}",
            region=str(at),
            name=held.get(marks.NAME, ""),
            running=used,
            priced=False,
        )


def _snapshots(listed: Iterable[Described], at: session.Site) -> Iterator[Found]:
    for one in listed:
        yield Found(
            kind="snapshot",
            ids=(str(one["id"]),),
            what=f"snapshot of {one.get('size')} GB",
            region=str(at),
            name=marks.metadata(one).get(marks.NAME, ""),
            priced=False,
        )


def _images(listed: Iterable[Described], at: session.Site) -> Iterator[Found]:
    for one in listed:
        tags = [str(tag) for tag in one.get("tags") or ()]
        named = [t.removeprefix("roost:name=") for t in tags if t.startswith("roost:name=")]
        gib = int(one.get("size") or 0) / 2**30
        yield Found(
            kind="image",
            ids=(str(one["id"]),),
            what=f'image "{str(one.get("name"))[:60]}" of {gib:.1f} GB',
            region=str(at),
            name=named[0] if len(named) == 1 else "",
            priced=False,
        )


def _addresses(listed: Iterable[Described], at: session.Site) -> Iterator[Found]:
    for one in listed:
        used = bool(one.get("port_id"))
        state = "in use" if used else "idle"
        yield Found(
            kind="floating address",
            ids=(str(one["id"]),),
            what=f"floating address {one.get('floating_ip_address')} {state}",
            region=str(at),
            name=marks.read_description(one.get("description"))[0],
            running=used,
            priced=False,
        )


def _free(kind: str, listed: Iterable[Described], at: session.Site) -> Iterator[Found]:
    for one in listed:
        name = marks.read_description(one.get("description"))[0]
        if name:
            yield Found(kind=kind, ids=(str(one["id"]),), what=kind, region=str(at), name=name)


def _judged(found: Found, records: set[str], at: session.Site) -> Found:
    """Add the command that ends it; mark it as an orphan if no record has its name."""
    end = command_line("roost", "down", found.name, "--region", str(at))
    return replace(found, end=end, orphan=found.name not in records)


def _unused(found: Iterable[Found], at: session.Site) -> Iterator[Found]:
    """Yield disks on no machine and addresses of none that are not roost's."""
    ends = {"volume": ("volume", "delete"), "floating address": ("floating", "ip", "delete")}
    for one in found:
        if not one.name and not one.running and one.kind in ends:
            words = ("openstack", "--os-cloud", at.cloud, *ends[one.kind], one.ids[0])
            yield replace(one, end=command_line(*words))
