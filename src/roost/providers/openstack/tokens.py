"""Tokens of sites, kept between commands: OVH gives 60 a minute, and one costs two requests.

A token is kept in roost's home, readable by its owner only, until shortly before it ends. (The
cache of openstacksdk needs a keyring, which servers lack.) One that ends while a command runs is
asked for anew by keystoneauth; what goes wrong then is a sentence, too.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from roost.errors import CredentialsError
from roost.home import home, write_private
from roost.providers.openstack import login
from roost.providers.openstack.session import OIDC

SECRETS = frozenset(
    ("password", "token", "access_token", "application_credential_secret", "passcode", "code")
)
"""What is never part of a file's name, hashed or not: a weak password could be guessed from it."""
LEFT = 300.0
"""Seconds that a kept token must live yet."""
LARGEST = 1_000_000
"""Bytes of a kept token that are read; the catalog of services is in it."""


def folder() -> Path:
    """Return where tokens are kept."""
    return home() / "openstack" / "tokens"


def keep(entry: Any, site: str) -> None:
    """Let a site's way to log in use the token of an earlier command, and keep a new one.

    Replaces the plugin of EGI's short-lived tokens by one that asks for them when it needs them.
    A refusal is final for this command: each try counts, and sites lock users out.
    """
    who = {k: v for k, v in entry.config["auth"].items() if k not in SECRETS}
    if entry.config.get("auth_type") == OIDC:
        from roost.providers.openstack import egi

        source = egi.source_of(entry.config, site)
        entry._auth = egi.plugin(entry, source)
        who["source"] = source.who()
    auth = entry.get_auth()
    ask, refused = auth.get_auth_ref, list[CredentialsError]()
    path = _place(str(entry.config.get("auth_type")), who)

    def log_in(session: Any) -> Any:
        if refused:
            raise refused[0]
        try:
            access = login.log_in(entry, site, session, ask)
        except CredentialsError as error:
            refused.append(error)
            raise
        if path is not None:
            with suppress(OSError):  # a full disk: the next command logs in again
                _write(path, access)
        return access

    auth.get_auth_ref = log_in
    state = _read(path) if path is not None else None
    if state is None:
        return
    with suppress(KeyError, TypeError, ValueError):  # of another version: it logs in again
        auth.set_auth_state(state)
    if auth.auth_ref is not None:
        login.check_region(auth.auth_ref, entry, site)


def _place(kind: str, who: dict[str, Any]) -> Path | None:
    """Return the file for a site, a user and a project; None where the user brings a token."""
    if kind in ("token", "v3token", "admin_token", "none"):
        return None
    text = json.dumps([kind, who], sort_keys=True, default=str)
    return folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _read(path: Path) -> str | None:
    """Return the state of a login that still holds for a while."""
    try:
        with path.open() as file:
            kept = json.loads(file.read(LARGEST))
        ends, state = float(kept["ends"]), str(kept["state"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return state if ends > time.time() + LEFT else None


def _write(path: Path, access: Any) -> None:
    """Keep a token, and remove those that have ended."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = json.dumps({"auth_token": access.auth_token, "body": access._data})
    ends: datetime = access.expires
    write_private(path, json.dumps({"ends": ends.timestamp(), "state": state}))
    for other in path.parent.glob("*.json"):
        if _read(other) is None:
            other.unlink(missing_ok=True)
