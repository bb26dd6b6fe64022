"""EGI's sites: tokens of an hour from a command, and the project of a VO at a site.

The command is one of this computer's, and never the file's or a record's: whoever gives you a file
would run a program of theirs here. A token is in no argument, no log and no record.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import time
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from roost.errors import CredentialsError, RoostError, UsageError
from roost.home import home, write_private
from roost.providers.openstack.session import NO_TOKEN, OIDC

COMMAND = "ROOST_TOKEN_COMMAND"
"""The command that prints an access token, as a shell would read it."""
TOKENS = ("OIDC_ACCESS_TOKEN", "OS_ACCESS_TOKEN", "FEDCLOUD_OIDC_ACCESS_TOKEN")
ACCOUNT = "OIDC_AGENT_ACCOUNT"
"""The account of oidc-agent, as fedcloudclient calls it: `oidc-token ACCOUNT` prints a token."""
PATIENCE = 60.0
"""Seconds that the command may take: it may ask for a password in a window."""
LARGEST, SHOWN = 65_536, 200
LASTS = 7 * 86_400
"""Seconds for which an endpoint that was looked up is believed."""
PROVIDER, PROTOCOL = "egi.eu", "openid"

# --- tokens --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """Where access tokens come from: a command, or one that the user has given (``token``)."""

    site: str
    command: tuple[str, ...] = ()
    token: str = ""
    where: str = ""

    def who(self) -> str:
        """Return what tells this source's user from another's, and is no secret."""
        if self.command:
            return shlex.join(self.command)
        claims = claims_of(self.token)
        if "sub" in claims:
            return f"{claims.get('iss')} {claims['sub']}"
        return hashlib.sha256(self.token.encode()).hexdigest()

    def fetch(self) -> str:
        """Return a token that holds now. Raises CredentialsError."""
        token = _run(self.command) if self.command else self.token
        ends = claims_of(token).get("exp")
        if isinstance(ends, int | float) and ends < time.time():
            asked = f"`{shlex.join(self.command)}` printed" if self.command else f"{self.where} has"
            raise CredentialsError(
                f"{self.site}: {asked} an access token that ended "
                f"{(time.time() - ends) / 60:.0f} minutes ago",
                next=f"export {ACCOUNT}=egi   (of oidc-agent: asks for a new one when needed)",
            )
        return token


def source_of(entry: Mapping[str, Any], site: str) -> Source:
    """Return where a site's tokens come from. Raises CredentialsError where nothing says it.

    The entry in clouds.yaml comes first (``token_command``, or its fixed ``access_token``).
    """
    said = entry.get("token_command")
    if said is not None:
        return Source(site, _words(said, f"clouds.yaml, {site}: token_command"))
    fixed = str(entry["auth"].get("access_token") or NO_TOKEN)
    if fixed != NO_TOKEN:
        return Source(site, token=fixed, where="clouds.yaml")
    if os.environ.get(COMMAND):
        return Source(site, _words(os.environ[COMMAND], COMMAND))
    for variable in TOKENS:
        if os.environ.get(variable):
            return Source(site, token=os.environ[variable].strip(), where=variable)
    if os.environ.get(ACCOUNT):
        return Source(site, ("oidc-token", os.environ[ACCOUNT]))
    raise CredentialsError(
        f"{site} takes access tokens of {PROVIDER}, and nothing says where one comes from",
        next=f"export {ACCOUNT}=egi   (of oidc-agent), or: export {COMMAND}='...'",
    )


def _words(said: object, where: str) -> tuple[str, ...]:
    words = shlex.split(said) if isinstance(said, str) else said
    if isinstance(words, list) and words and all(isinstance(one, str) for one in words):
        return tuple(words)
    raise UsageError(f"{where} is no command", next='token_command: ["oidc-token", "egi"]')


def _run(command: tuple[str, ...]) -> str:
    """Run the command; return the token that it prints. Raises CredentialsError."""
    import subprocess

    shown = shlex.join(command)
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except FileNotFoundError:
        raise CredentialsError(f"`{shown}`: there is no program {command[0]}") from None
    except OSError as error:
        raise CredentialsError(f"`{shown}`: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CredentialsError(f"`{shown}` printed no token in {PATIENCE:g} s") from None
    token = done.stdout[:LARGEST].decode("ascii", errors="replace").strip()
    if done.returncode or not token or not token.isprintable() or " " in token:
        why = done.stderr[-SHOWN:].decode(errors="replace").strip() or "it printed no token"
        raise CredentialsError(f"`{shown}` failed: {why}", next=shown)
    return token


def claims_of(token: str) -> dict[str, Any]:
    """Return what a JSON web token says of itself, unproved; {} for one of another form."""
    with suppress(ValueError, IndexError):
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        if isinstance(claims, dict):
            return claims
    return {}


def plugin(entry: Any, source: Source) -> Any:
    """Return keystoneauth's plugin for such a site, which asks for a token at each login."""
    from keystoneauth1.identity.v3.oidc import OidcAccessToken
    from keystoneauth1.loading._plugins.identity.v3 import OpenIDConnectAccessToken

    class Fresh(OidcAccessToken):
        def get_unscoped_auth_ref(self, session: Any) -> Any:
            self.access_token = source.fetch()
            return super().get_unscoped_auth_ref(session)

    class Loader(OpenIDConnectAccessToken):
        plugin_class = Fresh

    return Loader().load_from_options(**{**entry.config["auth"], "access_token": NO_TOKEN})


# --- the project of a VO at a site ---------------------------------------------------------------


def entry_name(site: str, vo: str) -> str:
    """Return the name by which a VO at a site is one of the sites of this computer."""
    return f"{site}:{vo}"


def look_up(site: str | None, vo: str) -> str:
    """Find a VO's project and the site's endpoint; return the name that `connect` takes.

    Asks nobody for a week. Raises UsageError without fedcloudclient, or for no such site.
    """
    known = _kept()
    name = entry_name(site or "", vo)
    fresh = name in known and known[name].get("roost_looked_up", 0) > time.time() - LASTS
    if fresh:
        return name
    try:
        endpoint, project, protocol = _ask(site, vo)
    except RoostError:
        if name in known:
            return name
        raise
    auth = {
        "auth_url": endpoint,
        "identity_provider": PROVIDER,
        "protocol": protocol or PROTOCOL,
        "project_id": project,
    }
    entry = {"auth_type": OIDC, "auth": auth, "roost_looked_up": int(time.time())}
    _file().parent.mkdir(parents=True, exist_ok=True)
    write_private(_file(), json.dumps({**known, name: entry}, indent=1))
    return name


def looked_up() -> dict[str, dict[str, Any]]:
    """Return the sites that were looked up on this computer, as clouds.yaml would have them."""
    return {
        name: {k: v for k, v in entry.items() if k != "roost_looked_up"}
        for name, entry in _kept().items()
    }


def _file() -> Path:
    return home() / "openstack" / "egi.json"


def _kept() -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _ask(site: str | None, vo: str) -> tuple[str, str, str | None]:
    """Ask fedcloudclient for the endpoint, the project and the protocol. Raises UsageError."""
    try:
        from fedcloudclient import sites
    except ImportError:
        raise UsageError(
            f"which endpoint and project does {vo} have at {site}? fedcloudclient knows, and is "
            "not installed",
            next="pip install fedcloudclient   (or an entry in clouds.yaml, and `cloud` in "
            "[openstack])",
        ) from None
    said = StringIO()
    try:
        with redirect_stdout(said):  # it tells its trouble there
            if site is not None:
                found = sites.find_endpoint_and_project_id(site, vo)
                if found[0]:
                    return str(found[0]), str(found[1]), found[2]
            among = [str(one) for one in sites.list_sites(vo)]
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"fedcloudclient cannot say where {vo} has a project: {str(error)[:SHOWN]}"
        ) from None
    which = f"{site} has no project for {vo}" if site else f"which site? {vo} is at several"
    there = ", ".join(sorted(among)) or "none: is the VO's name right?"
    raise UsageError(f"{which}; its sites: {there}", next='site = "..." in [openstack]')
