"""What one bench has: its network, its disks, its machines. Knows nothing of EC2's API."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.bench.base import Base
from tests.bench.disks import Disks, Image
from tests.bench.groups import end_group
from tests.bench.layers import DOWNLOADS
from tests.bench.machine import Attached, Ended, Machine
from tests.bench.metadata import Tree, serve
from tests.bench.network import Network, Port, within
from tests.bench.shares import Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a machine shall be."""

    id: str
    private: str
    image: Image
    memory: int
    cpus: int
    tree: Callable[[], Tree]
    strict: Callable[[], bool]
    ended: Ended


@dataclass(slots=True)
class Site:
    """One bench, in the folder ``place``."""

    place: Path
    network: Network
    base: Base
    disks: Disks
    group: str
    region: str
    machines: dict[str, Machine] = field(default_factory=dict)
    services: dict[str, tuple[ThreadingHTTPServer, ...]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    shares: Shares = field(init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.shares = Shares(self)

    def boot(self, order: Order, attached: Iterable[Attached]) -> Machine:
        """A machine boots: a new one, or one that was off."""
        machine = self.machines.get(order.id) or self._plugged(order)
        machine.memory, machine.cpus = order.memory, min(order.cpus, os.cpu_count() or 1)
        self.disks.mount_root(order.id, order.image)
        self._prepare(machine)
        machine.start(attached)
        self.shares.returned(order.id)
        return machine

    def _plugged(self, order: Order) -> Machine:
        port = self.network.plug(order.private)
        machine = Machine(
            id=order.id,
            root=self.disks.root(order.id),
            port=port,
            group=f"{self.group}/{order.id}",
            memory=order.memory,
            cpus=order.cpus,
            downloads=self.place / "machines" / order.id / "downloads",
            ended=order.ended,
        )
        with self._lock:
            self.machines[order.id] = machine
            metadata = self.metadata(port, order)
            self.services[order.id] = (metadata, self.shares.serve(machine))
        return machine

    def metadata(self, port: Port, order: Order) -> ThreadingHTTPServer:
        """What answers at 169.254.169.254."""
        return serve(port, order.tree, order.strict)

    def _prepare(self, machine: Machine) -> None:
        """What its network tells it, and how it finds this EC2."""
        etc = machine.root / "etc"
        resolver = f"nameserver {self.network.resolver}\nsearch {self.region}.compute.internal\n"
        (etc / "resolv.conf").unlink(missing_ok=True)
        (etc / "resolv.conf").write_text(resolver)
        words = " ".join(f'"{name}={value}"' for name, value in self.environment.items())
        unit = etc / "systemd/system.conf.d/91-bench.conf"
        unit.write_text(f"[Manager]\nDefaultEnvironment={words}\n")
        logins = etc / "environment"
        known = logins.read_text().splitlines() if logins.exists() else []
        kept = [line for line in known if line.partition("=")[0] not in self.environment]
        lines = [*kept, *(f"{name}={value}" for name, value in self.environment.items())]
        logins.write_text("".join(f"{line}\n" for line in lines))
        machine.downloads.mkdir(parents=True, exist_ok=True)
        share(DOWNLOADS, machine.downloads)

    def off(self, one: str) -> None:
        """Power off, and wait for it. Its disk can be copied then."""
        machine = self.machines.get(one)
        if machine is None:
            return
        self.shares.ended(one)
        machine.stop()
        self.disks.unmount_root(one)
        share(machine.downloads, DOWNLOADS)

    def destroy(self, one: str) -> None:
        """Off, and nothing of it is left."""
        machine = self.machines.get(one)
        if machine is not None:
            self.shares.ended(one)
            machine.stop(patience=20)
            for service in self.services.pop(one, ()):
                service.shutdown()
                service.server_close()
            share(machine.downloads, DOWNLOADS)
            self.network.unplug(machine.port)
            end_group(machine.group)
            with self._lock:
                self.machines.pop(one, None)
        self.disks.delete_root(one)

    def console(self, one: str) -> str:
        """What the machine has written to its console."""
        machine = self.machines.get(one)
        if machine is None or not machine.console.exists():
            return ""
        return machine.console.read_text(errors="replace")

    def answers(self, one: str) -> bool:
        """Whether its sshd says who it is, asked from within its own network."""
        machine = self.machines.get(one)
        if machine is None or not machine.running:
            return False
        try:
            return within(machine.port.namespace, lambda: _banner(machine.port.private))
        except OSError:
            return False

    def close(self) -> None:
        """Everything ends, at once."""
        for machine in list(self.machines.values()):
            machine.kill()
        for one in list(self.machines):
            self.destroy(one)
        end_group(self.group)
        self.disks.close()
        self.network.close()


def _banner(address: str) -> bool:
    with socket.create_connection((address, 22), timeout=2) as connection:
        return connection.recv(4) == b"SSH-"


def share(source: Path, target: Path) -> None:
    """Downloaded packages, as links: they take no room, and no machine waits for another's lock."""
    target.mkdir(parents=True, exist_ok=True)
    for package in source.glob("*.deb") if source.is_dir() else ():
        there = target / package.name
        if not there.exists():
            try:
                os.link(package, there)
            except FileExistsError:
                continue  # another machine was faster
