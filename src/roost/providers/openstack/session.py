"""A connection to a site of OpenStack, by clouds.yaml or OS_* as openstacksdk has them.

What the environment says (OS_PASSWORD, ...) is one site of its own, used where no cloud is named.
It is never mixed into a cloud of clouds.yaml: a password of one site would be sent to another.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roost.errors import CredentialsError, UsageError

if TYPE_CHECKING:
    from openstack.connection import Connection

    from roost.model.place import Place
    from roost.spec.openstack import OpenStack

ENVIRONMENT = "envvars"
"""The name that openstacksdk gives to the site which OS_* describe."""
LARGEST = 1_000_000
"""Characters of a clouds.yaml."""
NO_SITES = frozenset({"defaults", ENVIRONMENT})
CONNECT_PATIENCE, PATIENCE = 10.0, 60.0
"""Seconds in which a site must take a connection, and answer a call (`api_timeout` in clouds.yaml
is the latter too)."""
OIDC = "v3oidcaccesstoken"
NO_TOKEN = "-"  # noqa: S105
"""Stands for an access token that is asked for when it is needed."""
PASSWORD = frozenset({"password", "v3password"})


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One region of one entry of clouds.yaml; ``region`` is empty where the entry has only one.

    As text it is what `--region` takes, and what people read: "jetstream2", or "ovh/GRA11".
    """

    cloud: str
    region: str = ""

    def __str__(self) -> str:
        return f"{self.cloud}/{self.region}" if self.region else self.cloud


def connect(cloud: str | None, region: str | None) -> Connection:
    """Return a connection to one site; ask nothing yet.

    ``cloud`` is an entry of clouds.yaml, or an EGI site that was looked up before; None is what
    OS_CLOUD or OS_* say, or the only entry. Raises UsageError without openstacksdk or for no such
    site, CredentialsError without any.
    """
    from roost.providers.openstack import tokens

    config = configuration(cloud)
    site = cloud or chosen(config)
    entry = entry_of(config, site, region)
    tokens.keep(entry, site)
    from openstack.connection import Connection

    connection = Connection(config=entry)
    session: Any = connection.session
    session.timeout = (CONNECT_PATIENCE, float(entry.config["api_timeout"]))
    return connection


# --- which site ----------------------------------------------------------------------------------


def configuration(cloud: str | None) -> Any:
    """Return openstacksdk's view of the files, and of OS_* where they are the site itself."""
    try:
        from openstack.config import loader
        from openstack.exceptions import ConfigException
    except ImportError:
        raise UsageError(
            "openstacksdk is not installed, and OpenStack needs it",
            next="pip install 'roost[openstack]'",
        ) from None
    from roost import __version__
    from roost.providers.openstack import egi

    for library in ("keystoneauth", "openstack"):  # what they warn of is in our errors
        logging.getLogger(library).addHandler(logging.NullHandler())
    named = cloud or os.environ.get("OS_CLOUD")
    files = _files("OS_CLIENT_CONFIG_FILE", loader.CONFIG_FILES)
    secrets = _files("OS_CLIENT_SECURE_FILE", loader.SECURE_FILES)
    _check_first(files)
    _check_first(secrets)
    try:
        config = loader.OpenStackConfig(
            load_envvars=not named and in_environment(),
            app_name="roost",
            app_version=__version__,
            config_files=files,
            secure_files=secrets,
        )
    except ConfigException as error:
        raise UsageError(f"clouds.yaml cannot be read: {error}") from None
    for name, entry in egi.looked_up().items():
        config.cloud_config["clouds"].setdefault(name, entry)
    return config


def _check_first(files: list[str]) -> None:
    """Refuse a broken file, which openstacksdk passes over. Raises UsageError."""
    import yaml

    file = next((one for one in files if os.path.isfile(one)), None)
    if file is None:
        return
    try:
        with open(file, encoding="utf-8") as opened:
            said = yaml.safe_load(opened.read(LARGEST))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        where = f" (line {mark.line + 1})" if (mark := getattr(error, "problem_mark", None)) else ""
        raise UsageError(f"{file} is no sound YAML{where}") from None
    clouds = said.get("clouds", {}) if isinstance(said, dict) else None
    if not isinstance(clouds, dict) or not all(isinstance(one, dict) for one in clouds.values()):
        raise UsageError(f"{file}: `clouds:` must hold a table for each site")


def _files(variable: str, usual: list[str]) -> list[str]:
    """Return the files to look for: the user's own is the only one, and must be there."""
    own = os.environ.get(variable)
    if own is None:
        return list(usual)
    if not os.path.isfile(own):
        raise UsageError(f"{variable} is {own}, and there is no such file")
    return [own]


def in_environment() -> bool:
    """Tell whether OS_* describe a site: OS_AUTH_URL says where it is."""
    return bool(os.environ.get("OS_AUTH_URL")) and not os.environ.get("OS_CLOUD")


def is_set_up() -> bool:
    """Tell whether this computer has a clouds.yaml, OS_*, or an EGI site; load no SDK."""
    from importlib.util import find_spec

    from roost.providers.openstack import egi

    if find_spec("openstack") is None:
        return False
    told = os.environ.get("OS_AUTH_URL") or os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = ("clouds.yaml", "~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")
    files = any(os.path.isfile(os.path.expanduser(one)) for one in places)
    return bool(told) or files or bool(egi.looked_up())


def names(config: Any) -> tuple[str, ...]:
    """Return the names of all entries of clouds.yaml."""
    return tuple(name for name in config.get_cloud_names() if name not in NO_SITES)


def sites() -> tuple[Site, ...]:
    """Return every site that this computer is set up for: each region of each entry."""
    config = configuration(None)
    entries = (*names(config), *((ENVIRONMENT,) if in_environment() else ()))
    found = []
    for entry in entries:
        regions = [one["name"] for one in config._get_regions(entry)]
        found += [Site(entry, one if len(regions) > 1 else "") for one in regions]
    return tuple(found)


def site_of(place: Place, said: OpenStack | None = None) -> Site:
    """Return the site that the options or the file mean. Raises UsageError, CredentialsError.

    `--region` is a site ("jetstream2", "ovh/GRA11") or a region of the file's; `--profile` an
    entry of clouds.yaml.
    """
    cloud = place.profile or _entry_said(said)
    region = place.region or (said.region if said else None) or ""
    config = configuration(cloud)
    if place.region and not place.profile:
        entry, slash, below = place.region.partition("/")
        if slash or entry in (*names(config), ENVIRONMENT):
            return Site(entry, below)
    return Site(cloud or chosen(config), region)


def _entry_said(said: OpenStack | None) -> str | None:
    """Return the entry that a file names, or the EGI site that it means. Raises UsageError."""
    from roost.providers.openstack import egi

    if said is not None and said.vo is not None:
        return egi.look_up(said.site, said.vo)
    return said.cloud if said is not None else None


def chosen(config: Any) -> str:
    """Return the site that is meant where none is named. Raises CredentialsError, UsageError."""
    named = os.environ.get("OS_CLOUD")
    if named:
        return named
    if in_environment():
        return ENVIRONMENT
    known = names(config)
    if not known:
        raise CredentialsError(
            "no site of OpenStack is set up here: there is no clouds.yaml, and no OS_AUTH_URL",
            next="mv ~/Downloads/clouds.yaml ~/.config/openstack/   (from the site's web page: "
            "Identity, Application Credentials)",
        )
    if len(known) > 1:
        raise UsageError(
            f"which site of OpenStack? clouds.yaml has {', '.join(known)}",
            next=f'cloud = "{known[0]}" in [openstack], or: export OS_CLOUD={known[0]}',
        )
    return known[0]


def entry_of(config: Any, site: str, region: str | None) -> Any:
    """Return what the configuration says of one site, with its way to log in.

    Raises UsageError for no such site or region, CredentialsError where it lacks what is needed.
    """
    from keystoneauth1.exceptions import AuthPluginException
    from openstack.exceptions import ConfigException

    known = names(config)
    if site != ENVIRONMENT and site not in known:
        from roost.spec.table import did_you_mean

        hint = did_you_mean(site, known)
        there = f"it has {', '.join(known)}" if known else "there is none"
        raise UsageError(
            f'clouds.yaml has no site "{site}"; {there}' + (f"; {hint}" if hint else ""),
            next="cloud = ... in [openstack] names an entry of clouds.yaml",
        )
    said = config.cloud_config["clouds"][site]
    if said.get("auth_type") == OIDC:
        said.setdefault("auth", {}).setdefault("access_token", NO_TOKEN)
    options = {"region_name": region} if region else {}
    if _is_version_3(said):
        options["auth_type"] = "v3password"
    try:
        entry = config.get_one(site, **options)
    except ConfigException as error:
        raise UsageError(f"{site}: {error}") from None
    except AuthPluginException as error:
        raise CredentialsError(f"{_where(site)}: {error}") from None
    auth = entry.config["auth"]
    named = auth.get("username") or auth.get("user_id")
    if entry.config["auth_type"] in PASSWORD and not (named and auth.get("password")):
        lacks = "password" if named else "username"
        raise CredentialsError(f"{_where(site)} has no {lacks}")
    if entry.config.get("api_timeout") is None:
        entry.config["api_timeout"] = PATIENCE
    return entry


def _is_version_3(said: dict[str, Any]) -> bool:
    """Tell whether a password is for version 3 by its address.

    keystoneauth would look for the versions first: a request more, and twice the patience where
    nobody answers.
    """
    auth = said.get("auth") or said  # OS_* are in no table of their own
    others = any(str(key).startswith("default_domain") for key in (*auth, *said))
    kind = said.get("auth_type") or said.get("auth_plugin") or "password"
    url = str(auth.get("auth_url", "")).rstrip("/")
    whole = bool(auth.get("password")) and kind == "password"
    return whole and url.endswith("/v3") and not others


def _where(site: str) -> str:
    return "the environment (OS_*)" if site == ENVIRONMENT else f"{site} in clouds.yaml"
