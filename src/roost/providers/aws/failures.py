"""Roost's errors for AWS's error codes, each with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from roost.errors import (
    AccessError,
    CapacityError,
    CloudError,
    CredentialsError,
    NotYetError,
    QuotaError,
    RoostError,
    ThrottledError,
    command_line,
)
from roost.providers.aws.codes import Kind, Row, row_of

REFUSED = re.compile(r"is not authorized to perform: (\w+:\w+)")
"""How AWS names an action that it checks within a call: iam:PassRole in RunInstances."""
SIGN_IN = "aws sso login"
SERVICES = {
    "DescribeKey": "kms",
    "GetCostAndUsage": "ce",
    "GetCallerIdentity": "sts",
    "GetParameter": "ssm",
    "GetServiceQuota": "servicequotas",
}
"""The service of calls that are not EC2's."""
BLOB = re.compile(r"\s*Encoded authorization failure message: \S+")
"""What EC2 adds to a refusal: some 900 characters that only AWS can read."""


ENDS = {
    "security-group": ("delete-security-group", "--group-id"),
    "key-pair": ("delete-key-pair", "--key-name"),
    "launch-template": ("delete-launch-template", "--launch-template-name"),
}


def taken(kind: str, one: str, name: str) -> CloudError:
    """Return the error for a thing that has the name roost would give, and is somebody else's."""
    end = command_line("aws", "ec2", *ENDS[kind], one)
    return CloudError(
        f"there is a {kind} called roost-{name} already ({one}), and it is not roost's: it has no"
        f" tag roost = {name}; it was not changed",
        next=f"another name in the file, or, if nobody needs it: {end}",
    )


def code_of(error: BaseException) -> str:
    """Return the code of a botocore ``ClientError``; empty for anything else."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def kind_of(error: BaseException) -> Kind:
    """Return what an error of botocore means, in the call that it ended."""
    return _row(error).kind


def is_absent(error: BaseException) -> bool:
    """Tell whether what the call was about is not there, or cannot be seen yet."""
    return row_of(code_of(error)).kind == "absent"


def is_refused(error: BaseException) -> bool:
    """Tell whether the account may not make the call, or the endpoint does not know it."""
    return kind_of(error) in ("access", "organisation", "unknown call")


def _row(error: Any) -> Row:
    said = str(error.response.get("Error", {}).get("Message", "")) if code_of(error) else ""
    return row_of(code_of(error), str(getattr(error, "operation_name", "")), said)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise roost's errors for botocore's; ``doing`` is what was tried: "create 2 instances"."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ResponseParserError as error:
        # Not AWS's words: a proxy's or a load balancer's page. Trying again is safe.
        raise ThrottledError(f"{doing}: the answer did not come from AWS") from error
    except ClientError as error:
        raise _known(error, doing) from error
    except BotoCoreError as error:
        raise _local(error, doing) from error


ERRORS: dict[Kind, type[RoostError]] = {
    "busy": ThrottledError,
    "pending": NotYetError,
    "capacity": CapacityError,
    "quota": QuotaError,
    "clock": CredentialsError,
    "region": CredentialsError,
    "credentials": CredentialsError,
    "account": AccessError,
}
"""Roost's errors by what a code means; CloudError for all others."""


def _known(error: Any, doing: str) -> RoostError:
    code, said = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    row = _row(error)
    if row.kind in ("access", "organisation"):
        return _denied(error, f"{doing}: {code}: {BLOB.sub('', said)}", said, row)
    why = " (this computer's clock is wrong)" if row.kind == "clock" else ""
    mend = row.mend.replace(SIGN_IN, _sign_in(error.response.get("Error", {}).get("RoostProfile")))
    return ERRORS.get(row.kind, CloudError)(f"{doing}: {code}: {said}{why}", next=mend or None)


def _sign_in(profile: str | None) -> str:
    """Return the command that signs in again, with the profile that was used."""
    named = profile not in (None, "default")
    return command_line(*SIGN_IN.split(), *(("--profile", profile) if named else ()))


def _denied(error: Any, what: str, said: str, row: Row) -> RoostError:
    """Return the error for a call that is not allowed: by the account, or by its organisation."""
    action = str(getattr(error, "operation_name", ""))
    named = REFUSED.search(said)
    missing = named[1] if named else f"{SERVICES.get(action, 'ec2')}:{action}"
    if row.kind == "organisation":
        return AccessError(f"{what} (your organisation forbids {missing} here)", next=row.mend)
    return AccessError(f"{what} (the permission {missing} is missing)", next=row.mend)


ALIVE = frozenset(
    {
        "Client.InstanceInitiatedShutdown",
        "Client.UserInitiatedHibernate",
        "Client.UserInitiatedShutdown",
        "Server.ScheduledStop",
        "Server.SpotInstanceShutdown",
        "Server.SpotInstanceTermination",
    }
)
"""Why EC2 ends a machine that had started well: by its StateReason."""


def failed_to_start(name: str, reason: Mapping[str, str]) -> RoostError | None:
    """Return the error for a machine that EC2 ended at once; None where that is not the reason."""
    code = reason.get("Code", "")
    if code in ALIVE or not code.startswith(("Client.", "Server.")):
        return None
    row = row_of(code) if row_of(code).kind != "other" else row_of(code.partition(".")[2])
    said = reason.get("Message", "")
    text = said if said.startswith(code) else f"{code}: {said}"
    return ERRORS.get(row.kind, CloudError)(
        f"{name}: EC2 ended it at once: {text}", next=row.mend or None
    )


def _local(error: Exception, doing: str) -> RoostError:
    """Return the error for what botocore raised before or instead of an answer."""
    kind = type(error).__name__
    what = f"{doing}: {error}"
    again = _sign_in(getattr(error, "roost_profile", None))
    if kind in ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"):
        return CredentialsError(what, next=f"aws configure   (or: {again})")
    if kind in ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "ProfileNotFound"):
        return CredentialsError(what, next=f"{again}   (or another profile in the file)")
    if kind in ("ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError"):
        return ThrottledError(what)
    return CloudError(what)
