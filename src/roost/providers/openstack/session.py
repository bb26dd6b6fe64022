"""A connection to a site of OpenStack, by clouds.yaml or OS_* as openstacksdk has them.

What the environment says (OS_PASSWORD, ...) is one site of its own, used where no cloud is named.
It is never mixed into a cloud of clouds.yaml: a password of one site would be sent to another.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from roost.errors import CredentialsError, UsageError
from roost.spec.table import did_you_mean

if TYPE_CHECKING:
    from openstack.connection import Connection

SELECTORS = frozenset(
    ("OS_CLOUD", "OS_REGION_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE")
)
"""Variables that choose a site, and are none."""
ENVIRONMENT = "envvars"
"""The name that openstacksdk gives to the site which OS_* describe."""
PATIENCE = 60.0
"""Seconds in which a site must answer a call, where clouds.yaml says nothing else."""


def connect(cloud: str | None, region: str | None) -> Connection:
    """Return a connection to one site; ask nothing yet.

    ``cloud`` is an entry of clouds.yaml; None is what OS_CLOUD or OS_* say, or the only entry.
    Raises UsageError without openstacksdk or for no such site, CredentialsError without any.
    """
    config = configuration(cloud)
    site = cloud or chosen(config)
    entry = site_entry(config, site, region)
    from openstack.connection import Connection

    return Connection(config=entry)


def configuration(cloud: str | None) -> Any:
    """Return openstacksdk's view of the files, and of OS_* where they are the site itself."""
    try:
        from openstack.config import loader
    except ImportError:
        raise UsageError(
            "openstacksdk is not installed, and OpenStack needs it",
            next="pip install 'roost[openstack]'",
        ) from None
    from roost import __version__

    named = cloud or os.environ.get("OS_CLOUD")
    return loader.OpenStackConfig(
        load_envvars=not named and in_environment(),
        config_files=_files("OS_CLIENT_CONFIG_FILE", loader.CONFIG_FILES),
        secure_files=_files("OS_CLIENT_SECURE_FILE", loader.SECURE_FILES),
        app_name="roost",
        app_version=__version__,
    )


def _files(variable: str, usual: list[str]) -> list[str]:
    own = os.environ.get(variable)
    return [own, *usual] if own else list(usual)


def in_environment() -> bool:
    """Tell whether OS_* describe a site: OS_AUTH_URL says where it is."""
    return bool(os.environ.get("OS_AUTH_URL"))


def sites(config: Any) -> tuple[str, ...]:
    """Return the names of all entries of clouds.yaml."""
    return tuple(name for name in config.get_cloud_names() if name not in ("defaults", ENVIRONMENT))


def chosen(config: Any) -> str:
    """Return the site that is meant where none is named. Raises CredentialsError, UsageError."""
    named = os.environ.get("OS_CLOUD")
    if named:
        return named
    if in_environment():
        return ENVIRONMENT
    known = sites(config)
    if not known:
        raise CredentialsError(
            "no site of OpenStack is set up here: there is no clouds.yaml, and no OS_AUTH_URL",
            next="save the site's clouds.yaml (its web page: API Access) as "
            "~/.config/openstack/clouds.yaml",
        )
    if len(known) > 1:
        raise UsageError(
            f"which site of OpenStack? clouds.yaml has {', '.join(known)}",
            next=f'cloud = "{known[0]}" in [openstack], or: export OS_CLOUD={known[0]}',
        )
    return known[0]


def site_entry(config: Any, site: str, region: str | None) -> Any:
    """Return what the configuration says of one site. Raises UsageError for no such site."""
    known = sites(config)
    if site != ENVIRONMENT and site not in known:
        hint = did_you_mean(site, known)
        there = ", ".join(known) or "no site at all"
        raise UsageError(
            f'clouds.yaml has no site "{site}"; it has {there}' + (f"; {hint}" if hint else ""),
            next="cloud = ... in [openstack] names an entry of clouds.yaml",
        )
    options: dict[str, Any] = {"region_name": region} if region else {}
    entry = config.get_one(site, **options)
    if entry.config.get("api_timeout") is None:
        entry.config["api_timeout"] = PATIENCE
    return entry
