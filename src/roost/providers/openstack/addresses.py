"""Floating addresses: given to machines, and released where no router leads to them."""

from __future__ import annotations

from collections.abc import Mapping

from roost.errors import CloudError, NotYetError
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import CallError
from roost.providers.openstack.network import Network


def ports_of(site: Site, network: Network, servers: list[str]) -> dict[str, str]:
    """Return the port of each server on the network, by the server's id. One call."""
    asked = [("network_id", network.id), *(("device_id", one) for one in servers)]
    every = site.every("network", "/ports", "ports", asked)
    return {str(port["device_id"]): str(port["id"]) for port in every if "device_id" in port}


def associate(site: Site, network: Network, pairs: Mapping[str, str]) -> None:
    """Give floating addresses to servers: ``pairs`` has the servers' ids by the floats' own.

    Raises CloudError where no router joins the two networks; the addresses are released then, as
    the next ones would fail alike.
    """
    ports = ports_of(site, network, [*pairs.values()])
    for float_id, server in pairs.items():
        if server not in ports:
            raise NotYetError(f"a machine has no port on {network.name} yet")
        asked = {"floatingip": {"port_id": ports[server]}}
        try:
            site.call("PUT", "network", f"/floatingips/{float_id}", body=asked)
        except CallError as error:
            if error.kind != "no router":
                raise
            for one in pairs:
                site.delete("network", f"/floatingips/{one}")
            raise CloudError(
                f"no router leads from the network {network.name} to {network.pool_name}, so its"
                " machines cannot have floating addresses; those that roost got are released",
                next="openstack router add subnet ROUTER SUBNET   (or, in [openstack], another"
                f' network; or public_network = "{network.name}", if you reach its addresses)',
            ) from error
