"""The way of a client on this computer to a Dask cluster on rented machines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from roost.app import connect, resolve
from roost.errors import RoostError, UsageError, command_line

if TYPE_CHECKING:
    from roost.session import Session

PAGES, SCHEDULER = "dask-pages", "dask"
"""The uses of the tunnels, beside that of ``roost open``."""
PEM = re.compile(r"-----BEGIN [A-Z ]+-----\n.+?\n-----END [A-Z ]+-----\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reached:
    """A scheduler's address on this computer, its pages, and the cluster's certificate.

    ``tls`` are authority, certificate and key as texts: they are kept on no disk here.
    """

    name: str
    address: str
    dashboard: str
    tls: tuple[str, str, str] = field(repr=False)


def reach(session: Session, name: str) -> Reached:
    """Reach the scheduler of a running cluster through a tunnel, which outlives this process.

    It ends by itself when nobody has used it for a while. Raises UsageError where it is no Dask
    cluster, RoostError where it cannot be reached now.
    """
    from roost.machine.cluster import PORT
    from roost.recipes.dask.remote import DASHBOARD_PORT, dashboard_file, folder
    from roost.ssh.query import asked
    from roost.ssh.tunnel import opened

    cloud = resolve.locate(session, name)
    spec, state = resolve.recorded(cloud, name)
    if spec.kind != "cluster" or spec.scheduler != "dask":
        raise UsageError(f"{name} is no Dask cluster", next=command_line("roost", "show", name))
    way = connect.connected(session, cloud, state, None)
    tls = folder(name).tls
    files = [*(str(tls / one) for one in ("ca.pem", "cert.pem", "key.pem")), dashboard_file(name)]
    said = asked(way, ["cat", *files])
    certificates, secret = PEM.findall(said), PEM.sub("", said).strip()
    if len(certificates) != 3 or not secret:
        raise RoostError(
            f"the certificate of {name} is not whole on its head",
            next=command_line("roost", "logs", name, "--follow") + "   (how far its set-up is)",
        )
    ca, cert, key = certificates
    port = opened(way, PORT, host=way.node.private or "localhost", use=SCHEDULER)
    pages = opened(way, DASHBOARD_PORT, use=PAGES)
    return Reached(
        name=name,
        address=f"tls://127.0.0.1:{port}",
        dashboard=f"http://127.0.0.1:{pages}/status?token={secret}",
        tls=(ca, cert, key),
    )
