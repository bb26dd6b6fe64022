"""What a site has when it is set up: its catalogue, its users, its flavors, images and networks.

All is asked of the services as an administrator asks it, and kept in the template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from tests.openstack.places import SERVICES
from tests.openstack.settings import HOSTS, PASSWORD, REGION, Settings

ISSUER = "https://aai.egi.eu/auth/realms/egi"
VO = "vo.access.egi.eu"
ENTITLEMENT = "urn:mace:egi.eu:group:{vo}:role=vm_operator#aai.egi.eu"
USERS = {"alice": "roost", "bob": "other"}
"""Whose project is which."""
PATHS = {"compute": "/v2.1", "block-storage": "/v3/%(tenant_id)s"}
NUMBER = 249
"""The cloud is 10.NUMBER.0.0/16."""
FLAVORS = (
    ("m1.tiny", 512, 1, 1),
    ("m1.small", 2048, 1, 20),
    ("m1.medium", 4096, 2, 40),
    ("m1.large", 8192, 4, 80),
    ("m1.xlarge", 16384, 8, 160),
    ("d1.small", 2048, 1, 0),
    ("x9.huge", 900_000, 1500, 160),
)
"""Name, MiB, processors, GiB. d1 has no disk of its own; x9 is larger than any host."""
IMAGES: dict[str, dict[str, str]] = {
    "debian-12": {},
    "egi-debian-12": {},
    "ubuntu-24.04": {},
    "debian-12-scsi": {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"},
}
"""Their properties beside os_distro and os_version."""
ZONES = ("nova", "zone-2")
"""Those of the hosts. Without a word a server is in the first."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks, for which project; with it a client of openstacksdk is made."""

    user: str
    project: str
    auth_url: str
    password: str = PASSWORD

    @property
    def entry(self) -> dict[str, Any]:
        """As clouds.yaml has it."""
        return {
            "auth": {
                "auth_url": self.auth_url,
                "username": self.user,
                "password": self.password,
                "project_name": self.project,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": REGION,
            "interface": "public",
            "identity_api_version": "3",
        }

    def connect(self, interface: str = "public") -> Any:
        """A connection, and nothing from this computer's environment or files in it."""
        import openstack

        found = self.entry | {"interface": interface}
        return openstack.connect(load_envvars=False, load_yaml_config=False, **found)


def admin(settings: Settings) -> Any:
    """The administrator, who asks the services directly."""
    url = f"{settings.ports.direct('identity')}/v3"
    return Login("admin", "admin", url).connect("internal")


def identity(settings: Settings) -> None:
    """Users, projects, the catalogue, and who of EGI is let in."""
    asked = admin(settings).identity
    domain = asked.find_domain("Default").id
    project = asked.create_project(name="service", domain_id=domain)
    user = asked.create_user(name="service", password=PASSWORD, domain_id=domain)
    for name in ("admin", "service"):
        role = asked.find_role(name) or asked.create_role(name=name)
        asked.assign_project_role_to_user(project.id, user.id, role.id)
    _catalogue(asked, settings)
    member = asked.find_role("member").id
    for name, of in USERS.items():
        project = asked.create_project(name=of, domain_id=domain)
        user = asked.create_user(name=name, password=PASSWORD, domain_id=domain)
        asked.assign_project_role_to_user(project.id, user.id, member)
    _egi(asked, domain, member)
    tokens = {
        "carol": {"sub": "carol@egi.eu", "entitlements": [ENTITLEMENT.format(vo=VO)]},
        "dave": {"sub": "dave@egi.eu", "entitlements": [ENTITLEMENT.format(vo="other.vo")]},
    }
    (settings.place / "tokens.json").write_text(json.dumps(tokens))


def _catalogue(asked: Any, settings: Settings) -> None:
    """Users find the proxy in it; services, which ask for the internal ones, each other."""
    ports = settings.ports
    for endpoint in asked.endpoints():
        if endpoint.interface == "public":
            asked.update_endpoint(endpoint, url=f"{ports.public('identity')}/v3")
    for kind, name in SERVICES.items():
        if kind == "identity":
            continue
        service = asked.create_service(type=kind, name=name)
        path = PATHS.get(kind, "")
        for interface in ("public", "internal", "admin"):
            root = ports.public(kind) if interface == "public" else ports.direct(kind)
            asked.create_endpoint(
                service_id=service.id, interface=interface, url=root + path, region_id=REGION
            )


def _egi(asked: Any, domain: str, member: str) -> None:
    """A VO is a group, which is a member of a project; as EGI's documentation sets a site up."""
    group = asked.create_group(name=VO, domain_id=domain)
    asked.assign_project_role_to_group(asked.find_project("roost").id, group.id, member)
    user = {"type": "ephemeral", "name": "{0}"}
    remote = [
        {"type": "HTTP_OIDC_SUB"},
        {"type": "HTTP_OIDC_ISS", "any_one_of": [ISSUER]},
        {
            "type": "OIDC-eduperson_entitlement",
            "regex": True,
            "any_one_of": [f"^urn:mace:egi.eu:group:{VO}:(.+:)*role=vm_operator#aai.egi.eu$"],
        },
    ]
    rules = [{"local": [{"user": user, "group": {"id": group.id}}], "remote": remote}]
    provider = {"remote_ids": [ISSUER], "enabled": True}
    where = "/OS-FEDERATION/identity_providers/egi.eu"
    for path, body in (
        (where, {"identity_provider": provider}),
        ("/OS-FEDERATION/mappings/egi-mapping", {"mapping": {"rules": rules}}),
        (f"{where}/protocols/openid", {"protocol": {"mapping_id": "egi-mapping"}}),
    ):
        answer = asked.put(path, json=body)
        assert answer.ok, answer.text


def cloud(settings: Settings) -> None:
    """Flavors, public images, networks, and enough quota for the project of alice."""
    asked = admin(settings)
    for name, ram, cpus, disk in FLAVORS:
        asked.compute.create_flavor(name=name, ram=ram, vcpus=cpus, disk=disk)
    for name, properties in IMAGES.items():
        system, version = name.removeprefix("egi-").split("-")[:2]
        asked.image.create_image(
            name=name,
            data=json.dumps({"layers": []}).encode(),
            disk_format="raw",
            container_format="bare",
            visibility="public",
            min_disk=1,
            wait=True,
            validate_checksum=False,
            os_distro=system,
            os_version=version,
            **properties,
        )
    for host, name in zip(HOSTS, ZONES, strict=True):
        zone = asked.compute.create_aggregate(name=name, availability_zone=name)
        asked.compute.add_host_to_aggregate(zone, host)
    _networks(asked)
    project = asked.identity.find_project("roost").id
    network(asked, project, f"10.{NUMBER}.0.0/20")
    quota(asked, project)


def _networks(asked: Any) -> None:
    """``public`` gives floating addresses; on ``direct`` servers would be with their own, which
    only a project sees that is let in (Project.direct)."""
    public = asked.network.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="outside",
    )
    asked.network.create_subnet(
        name="public4",
        network_id=public.id,
        ip_version=4,
        cidr=f"10.{NUMBER}.128.0/17",
        gateway_ip=f"10.{NUMBER}.128.1",
        is_dhcp_enabled=False,
    )
    direct = asked.network.create_network(
        name="direct", provider_network_type="flat", provider_physical_network="direct"
    )
    _subnet(asked, direct, f"10.{NUMBER}.16.0/20")


def network(asked: Any, project: str, cidr: str, name: str = "private") -> None:
    """A network of a project, with a router to ``public``; ``closed`` has none."""
    own = asked.network.create_network(name=name, project_id=project)
    subnet = _subnet(asked, own, cidr)
    if name == "closed":
        return
    outside = asked.network.find_network("public")
    router = asked.network.create_router(
        name="router", project_id=project, external_gateway_info={"network_id": outside.id}
    )
    asked.network.add_interface_to_router(router, subnet=subnet.id)


def _subnet(asked: Any, own: Any, cidr: str) -> Any:
    start = cidr.partition("/")[0].rpartition(".")[0]
    return asked.network.create_subnet(
        name=f"{own.name}4",
        project_id=own.project_id,
        network_id=own.id,
        ip_version=4,
        cidr=cidr,
        gateway_ip=f"{start}.1",
        dns_nameservers=[f"{start}.2"],
        allocation_pools=[{"start": f"{start}.10", "end": str(IPv4Network(cidr)[-6])}],
    )


def quota(asked: Any, project: str) -> None:
    """More than any test needs, where it does not ask for a small one."""
    asked.compute.update_quota_set(project, instances=200, cores=2000, ram=2000000)
    asked.block_storage.update_quota_set(project, volumes=200, snapshots=200, gigabytes=20000)
