"""The configuration of S3: region, endpoint and credentials as boto3 finds them.

The environment and the files below ``~/.aws`` are read here, so that botocore, whose import alone
takes longer than a sync that has nothing to do, is only needed for what must be asked for (SSO,
roles). On a rented machine the machine's role answers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass, replace
from pathlib import Path

from roost.errors import CredentialsError, UsageError, command_line

DEFAULT_REGION = "us-east-1"
_ASKED_FOR = frozenset(
    {
        "sso_session",
        "sso_start_url",
        "role_arn",
        "credential_process",
        "web_identity_token_file",
        "login_session",
    }
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Static credentials."""

    access: str
    secret: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """One S3. ``endpoint`` None: Amazon's; ``keys`` None: they must be asked for.

    ``anonymous``: requests are not signed; ``payer``: who asks pays for them. ``from_files``: the
    keys are from files, in which others may be some time later; ``by_option``: the profile was
    typed.
    """

    region: str
    endpoint: str | None = None
    keys: Keys | None = None
    profile: str | None = None
    ask_botocore: bool = False
    ca_bundle: str | None = None
    anonymous: bool = False
    payer: bool = False
    from_files: bool = False
    by_option: bool = False

    @property
    def renewable(self) -> bool:
        """Tell if there may be other credentials later, without another command."""
        return not self.anonymous and (self.ask_botocore or self.from_files or self.keys is None)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every request."""
        return {"x-amz-request-payer": "requester"} if self.payer else {}

    def at(self, region: str) -> Where:
        """Return the same S3 in another region."""
        return replace(self, region=region)


def sign_in(profile: str | None) -> str:
    """Return the command with which the user signs in again, with the profile that was meant."""
    return command_line("aws", "sso", "login", *(("--profile", profile) if profile else ()))


def where(
    profile: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    env: Mapping[str, str] = os.environ,
) -> Where:
    """Read options, environment and files, in this order. Raises RoostError."""
    chosen = profile or env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE")
    config = _read(env.get("AWS_CONFIG_FILE", "~/.aws/config"))
    shared = _read(env.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    name = chosen or "default"
    table = _profile(config, name)
    secrets = dict(shared[name]) if shared.has_section(name) else {}
    if chosen and not table and not secrets:
        raise CredentialsError(
            f"The config profile ({chosen}) could not be found", next="aws configure list-profiles"
        )
    # An explicit profile beats the keys of the environment, as in boto3.
    keys = None if profile else _keys(env, upper=True)
    asked = keys is None and bool(_ASKED_FOR & {*table, *secrets})
    from_files = keys is None
    if keys is None and not asked:
        keys = _keys(secrets) or _keys(table)
    named = region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    return Where(
        region=named or table.get("region") or DEFAULT_REGION,
        endpoint=endpoint or _endpoint(env, config, table),
        keys=keys,
        profile=chosen,
        ask_botocore=asked,
        ca_bundle=env.get("AWS_CA_BUNDLE") or table.get("ca_bundle"),
        from_files=from_files,
        by_option=profile is not None,
    )


def _read(path: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False, default_section="\0")
    try:
        parser.read(Path(path).expanduser(), encoding="utf-8")
    except (ConfigError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    return parser


def _profile(config: ConfigParser, name: str) -> dict[str, str]:
    for section in (f"profile {name}", f'profile "{name}"', name):
        if config.has_section(section):
            return dict(config[section])
    return {}


def _keys(table: Mapping[str, str], *, upper: bool = False) -> Keys | None:
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    access, secret, token = (table.get(one.upper() if upper else one) for one in names)
    return Keys(access, secret, token or None) if access and secret else None


def _endpoint(env: Mapping[str, str], config: ConfigParser, table: dict[str, str]) -> str | None:
    off = (env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or "").lower() == "true"
    if off or table.get("ignore_configured_endpoint_urls", "").lower() == "true":
        return None
    services = f"services {table.get('services', '')}"
    nested = config[services].get("s3", "") if config.has_section(services) else ""
    return (
        env.get("AWS_ENDPOINT_URL_S3")
        or env.get("AWS_ENDPOINT_URL")
        or _nested(nested).get("endpoint_url")
        or table.get("endpoint_url")
    )


def _nested(text: str) -> dict[str, str]:
    """Return the indented lines below ``s3 =``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
