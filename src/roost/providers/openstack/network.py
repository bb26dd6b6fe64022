"""The network of the machines, and the way in from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from roost.errors import RoostError, UsageError
from roost.providers.openstack.client import Site

if TYPE_CHECKING:
    from roost.spec.openstack import OpenStack

Described = Mapping[str, Any]
SEE = "openstack network list"


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the site. ``direct``: its own addresses are reached from outside.

    ``pool`` is the network that floating addresses come from; "" where there is none.
    """

    id: str
    name: str
    direct: bool
    pool: str = ""
    pool_name: str = ""


def find_network(site: Site, table: OpenStack | None, *, public: bool = True) -> Network:
    """Return the network that the file names, or the only one that machines can be on.

    Two calls. Raises RoostError where there is none or several, naming them.
    """
    every = [n for n in site.every("network", "/networks", "networks") if _is_up(n)]
    subnets = site.every("network", "/subnets", "subnets", [("ip_version", "4")])
    own = _chosen(every, table.network if table else None, site)
    named = table.public_network if table else None
    # Addresses of a campus look like private ones: only the file can tell that they are reached.
    itself = named is not None and named in (own.get("id"), own.get("name"))
    direct = itself or own.get("router:external") is True or _is_public(own, subnets)
    if direct or not public:
        return Network(str(own["id"]), str(own.get("name")), direct=direct)
    pool = _pool(every, named)
    return Network(
        str(own["id"]), str(own.get("name")), False, str(pool["id"]), str(pool.get("name"))
    )


def _is_up(network: Described) -> bool:
    """Tell whether a network works, and has addresses that machines can get."""
    up = network.get("admin_state_up") is not False and network.get("status") != "DOWN"
    return up and bool(network.get("subnets")) and "id" in network


def _chosen(every: list[dict[str, Any]], named: str | None, site: Site) -> dict[str, Any]:
    if named is not None:
        return _named(every, named, "network")
    mine = [n for n in every if n.get("router:external") is not True]
    own = [n for n in mine if n.get("project_id") == site.project] or mine
    among = own or [n for n in every if n.get("shared") is True]
    if len(among) == 1:
        return among[0]
    if not among:
        raise RoostError(
            "this project has no network that machines can be on",
            next='make one with a router (or ask the site), or: network = "..." in [openstack]',
        )
    raise UsageError(
        f"which network? The project has {_names(among)}",
        next=f'network = "{among[0].get("name")}" in [openstack]',
    )


def _pool(every: list[dict[str, Any]], named: str | None) -> dict[str, Any]:
    """Return the network that floating addresses come from."""
    among = [n for n in every if n.get("router:external") is True]
    if named is not None:
        return _named(among, named, "public_network")
    if len(among) == 1:
        return among[0]
    if not among:
        raise RoostError(
            "this site has no public network, and so no floating addresses",
            next='reach = "jump" in [access] (by a gateway of yours), or another network in'
            " [openstack]",
        )
    raise UsageError(
        f"which public network? The site has {_names(among)}",
        next=f'public_network = "{among[0].get("name")}" in [openstack]',
    )


def _named(among: list[dict[str, Any]], named: str, key: str) -> dict[str, Any]:
    found = [n for n in among if named in (n.get("id"), n.get("name"))]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(str(n["id"]) for n in found)
        raise UsageError(
            f'[openstack] {key}: {len(found)} networks are called "{named}" ({ids})',
            next=f"{key} = one of these ids",
        )
    raise UsageError(
        f'[openstack] {key}: there is no "{named}"; there are {_names(among) or "none"}', next=SEE
    )


def _names(networks: Iterable[Described]) -> str:
    return ", ".join(str(n.get("name") or n.get("id"))[:80] for n in [*networks][:12])


def _is_public(network: Described, subnets: Iterable[Described]) -> bool:
    """Tell whether machines on a network get addresses that the internet knows."""
    for subnet in subnets:
        if subnet.get("network_id") != network.get("id"):
            continue
        try:
            if ip_network(str(subnet.get("cidr"))).is_global:
                return True
        except ValueError:
            continue
    return False
