"""Machines of the bench behind OpenStack: what the services' drivers ask for, and how it is done.

An image is a manifest, ``{"layers": [...]}``, of folders over the base system. A server writes to
a layer of its own, and a snapshot is a copy of that layer and a manifest that names it: so boot,
rebuild, shelve and snapshot cost no copy of a system. A volume that a server boots from holds that
layer too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.bench.disks import Image
from tests.bench.layers import layer
from tests.bench.machine import Attached, Machine
from tests.bench.network import METADATA, Allowed, Network, Port, ruleset, within
from tests.bench.places import run
from tests.bench.site import Order, Site

BY_ID = {
    "virtio": "/dev/disk/by-id/virtio-{short}",
    "scsi": "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_{whole}",
}
"""Where udev puts a volume in a guest of libvirt, by the image's hw_disk_bus."""
CLOUD_CFG = """\
datasource_list: [ConfigDrive, OpenStack, None]
datasource: {OpenStack: {max_wait: 60, timeout: 10}}
network: {config: disabled}
apt: {preserve_sources_list: true}
locale: C.UTF-8
system_info: {default_user: {name: debian}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server as Nova's driver describes it, beside what each machine has."""

    tenant: str
    mac: str
    bus: str
    volumes: list[dict[str, str]] = field(default_factory=list)


class SiteNetwork(Network):
    """One that this computer is outside of: it reaches no private address, but for those of
    ``direct``, which is 10.NUMBER.16.0/20."""

    def apply(self) -> None:
        private = f"10.{self.number}.0.0/20, 10.{self.number}.32.0-10.{self.number}.127.255"
        established = "ct state established,related accept\n"
        here = f'oifname "{self.link}v*" fib saddr type local'
        outside = f"{here} ct original ip daddr {{ {private} }} drop\n"
        with self._lock:
            text = ruleset(self).replace(established, f"{established}    {outside}")
            run("nft", "-f", "-", text=text)


class OpenStackSite(Site):
    """Machines that cloud-init takes for OpenStack's, with Nova's own metadata service."""

    nova: str
    secret: str
    servers: dict[str, Server]

    def _plugged(self, order: Order) -> Machine:
        machine, server = super()._plugged(order), self.servers[order.id]
        self._wear(machine.port, server.mac)
        drive = self.drive(order.id)
        # cloud-init's own sign of Nova in a container, and its own place of a config drive there
        machine.words = ("--setenv=product_name=OpenStack Nova",)
        machine.words += (f"--bind-ro={drive}:/config-drive",) if drive.is_dir() else ()
        machine.link = lambda volume: BY_ID[server.bus].format(short=volume[:20], whole=volume)
        return machine

    def _wear(self, port: Port, mac: str) -> None:
        """Neutron's MAC: cloud-init looks for the card of network_data.json by it."""
        inside = ("ip", "-n", port.name)
        (way,) = (one.split()[2] for one in run(*inside, "route").splitlines() if "default" in one)
        run(*inside, "link", "set", "eth0", "down")
        run(*inside, "link", "set", "eth0", "address", mac, "mtu", "1450")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", way, "dev", "eth0")

    def drive(self, one: str) -> Path:
        """The files of its config drive."""
        return self.place / "drives" / one

    def metadata(self, port: Port, order: Order) -> ThreadingHTTPServer:
        """As neutron-metadata-agent: pass on to Nova, and say (signed) who asks."""
        handler = type("Agent", (_Agent,), {"site": self, "port": port, "machine": order.id})
        service = within(port.namespace, lambda: ThreadingHTTPServer((METADATA, 80), handler))
        service.daemon_threads = True
        threading.Thread(target=service.serve_forever, args=(0.2,), daemon=True).start()
        return service


class _Agent(BaseHTTPRequestHandler):
    site: OpenStackSite
    port: Port
    machine: str

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        site, one = self.site, self.machine
        headers = {
            "X-Instance-ID": one,
            "X-Instance-ID-Signature": hmac.new(
                site.secret.encode(), one.encode(), hashlib.sha256
            ).hexdigest(),
            "X-Tenant-ID": site.servers[one].tenant,
            "X-Forwarded-For": self.port.private,
        }
        asked = urllib.request.Request(site.nova + self.path, headers=headers, method=self.command)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                code, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            code, body = error.code, error.read()
        except OSError as error:
            code, body = 503, str(error).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_GET  # noqa: N815


class Calls:
    """What the drivers ask for: each method is a call, with the words of its JSON."""

    def __init__(self, site: OpenStackSite) -> None:
        self.site = site
        self.orders: dict[str, Order] = {}
        self.locks: dict[str, threading.Lock] = {}
        self.swapped: set[str] = set()
        self.said: tuple[dict[str, list[Allowed]], dict[str, str]] = ({}, {})
        self.settings = site.place / "openstack"
        config = self.settings / "etc/cloud/cloud.cfg.d/99-bench.cfg"
        config.parent.mkdir(parents=True)
        config.write_text(CLOUD_CFG)

    # --- Nova -------------------------------------------------------------------------------

    def boot(self, **server: Any) -> None:
        """A machine, new or of before: its disk, its config drive; then it runs."""
        one, site = server["id"], self.site
        layers: Iterable[str] | None = server["layers"]
        if server["root"]:
            layers = self._root_on(one, server["root"])
        if layers is None:
            image = self.orders[one].image
        else:
            folders = (site.place / "images" / layer for layer in layers)
            image = Image((*folders, self.settings, site.base.folder))
        site.servers[one] = Server(
            server["tenant"], server["mac"], server["bus"], server["volumes"]
        )
        for path, content in (server["drive"] or {}).items():
            file = site.drive(one) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(base64.b64decode(content))
        self.orders[one] = Order(
            id=one,
            private=server["private"],
            image=image,
            memory=server["memory"],
            cpus=server["cpus"],
            tree=dict,
            strict=bool,
            ended=lambda how: self._ended(one, how),
        )
        self._boot(one)

    def _boot(self, one: str) -> None:
        with self._alone(one):
            machine = self.site.machines.get(one)
            if machine is None or not machine.running:
                volumes = [self._attached(volume) for volume in self.site.servers[one].volumes]
                if one in self.swapped:
                    names = [volume.device for volume in reversed(volumes)]
                    volumes = [
                        replace(volume, device=name)
                        for volume, name in zip(volumes, names, strict=True)
                    ]
                self.site.boot(self.orders[one], volumes)
        self._carry_out()

    def _alone(self, one: str) -> threading.Lock:
        return self.locks.setdefault(one, threading.Lock())

    def _attached(self, one: Mapping[str, str]) -> Attached:
        return Attached(one["volume"], one["device"], self.site.disks.loop(one["volume"]))

    def _ended(self, one: str, how: str) -> None:
        """By itself. A reboot is the hypervisor's to do; an end is Nova's to notice."""
        if how == "reboot" and one in self.orders:
            threading.Thread(target=self._boot, args=(one,), daemon=True).start()

    def off(self, id: str) -> None:  # noqa: A002
        with self._alone(id):
            self.site.off(id)

    def destroy(self, id: str) -> None:  # noqa: A002
        self.orders.pop(id, None)
        with self._alone(id):
            self.site.destroy(id)
        server = self.site.servers.pop(id, None)
        for one in server.volumes if server else ():
            self.site.disks.release(one["volume"])
        shutil.rmtree(self.site.drive(id), ignore_errors=True)

    def swap(self, id: str) -> None:  # noqa: A002
        """From its next boot on its volumes have each other's names: Nova only hints at names."""
        self.swapped.add(id)

    def reboot(self, id: str) -> None:  # noqa: A002
        self.site.machines[id].reboot()

    def machines(self) -> dict[str, dict[str, Any]]:
        """Each that is there; ``leader`` is its first process, where it is on."""
        return {
            one: {"private": m.port.private, "on": m.running, "leader": m.leader}
            for one, m in list(self.site.machines.items())
        }

    def console(self, id: str) -> str:  # noqa: A002
        return self.site.console(id)

    def attach(self, id: str, volume: str, device: str) -> None:  # noqa: A002
        one = {"volume": volume, "device": device}
        self.site.servers[id].volumes.append(one)
        machine = self.site.machines[id]
        if machine.running:
            machine.attach(self._attached(one))

    def detach(self, id: str, volume: str) -> None:  # noqa: A002
        server = self.site.servers.get(id)
        for one in [v for v in server.volumes if v["volume"] == volume] if server else ():
            server.volumes.remove(one)
            machine = self.site.machines.get(id)
            if machine is not None and machine.running:
                machine.detach(self._attached(one))
        self.site.disks.release(volume)

    def save(self, id: str, image: str) -> list[str]:  # noqa: A002
        """The layers of an image of its root disk: a copy of what it wrote, over its own."""
        machine = self.site.machines[id]
        with suppress(Exception):
            machine.inside("sync")
        target = self.site.place / "images" / image
        target.parent.mkdir(exist_ok=True)
        copy(self.site.disks.root(id).with_name("upper"), target)
        return [image, *(one.name for one in self.orders[id].image.layers[:-2])]

    # --- Glance -----------------------------------------------------------------------------

    def layer(self, packages: list[str]) -> list[str]:
        """The layers of an image in which these packages are installed already; built once."""
        folder = layer((self.site.base.folder,), packages, recommends=False)
        link = self.site.place / "images" / folder.name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder)
        return [link.name]

    # --- Cinder -----------------------------------------------------------------------------

    def volume(
        self,
        id: str,  # noqa: A002
        gib: int,
        snapshot: str | None = None,
        source: str | None = None,
    ) -> None:
        """A volume: blank, or with what is in a snapshot, or on another volume."""
        before = snapshot or source
        if before and self.system(before).is_dir():
            copy(self.system(before), self.system(id))
        elif source is not None:
            self.site.disks.snapshot(source, f"clone-{id}")
            self.site.disks.create(id, gib, f"clone-{id}")
            self.site.disks.delete_snapshot(f"clone-{id}")
        else:
            self.site.disks.create(id, gib, snapshot)

    def system_volume(self, id: str, layers: list[str]) -> None:  # noqa: A002
        """A volume to boot from, with what is in an image."""
        (self.system(id) / "upper").mkdir(parents=True)
        (self.system(id) / "layers").write_text(json.dumps(layers))

    def system(self, volume: str) -> Path:
        """What is on a volume to boot from, or in a snapshot of one."""
        return self.site.place / "systems" / volume

    def _root_on(self, server: str, volume: str) -> list[str]:
        """The server's own layer is on the volume; the layers below it."""
        upper = self.site.disks.root(server).with_name("upper")
        upper.parent.mkdir(parents=True, exist_ok=True)
        if not upper.is_symlink():
            upper.symlink_to(self.system(volume) / "upper")
        found: list[str] = json.loads((self.system(volume) / "layers").read_text())
        return found

    def delete_volume(self, id: str) -> None:  # noqa: A002
        shutil.rmtree(self.system(id), ignore_errors=True)
        self.site.disks.delete(id)

    def grow(self, id: str, gib: int) -> None:  # noqa: A002
        if not self.system(id).is_dir():
            self.site.disks.grow(id, gib)

    def snapshot(self, volume: str, id: str) -> None:  # noqa: A002
        if self.system(volume).is_dir():
            copy(self.system(volume), self.system(id))
        else:
            self.site.disks.snapshot(volume, id)

    def delete_snapshot(self, id: str) -> None:  # noqa: A002
        shutil.rmtree(self.system(id), ignore_errors=True)
        self.site.disks.delete_snapshot(id)

    # --- Neutron ----------------------------------------------------------------------------

    def rules(self, allowed: dict[str, list[dict[str, Any]]], publics: dict[str, str]) -> None:
        """Who may enter each machine, and which private address is behind each public one."""
        found = {
            private: [
                Allowed(
                    tuple(one["sources"]),
                    one["protocol"],
                    tuple(one["ports"]) if one["ports"] else None,  # type: ignore[arg-type]
                )
                for one in rules
            ]
            for private, rules in allowed.items()
        }
        self.said = (found, publics)
        self._carry_out()

    def _carry_out(self) -> None:
        """A machine that went and came again (shelve, rebuild) has the same address and rules."""
        network, (found, publics) = self.site.network, self.said
        network.publics = dict(publics)
        network.allow(found)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", "--sparse=always", "--reflink=auto", "-T", source, target)
