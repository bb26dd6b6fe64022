"""An AwsCloud from the user's AWS configuration: profiles, regions and SSO as boto3 has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from roost.errors import CredentialsError, UsageError
from roost.home import check_name, home
from roost.log import debug, debugging
from roost.providers.aws import tags
from roost.providers.aws.failures import translated
from roost.providers.my_address import address_unknown, my_address

if TYPE_CHECKING:
    from roost.providers.aws.cloud import AwsCloud, Booter

USED = "regions"
"""A file for each region this computer has used roost in: a hint where to look, never a state."""


def connect(
    region: str | None, profile: str | None, public_key: Callable[[], bytes], boot: Booter
) -> AwsCloud:
    """Return EC2 in one region; ask nothing yet. Raises UsageError without boto3 or a region."""
    from roost.providers.aws.cloud import AwsCloud

    session = open_session(profile)
    place = region or session.region_name
    if place is None:
        raise UsageError(
            "which AWS region?", next="--region eu-central-1   (or: aws configure set region ...)"
        )
    return AwsCloud(
        clients=Clients(session, place),
        region=place,
        caller=cache(own_address),
        public_key=public_key,
        locks=home() / "aws",
        profile=profile,
        boot=boot,
    )


def own_address() -> str:
    """Return the CIDR of "me". Raises RoostError, also for IPv6: the machines have none."""
    found = my_address()
    if ":" in found:
        raise address_unknown(f"{found} is IPv6, and machines on AWS are reached by IPv4")
    return found


def open_session(profile: str | None) -> Any:
    """Return boto3's session. Raises UsageError without boto3, CredentialsError without profile."""
    try:
        import boto3
    except ImportError:
        raise _no_boto3() from None
    from botocore.exceptions import ProfileNotFound

    try:
        return boto3.Session(profile_name=profile)
    except ProfileNotFound as error:
        raise _no_profile(error) from None


def core_session(profile: str | None) -> Any:
    """Return botocore's session, for what needs nothing of boto3 and shall be fast.

    Raises UsageError without botocore, CredentialsError for no such profile.
    """
    try:
        import botocore.session
    except ImportError:
        raise _no_boto3() from None
    from botocore.exceptions import ProfileNotFound

    session = botocore.session.Session(profile=profile)
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise _no_profile(error) from None
    return session


def _no_boto3() -> UsageError:
    return UsageError(
        "boto3 is not installed, and AWS needs it",
        next="pip install 'roost[aws]'   (where roost is)",
    )


def _no_profile(error: Exception) -> CredentialsError:
    return CredentialsError(str(error), next="aws configure list-profiles")


def client_config() -> Any:
    """Return the configuration of roost's clients: retries, timeouts, and their user agent."""
    from botocore.config import Config

    from roost import __version__

    return Config(
        retries={"mode": "standard", "max_attempts": 5},
        connect_timeout=10,
        user_agent_extra=f"roost/{__version__}",
    )


class Clients:
    """boto3's clients of one region, each made when it is first asked for."""

    def __init__(self, session: Any, region: str) -> None:
        self._session = session
        self._region = region
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """Return the client of a service: "ec2", "iam", "sts", "service-quotas"."""
        if service not in self._made:
            with explained():
                client = self._session.client(
                    service, region_name=self._region, config=client_config()
                )
                trace(client)
                note_profile(client, self._session.profile_name)
                self._made[service] = client
        return self._made[service]


def note_profile(client: Any, profile: str) -> None:
    """Note in every error of a client which profile it used: its mend names that one."""

    def failed(exception: Any, **_: Any) -> None:
        exception.roost_profile = profile

    def answered(parsed: Any, **_: Any) -> None:
        parsed.get("Error", {})["RoostProfile"] = profile

    client.meta.events.register("after-call-error.*.*", failed)
    client.meta.events.register("after-call.*.*", answered)


def trace(client: Any) -> None:
    """Log, with ``--debug``, a line for each call: its status and request id; no parameters."""
    if not debugging():
        return

    def told(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
        request = parsed.get("ResponseMetadata", {}).get("RequestId", "no request id")
        code = parsed.get("Error", {}).get("Code", "")
        debug(
            "aws", f"{model.name} {http_response.status_code} {code} {request}".replace("  ", " ")
        )

    client.meta.events.register("after-call.*.*", told)


@contextmanager
def explained() -> Iterator[None]:
    """Raise roost's errors for what is wrong with the way to AWS."""
    with translated("connect to AWS"):
        try:
            yield
        except ValueError as error:  # botocore: an endpoint or region that is no address
            raise UsageError(f"connect to AWS: {error}") from error


# --- where to look for a name --------------------------------------------------------------------


def remember(region: str, profile: str | None) -> None:
    """Remember that this computer uses roost in that region."""
    place = _used(profile)
    place.mkdir(parents=True, exist_ok=True)
    (place / region).touch()


def regions(profile: str | None) -> tuple[str, ...]:
    """Return the regions to look in: the configured one, and those that this computer has used."""
    place = _used(profile)
    used = {path.name for path in place.iterdir()} if place.is_dir() else set()
    default = _default_region(profile)
    return tuple(sorted(used | ({default} if default else set())))


def used_here() -> bool:
    """Tell whether this computer has used roost on AWS: then a name may well be there."""
    return (home() / "aws" / USED).is_dir()


def _used(profile: str | None) -> Path:
    return home() / "aws" / USED / quote(profile or "default", safe="")


def _default_region(profile: str | None) -> str | None:
    region: str | None = core_session(profile).get_config_variable("region")
    return region


def regions_with(name: str, among: tuple[str, ...], profile: str | None) -> tuple[str, ...]:
    """Return those regions in which something of a name is; all are asked at once.

    Raises UsageError for no name: EC2 takes ``*`` in a filter for every name.
    """
    check_name(name)
    session = open_session(profile)
    asked = [Clients(session, region)("ec2") for region in among]
    mine = [{"Name": "key", "Values": [tags.NAME]}, {"Name": "value", "Values": [name]}]

    def there(ec2: Any) -> bool:
        with translated(f"look for {name}"):
            return bool(ec2.describe_tags(Filters=mine, MaxResults=5)["Tags"])

    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        return tuple(r for r, found in zip(among, pool.map(there, asked), strict=True) if found)
