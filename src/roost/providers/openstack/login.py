"""Logins to a site: the projects that are yours, and each reason for which it lets nobody in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from roost.errors import (
    AccessError,
    CloudError,
    CredentialsError,
    RoostError,
    ThrottledError,
    UsageError,
)

MOST = 50
"""Projects that are named; others exist."""
SHOWN = 200
"""Characters of another's words that an error shows."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project that whoever runs roost may work in."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


def log_in(entry: Any, site: str, session: Any, ask: Callable[[Any], Any]) -> Any:
    """Return what Keystone gives: a token for one project, and its catalog. Raises RoostError."""
    from keystoneauth1 import exceptions

    try:
        access = ask(session)
    except exceptions.ClientException as error:
        raise refusal(error, entry, site, session) from None
    if access.project_scoped or access.domain_scoped or access.system_scoped:
        check_region(access, entry, site)
        return access
    yours = _listed(entry, session, access.auth_token)
    raise CredentialsError(
        f"{site}: nothing names a project; {_said(yours)}",
        next=f"project_id: {yours[0].id}   (in clouds.yaml, in `auth` of {site})"
        if yours
        else None,
    )


def check_region(access: Any, entry: Any, site: str) -> None:
    """Raise UsageError where the site has no such region, or several and none is named.

    openstacksdk takes what the catalog lists first, whichever region that is in.
    """
    catalog = access.service_catalog.catalog or ()
    regions = sorted(
        {e["region_id"] for s in catalog for e in s["endpoints"] if e.get("region_id")}
    )
    named = entry.config.get("region_name")
    if not regions or named in regions or (not named and len(regions) == 1):
        return
    which = f"has no region {named}" if named else "has several regions, and none is named"
    raise UsageError(
        f"{site} {which}; it has {', '.join(regions[:MOST])}",
        next=f"region_name: {regions[0]}   (in clouds.yaml, below {site})",
    )


def own_projects(entry: Any, session: Any) -> tuple[Project, ...]:
    """Return the projects of whoever logs in, whichever is named. Raises keystoneauth's errors."""
    from keystoneauth1 import loading

    auth = {k: v for k, v in entry.config["auth"].items() if not k.startswith("project_")}
    token = getattr(entry.get_auth(), "access_token", None)
    if token:
        auth["access_token"] = token
    plugin: Any = loading.get_plugin_loader(entry.config["auth_type"]).load_from_options(**auth)
    return _listed(entry, session, plugin.get_auth_ref(session).auth_token)


def _listed(entry: Any, session: Any, token: str) -> tuple[Project, ...]:
    url = str(entry.config["auth"]["auth_url"]).rstrip("/")
    url = url if url.endswith("/v3") else f"{url}/v3"
    answer = session.get(
        f"{url}/auth/projects", headers={"X-Auth-Token": token}, authenticated=False
    )
    found = [(str(one["id"]), str(one["name"])) for one in answer.json()["projects"][:MOST]]
    return tuple(Project(*one) for one in found)


def _said(yours: tuple[Project, ...]) -> str:
    return f"yours: {', '.join(map(str, yours))}" if yours else "you are in none"


def refusal(error: Any, entry: Any, site: str, session: Any) -> RoostError:
    """Return the error for what Keystone, or the way to it, said to a login."""
    url = str(entry.config["auth"].get("auth_url", "no auth_url"))
    text, status = str(error), getattr(error, "http_status", None)
    if status == 401:
        return _unauthorized(error, entry, site, session)
    if status == 403:
        return AccessError(f"{site} forbids the login: {text[:SHOWN]}", next=_mend(entry, site))
    if status in (413, 429):
        return ThrottledError(f"{site} gives no more tokens for now ({status})")
    if status is not None and status != 404:
        return CloudError(f"{site}: Keystone at {url} answers {status}: {text[:SHOWN]}")
    return _not_found(text, site, url)


def _not_found(text: str, site: str, url: str) -> RoostError:
    """Say why nothing at this address is the site's Keystone."""
    if "SSL" in text:
        return _tls(text, site, url)
    if "Unable to establish" in text or "timed out" in text:
        return _unreachable(text, site, url)
    mend = "auth_url most often ends in :5000/v3"
    return CredentialsError(f"{site}: there is no Keystone at {url}", next=mend)


def _unauthorized(error: Any, entry: Any, site: str, session: Any) -> CredentialsError:
    """Say which credential is refused. Keystone itself tells nobody, so it is asked once more."""
    auth, kind = entry.config["auth"], str(entry.config.get("auth_type"))
    project = auth.get("project_name") or auth.get("project_id")
    if kind == "v3applicationcredential":
        called = auth.get("application_credential_name") or auth.get("application_credential_id")
        what = f"refuses the application credential {called}: it has ended, or was deleted"
        return CredentialsError(f"{site} {what}", next=_mend(entry, site))
    if "OS-FEDERATION" in str(getattr(error, "url", "")):
        what = "refuses the access token: it has ended, or you are in no VO that this site knows"
        return CredentialsError(f"{site} {what}", next=_mend(entry, site))
    with suppress(Exception):  # the first error is the better one
        yours = own_projects(entry, session)
        return CredentialsError(
            f"{site} knows you, but gives you no project {project}; {_said(yours)}",
            next=f"project_id: ...   (in clouds.yaml, in `auth` of {site})",
        )
    user = auth.get("username") or auth.get("user_id")
    return CredentialsError(
        f"{site} refuses user {user}: the name, the password or the domain is wrong",
        next=_mend(entry, site),
    )


def _mend(entry: Any, site: str) -> str:
    """Return the next command for one who is not let in."""
    if site == "envvars":
        return "openstack token issue   (says the same? then OS_* are wrong)"
    if entry.config.get("auth_type") == "v3oidcaccesstoken":
        return "oidc-token egi   (prints a new token, which roost asks for with OIDC_AGENT_ACCOUNT)"
    return f"openstack --os-cloud {site} token issue   (says the same? then clouds.yaml is wrong)"


def _tls(text: str, site: str, url: str) -> RoostError:
    if "WRONG_VERSION_NUMBER" in text:
        return CredentialsError(f"{site}: {url} speaks no TLS", next='auth_url: "http://..."')
    host = urlsplit(url).hostname
    return CredentialsError(
        f"{site}: the certificate of {host} is not one that this computer trusts",
        next=f"cacert: /path/to/ca.pem   (in clouds.yaml, below {site}: the CA of the site, or of "
        "a proxy in between)",
    )


def _unreachable(text: str, site: str, url: str) -> CloudError:
    why = "does not answer"
    if "proxy" in text.lower():
        why = "is not reached through the proxy that HTTPS_PROXY or HTTP_PROXY names"
    elif "Name or service not known" in text or "name resolution" in text:
        why = "has a name that cannot be found"
    elif "Connection refused" in text:
        why = "refuses connections"
    return CloudError(
        f"{site}: {url} {why}",
        next="the auth_url in clouds.yaml, or a VPN of the site's? (a proxy: export HTTPS_PROXY)",
    )
