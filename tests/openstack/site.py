"""A site of OpenStack that runs, as tests use it: its users, projects of their own, its faults."""

from __future__ import annotations

import json
import shlex
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.openstack import install, seed, template
from tests.openstack.machine import Machines
from tests.openstack.places import Ports
from tests.openstack.proxy import Proxy
from tests.openstack.seed import ENTITLEMENT, VO, Login
from tests.openstack.services import Services
from tests.openstack.settings import REGION, Drivers, Settings

TOKENS = """\
import json, os, sys, time, uuid
file, seconds, entitlement = sys.argv[1], float(sys.argv[2]), sys.argv[3]
known, token = json.load(open(file)), (uuid.uuid4().hex * 40)[:1200]
exp = time.time() + seconds
known[token] = {"sub": "carol@egi.eu", "entitlements": [entitlement], "exp": exp}
json.dump(known, open(f"{file}.new", "w"))
os.replace(f"{file}.new", file)
print(token)
"""
CLOUD = "roost"
"""What each clouds.yaml calls its first entry."""


@dataclass
class Site:
    """All of its users come through the proxy."""

    settings: Settings
    services: Services
    proxy: Proxy
    machines: Machines | None = None
    _subnets: Iterator[int] = field(default_factory=lambda: cycle(range(32, 128, 16)))

    @property
    def auth_url(self) -> str:
        return f"{self.settings.ports.public('identity')}/v3"

    @property
    def alice(self) -> Login:
        """A scientist, with the project ``roost``."""
        return Login("alice", "roost", self.auth_url)

    @property
    def bob(self) -> Login:
        """Somebody else, with the project ``other``."""
        return Login("bob", "other", self.auth_url)

    @cached_property
    def admin(self) -> Any:
        """The administrator's connection, which is not counted."""
        return seed.admin(self.settings)

    @property
    def clouds(self) -> Path:
        """A clouds.yaml with ``roost`` (alice), ``other`` (bob), ``admin`` and ``egi``."""
        return self.settings.place / "clouds.yaml"

    def write_clouds(self) -> None:
        of = {"roost": self.alice, "other": self.bob, "admin": Login("admin", "admin", "")}
        found = {name: login.entry for name, login in of.items()}
        found["admin"]["auth"]["auth_url"] = self.auth_url
        found["egi"] = self.egi("carol", self.admin.identity.find_project("roost").id)
        write(self.clouds, found)

    def egi(self, token: str, project: str) -> dict[str, Any]:
        """The entry of somebody who comes with a token of EGI Check-in."""
        auth = {
            "auth_url": self.auth_url,
            "identity_provider": "egi.eu",
            "protocol": "openid",
            "access_token": token,
            "project_id": project,
        }
        more = {"region_name": REGION, "interface": "public", "identity_api_version": "3"}
        return {"auth_type": "v3oidcaccesstoken", "auth": auth, **more}

    def _let_in(self, project: str) -> None:
        """To the network ``direct``."""
        self.admin.network.create_rbac_policy(
            object_type="network",
            object_id=self.admin.network.find_network("direct").id,
            action="access_as_shared",
            target_tenant=project,
        )

    def egi_token(self, seconds: float = 3600, vo: str = VO) -> str:
        """A new token of EGI Check-in, as long as real ones, for that long."""
        token = (uuid.uuid4().hex * 40)[:1200]
        file = self.settings.place / "tokens.json"
        known = json.loads(file.read_text())
        claims = {"sub": "carol@egi.eu", "entitlements": [ENTITLEMENT.format(vo=vo)]}
        known[token] = claims | {"exp": time.time() + seconds}
        replace(file, known)
        return token

    def faults(self, **words: object) -> None:
        """What shall go wrong in the services (inside/bench_drivers/__init__.py); none: nothing."""
        replace(self.settings.place / "faults.json", words)

    def token_command(self, seconds: float = 3600) -> Path:
        """A command that prints a new token each time, as `oidc-token` does."""
        file = self.settings.place / f"token-{seconds:g}"
        words = (TOKENS, self.settings.place / "tokens.json", seconds, ENTITLEMENT.format(vo=VO))
        file.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, (sys.executable, '-c', *words)))}\n")
        file.chmod(0o755)
        return file

    def project(self, *networks: str) -> Project:
        """A project that nobody has used, and its user.

        ``networks`` are ``private`` (its own, routed to ``public``; without any word it has this,
        as at most sites), ``closed`` (its own, without a router) and ``direct`` (the site's, where
        each server has an address that all can reach).
        """
        name = f"p{uuid.uuid4().hex[:12]}"
        asked = self.admin.identity
        project = asked.create_project(name=name, domain_id="default")
        login = Login(name, name, self.auth_url)
        user = asked.create_user(name=name, password=login.password, domain_id="default")
        asked.assign_project_role_to_user(project.id, user.id, asked.find_role("member").id)
        seed.quota(self.admin, project.id)
        for one in networks or ("private",):
            if one == "direct":
                self._let_in(project.id)
            else:
                cidr = f"10.{seed.NUMBER}.{next(self._subnets)}.0/20"
                seed.network(self.admin, project.id, cidr, one)
        return Project(self, login, project.id)


@dataclass(frozen=True)
class Project:
    """A project, as its user has it."""

    site: Site
    login: Login
    id: str

    def connect(self) -> Any:
        """A connection of the user, whose calls the proxy counts."""
        return self.login.connect()

    def environment(self, folder: Path) -> dict[str, str]:
        """What a command needs to come here; its clouds.yaml is put in that folder."""
        write(folder / "clouds.yaml", {CLOUD: self.login.entry})
        return {"OS_CLIENT_CONFIG_FILE": str(folder / "clouds.yaml")}

    def debian(self, packages: Iterable[str], **properties: str) -> None:
        """Make ``image = "debian-12-roost"``, which has these packages; needs machines."""
        assert self.site.machines is not None
        self.site.admin.image.create_image(
            name="debian-12-roost",
            owner=self.id,
            data=self.site.machines.layer(packages),
            disk_format="raw",
            container_format="bare",
            visibility="private",
            min_disk=1,
            wait=True,
            validate_checksum=False,
            allow_duplicates=True,  # of other tests' projects
            os_distro="debian",
            os_version="12",
            **properties,
        )

    def left(self) -> dict[str, list[str]]:
        """The names of all that is in it, by kind, without what it had at its beginning."""
        asked = self.site.admin
        everywhere = {"all_projects": True, "project_id": self.id}
        network = {"project_id": self.id}
        groups = asked.network.security_groups(**network)
        found: dict[str, list[str]] = {
            "servers": [one.name for one in asked.compute.servers(**everywhere)],
            "volumes": [one.name for one in asked.block_storage.volumes(**everywhere)],
            "snapshots": [one.name for one in asked.block_storage.snapshots(**everywhere)],
            "addresses": [one.name for one in asked.network.ips(**network)],
            "ports": [
                one.name or one.id
                for one in asked.network.ports(**network)
                if not one.device_owner.startswith("network:")
            ],
            "groups": [one.name for one in groups if one.name != "default"],
            "networks": [
                one.name
                for one in asked.network.networks(**network)
                if one.name not in ("private", "closed")
            ],
            "images": [
                one.name
                for one in [*asked.image.images(), *asked.image.images(is_hidden=True)]
                if one.owner_id == self.id
            ],
        }
        return {kind: sorted(names) for kind, names in found.items() if names}

    def quota(self, **words: int) -> None:
        """So much it may have: ``quota(instances=1)``, ``floating_ips=0``, ``volumes=2``."""
        asked = self.site.admin
        of_network = {k: v for k, v in words.items() if k in NETWORK}
        of_volumes = {k: v for k, v in words.items() if k in VOLUMES}
        rest = {k: v for k, v in words.items() if k not in NETWORK + VOLUMES}
        if of_network:
            asked.network.update_quota(self.id, **of_network)
        if of_volumes:
            asked.block_storage.update_quota_set(self.id, **of_volumes)
        if rest:
            asked.compute.update_quota_set(self.id, **rest)

    def clear(self) -> None:
        """No servers any more: they would take the place of others'."""
        compute = self.site.admin.compute
        for one in compute.servers(all_projects=True, project_id=self.id):
            compute.delete_server(one, force=True)
        if self.site.machines is not None:
            wait_for(lambda: not list(compute.servers(all_projects=True, project_id=self.id)))


NETWORK = ("floating_ips", "security_groups", "security_group_rules", "networks", "ports")
VOLUMES = ("volumes", "gigabytes", "snapshots")


@contextmanager
def running(place: Path, drivers: Drivers = "fake") -> Iterator[Site]:
    """A site with all files below ``place``; its machines are only said to be there, or are."""
    real = drivers == "bench"
    ports = Ports.free(f"10.{seed.NUMBER}.0.1" if real else "127.0.0.1")
    settings = Settings(place, ports, install.environment(), drivers)
    template.fill(settings)
    services = Services(settings)
    with ExitStack() as stack:
        machines = stack.enter_context(Machines(ports).running()) if real else None
        proxy = stack.enter_context(Proxy(ports).listening())
        stack.callback(services.stop)
        services.start()
        site = Site(settings, services, proxy, machines)
        site.write_clouds()
        yield site


def write(file: Path, clouds: dict[str, Any]) -> None:
    """A clouds.yaml: JSON is YAML too."""
    file.write_text(json.dumps({"clouds": clouds}, indent=1))


def replace(file: Path, content: object) -> None:
    """At once, for who reads it meanwhile."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(file)


def wait_for(true: Callable[[], Any], seconds: float = 150) -> Any:
    """Ask until it is so; what it then says. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.1)
    return found


def becomes(connection: Any, server: Any, status: str) -> Any:
    """Wait until it has this status; the server. Raises AssertionError with its fault."""

    def now() -> Any:
        found = connection.compute.get_server(server.id)
        assert found.status != "ERROR" or status == "ERROR", found.fault
        return found if found.status == status else None

    return wait_for(now)
