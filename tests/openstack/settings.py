"""The settings of all services: what they have in common, and how each finds its database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.openstack.places import SERVICES, Ports

PASSWORD = "secret"
REGION = "RegionOne"
HOSTS = ("bench-1", "bench-2")
"""The second is in a zone of its own."""
Drivers = Literal["fake", "bench"]
Ini = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one set of services, whose files are all below ``place``."""

    place: Path
    ports: Ports
    installed: Path
    drivers: Drivers = "fake"

    @property
    def folder(self) -> Path:
        return self.place / "conf"

    def database(self, name: str) -> str:
        return f"sqlite:///{self.place}/db/{name}.sqlite?timeout=60"

    def write(self) -> None:
        """All files, and all folders that are named in them."""
        for name in ("log", "lock", "db", "images", "staging", "tasks", "keys", *SERVICES.values()):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        for path, sections in self._files().items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(ini(sections))

    def _files(self) -> dict[str, Ini]:
        return {
            "keystone.conf": self._keystone(),
            "placement/placement.conf": self._common("placement")
            | self._connection("placement", "placement_database"),
            "glance-api.conf": self._glance(),
            "neutron.conf": self._neutron(),
            "nova.conf": self._nova(),
            "cinder.conf": self._cinder(),
        }

    # --- what they share --------------------------------------------------------------------

    def _connection(self, name: str, section: str) -> Ini:
        options = {"connection": self.database(name), "sqlite_synchronous": "false"}
        return {section: options}

    def _login(self) -> dict[str, object]:
        """Services are one user, and ask each other directly, never through the proxy."""
        return {
            "auth_type": "password",
            "auth_url": f"{self.ports.direct('identity')}/v3",
            "username": "service",
            "password": PASSWORD,
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": REGION,
        }

    def _common(self, name: str, **more: object) -> Ini:
        """``more`` goes to the section that has no name of its own."""
        kind = next(kind for kind, program in SERVICES.items() if program == name)
        return {
            "DEFAULT": {
                "log_file": self.place / "log" / f"{name}.log",
                "transport_url": "fake://",
                "state_path": self.place / name,
                "my_ip": "127.0.0.1",
                "host": HOSTS[0],
                **more,
            },
            "oslo_concurrency": {"lock_path": self.place / "lock"},
            "oslo_messaging_notifications": {"driver": "noop"},
            "oslo_policy": {"enforce_scope": "false"},
            "keystone_authtoken": {
                **self._login(),
                "www_authenticate_uri": f"{self.ports.public('identity')}/v3",
                "service_token_roles": "service",
                "service_token_roles_required": "true",
                "service_type": kind,
            },
        }

    def _etc(self, name: str) -> Path:
        return self.installed / "etc" / name

    # --- each of them -----------------------------------------------------------------------

    def _keystone(self) -> Ini:
        keys = self.place / "keys"
        return self._connection("keystone", "database") | {
            "DEFAULT": {"log_file": self.place / "log" / "keystone.log"},
            "token": {"provider": "fernet", "expiration": 14400},
            "fernet_tokens": {"key_repository": keys / "fernet"},
            "fernet_receipts": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
            "auth": {"methods": "password,token,openid,application_credential"},
            "openid": {"remote_id_attribute": "HTTP_OIDC_ISS"},
            "identity": {"password_hash_rounds": 4},
            "cache": {"enabled": "true", "backend": "oslo_cache.dict"},
        }

    def _glance(self) -> Ini:
        me = {"worker_self_reference_url": self.ports.direct("image")}
        stores = {"enabled_backends": "fs:file", "enabled_import_methods": "[]"}
        paste = self._etc("glance") / "glance-api-paste.ini"
        return (
            self._common("glance", **me, **stores)
            | self._connection("glance", "database")
            | {
                "glance_store": {"default_backend": "fs"},
                "fs": {"filesystem_store_datadir": self.place / "images"},
                "os_glance_staging_store": {"filesystem_store_datadir": self.place / "staging"},
                "os_glance_tasks_store": {"filesystem_store_datadir": self.place / "tasks"},
                "paste_deploy": {"flavor": "keystone", "config_file": paste},
            }
        )

    def _neutron(self) -> Ini:
        default = {
            "core_plugin": "ml2",
            "service_plugins": "bench_drivers.neutron_fake.L3Plugin",
            "api_paste_config": self._etc("neutron") / "api-paste.ini",
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "send_events_interval": 1,
            "dhcp_agent_notification": "false",
            "auth_strategy": "keystone",
        }
        ml2 = {
            "type_drivers": "flat,vxlan",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": self.drivers,
            "extension_drivers": "port_security",
        }
        return (
            self._common("neutron", **default)
            | self._connection("neutron", "database")
            | {
                "ml2": ml2,
                "ml2_type_flat": {"flat_networks": "*"},
                "ml2_type_vxlan": {"vni_ranges": "1:4000"},
                "nova": {**self._login(), "endpoint_type": "internal"},
            }
        )

    def _nova(self) -> Ini:
        default = {
            "compute_driver": f"bench_{self.drivers}.Driver",
            "allow_resize_to_same_host": "true",
            "default_schedule_zone": "nova",
            "shelved_offload_time": 0,
            "service_down_time": 600,
        }
        metadata = {"service_metadata_proxy": "true", "metadata_proxy_shared_secret": PASSWORD}
        return (
            self._common("nova", **default)
            | self._connection("nova_api", "api_database")
            | self._connection("nova_cell1", "database")
            | {
                "placement": self._login(),
                "neutron": {**self._login(), **metadata},
                "cinder": {**self._login(), "catalog_info": "block-storage::internalURL"},
                "service_user": {**self._login(), "send_service_user_token": "true"},
                "glance": {"endpoint_override": self.ports.direct("image")},
                "vnc": {"enabled": "false"},
                "conductor": {"workers": 1},
                "scheduler": {"workers": 1},
                "upgrade_levels": {"compute": "auto"},
                "filter_scheduler": {
                    "available_filters": "nova.scheduler.filters.all_filters\n"
                    "available_filters = bench_drivers.scheduler.HasRoom",
                    "enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,"
                    "ImagePropertiesFilter,ServerGroupAntiAffinityFilter,"
                    "ServerGroupAffinityFilter,HasRoom",
                },
            }
        )

    def _cinder(self) -> Ini:
        default = {
            "api_paste_config": self._etc("cinder") / "api-paste.ini",
            "resource_query_filters_file": self._etc("cinder") / "resource_filters.json",
            "enabled_backends": "bench",
            "default_volume_type": "__DEFAULT__",
            "scheduler_driver_init_wait_time": 1,
            "glance_api_servers": self.ports.direct("image"),
            "service_down_time": 600,
        }
        driver = f"bench_drivers.cinder_{self.drivers}.Driver"
        return (
            self._common("cinder", **default)
            | self._connection("cinder", "database")
            | {
                "bench": {"volume_driver": driver, "volume_backend_name": "bench"},
                "coordination": {"backend_url": f"file://{self.place}/cinder"},
                "service_user": {**self._login(), "send_service_user_token": "true"},
                "nova": {**self._login(), "interface": "internal"},
            }
        )


def ini(sections: Mapping[str, Mapping[str, object]]) -> str:
    """The text of a file of settings."""
    lines = []
    for name, options in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in options.items())]
    return "\n".join(lines) + "\n"
