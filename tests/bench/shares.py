"""Stands in for NFS between machines, because the kernel may have none.

A machine's ``mount.nfs`` asks here, and gets the server's folder bound into its own tree, if NFS
would give it too: the server runs, its firewall lets the client in, it exports the folder to the
client. It does not stand in for the protocol: no root_squash, no locks, no slow network.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tests.bench.machine import Machine
from tests.bench.network import METADATA, within
from tests.bench.places import HERE, CommandFailed, run, until

if TYPE_CHECKING:
    from tests.bench.site import Site

PORT = 2049
ETAB = "/var/lib/nfs/etab"
PATIENCE = 600.0
"""So long a client waits for a server that boots again."""


class Refused(Exception):  # noqa: N818 - its text is what mount says
    """What mount.nfs says."""


@dataclass(frozen=True, slots=True)
class Export:
    """A line of etab: a folder, to whom, how."""

    path: str
    client: str
    options: tuple[str, ...]

    def value(self, name: str) -> str | None:
        """Of an option ``name=value``; an option without a value is itself."""
        for one in self.options:
            key, _, value = one.partition("=")
            if key == name:
                return value or key
        return None


@dataclass(frozen=True, slots=True)
class Share:
    """A folder of ``server`` that is mounted in ``client``."""

    server: str
    path: str
    client: str
    place: str


@dataclass(slots=True)
class Shares:
    """All of a bench."""

    site: Site
    mounted: list[Share] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, machine: Machine) -> ThreadingHTTPServer:
        """Begin to answer a machine's mount.nfs."""
        handler = type("Handler", (_Handler,), {"shares": self, "machine": machine})

        def make() -> ThreadingHTTPServer:
            return ThreadingHTTPServer((METADATA, PORT), handler)

        service = within(machine.port.namespace, make)
        service.daemon_threads = True
        threading.Thread(target=service.serve_forever, args=(0.2,), daemon=True).start()
        return service

    def mount(self, client: Machine, source: str, place: str) -> None:
        """As mount.nfs does. Raises Refused."""
        host, colon, path = source.partition(":")
        if not colon or not path.startswith("/"):
            raise Refused(f"remote share not in 'host:dir' format: {source}")
        server = self._server(client, host)
        real = exported(exports_of(server), path, client.port.private)
        _bind(server, real, client, place)
        with self._lock:
            self.mounted.append(Share(server.id, path, client.id, place))

    def _server(self, client: Machine, host: str) -> Machine:
        said = client.inside("getent", "ahostsv4", host, check=False).split()
        if not said:
            raise Refused(f"Failed to resolve server {host}: Name or service not known")
        private = self.site.network.publics.get(said[0], said[0])
        for machine in self.site.machines.values():
            if machine.port.private == private and machine.running:
                break
        else:
            raise Refused(f"mount system call failed for {host}: No route to host")
        if not _lets_in(self.site, machine, client):
            raise Refused(f"Connection timed out for {host}: its firewall lets nobody in")
        with suppress(RuntimeError, CommandFailed):
            if machine.inside("systemctl", "is-active", "nfs-server", check=False) == "active\n":
                return machine
        raise Refused(f"mount system call failed for {host}: Connection refused")

    # --- machines that end ------------------------------------------------------------------

    def ended(self, one: str) -> None:
        """What a machine served is gone from its clients, and comes back when it does."""
        with self._lock:
            self.mounted = [share for share in self.mounted if share.client != one]
            served = [share for share in self.mounted if share.server == one]
        for share in served:
            with suppress(CommandFailed, RuntimeError, KeyError):
                self.site.machines[share.client].inside("umount", "-l", share.place)

    def returned(self, one: str) -> None:
        """A server boots again: its clients see its folders as before, when it exports them."""
        with self._lock:
            served = [share for share in self.mounted if share.server == one]
            self.mounted = [share for share in self.mounted if share.server != one]
        for share in served:
            threading.Thread(target=self._again, args=(share,), daemon=True).start()

    def _again(self, share: Share) -> None:
        def tried() -> bool:
            server, client = (self.site.machines.get(i) for i in (share.server, share.client))
            if server is None or client is None or not client.running:
                return True  # nobody waits any more
            with suppress(Refused, CommandFailed, RuntimeError):
                self.mount(client, f"{server.port.private}:{share.path}", share.place)
                return True
            return False

        with suppress(TimeoutError):
            until(tried, PATIENCE, "an NFS server", 1.0)


def exports_of(server: Machine) -> list[Export]:
    """What is exported now, as exportfs has written it down."""
    try:
        text = server.inside("cat", ETAB)
    except (CommandFailed, RuntimeError):
        return []
    return list(read_etab(text))


def read_etab(text: str) -> Iterator[Export]:
    """Lines of ``/folder<TAB>client(option,option)``. Pure."""
    for line in text.splitlines():
        path, _, rest = line.partition("\t")
        client, _, options = rest.partition("(")
        if path and client:
            yield Export(path, client, tuple(options.rstrip(")").split(",")))


def exported(exports: list[Export], asked: str, client: str) -> str:
    """The folder that a client gets for what it asked for. Raises Refused. Pure."""
    root = next((one for one in exports if one.value("fsid") in ("0", "root")), None)
    path = asked if root is None else str(PurePosixPath(root.path, asked.lstrip("/")))
    near = [one for one in exports if PurePosixPath(path).is_relative_to(one.path)]
    if not near:
        raise Refused(f"mounting {asked} failed, reason given by server: No such file or directory")
    if not any(_is(client, one.client) for one in near):
        raise Refused("access denied by server while mounting")
    return path


def _is(client: str, pattern: str) -> bool:
    if pattern in ("*", "<world>"):
        return True
    with suppress(ValueError):
        return ip_address(client) in ip_network(pattern, strict=False)
    return False


def _lets_in(site: Site, server: Machine, client: Machine) -> bool:
    address = ip_address(client.port.private)
    for rule in site.network.allowed.get(server.port.private, ()):
        known = any(address in ip_network(source) for source in rule.sources)
        low, high = rule.ports or (0, 65535)
        if known and rule.protocol in (None, "tcp") and low <= PORT <= high:
            return True
    return False


def _bind(server: Machine, path: str, client: Machine, place: str) -> None:
    options = next((one for one in exports_of(server) if path.startswith(one.path)), None)
    needed = options.value("mountpoint") or options.value("mp") if options else None
    if needed is not None and options is not None:
        spot = options.path if needed in ("mountpoint", "mp") else needed
        if "no" in server.inside("sh", "-c", f"mountpoint -q '{spot}' || echo no"):
            raise Refused(f"mounting {path} failed: {spot} is no mount point")
    if not Path(f"/proc/{server.leader}/root{path}").is_dir():
        raise Refused(f"mounting {path} failed, reason given by server: No such file or directory")
    words = (server.leader, path, client.leader, place)
    run(sys.executable, "-I", HERE / "xbind.py", *words)
    if options is not None and "ro" in options.options:
        client.inside("mount", "-o", "remount,bind,ro", place)


class _Handler(BaseHTTPRequestHandler):
    shares: Shares
    machine: Machine

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code, said = 200, ""
        try:
            self.shares.mount(self.machine, asked["source"], asked["target"])
        except (Refused, CommandFailed, OSError) as error:
            code, said = 403, str(error)
        self.send_response(code)
        self.send_header("Content-Length", str(len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())
