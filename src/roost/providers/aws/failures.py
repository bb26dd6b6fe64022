"""Roost's errors for AWS's error codes, each with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from roost.errors import (
    AccessError,
    CapacityError,
    CloudError,
    CredentialsError,
    QuotaError,
    RoostError,
    ThrottledError,
)

GONE = frozenset(
    {
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidAllocationID.NotFound",
        "InvalidAssociationID.NotFound",
        "InvalidGroup.NotFound",
        "InvalidInstanceID.NotFound",
        "InvalidKeyPair.NotFound",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidPermission.NotFound",
        "InvalidSnapshot.NotFound",
        "InvalidVolume.NotFound",
    }
)
"""What shall be deleted is not there: it was deleted before, or cannot be seen yet."""
THERE = frozenset(
    {
        "InvalidAMIName.Duplicate",
        "InvalidGroup.Duplicate",
        "InvalidKeyPair.Duplicate",
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "InvalidPermission.Duplicate",
    }
)
"""What shall be made is there: a call whose answer was lost had made it."""
NO_CAPACITY = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "SpotMaxPriceTooLow",
        "Unsupported",
        "UnfulfillableCapacity",
    }
)
"""Not this type in this zone now; perhaps in another."""
THROTTLED = frozenset(
    {"RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException"}
)
LATER = frozenset({"InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"})
"""AWS's own trouble: worth another try."""
NOT_YET = frozenset(
    {
        "DependencyViolation",
        "IncorrectInstanceState",
        "IncorrectState",
        "InvalidIPAddress.InUse",
        "InvalidSnapshot.InUse",
        "VolumeInUse",
    }
)
"""Something else is still on its way; looking again will tell."""
CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
UNKNOWN_CALL = frozenset(
    {
        "InvalidAction",
        "NotImplemented",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
    }
)
"""The endpoint does not know the call, or not for this resource."""
REFUSED = re.compile(r"is not authorized to perform: (\w+:\w+)")
"""How AWS names an action that it checks within a call: iam:PassRole in RunInstances."""
SERVICES = {
    "GetCallerIdentity": "sts",
    "GetParameter": "ssm",
    "GetServiceQuota": "servicequotas",
}
"""The service of calls that are not EC2's."""
QUOTA = frozenset(
    {
        "AddressLimitExceeded",
        "InstanceLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "SecurityGroupLimitExceeded",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
    }
)


CLOCK = re.compile("not yet current|signature expired|is still valid|request has expired", re.I)
"""AWS's words for a request from another time than now."""
SKEWED = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
REGION = frozenset({"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"})
"""Wrong keys; also right ones, in a region that the account has not enabled."""
FORBIDDEN = "service control policy"
BLOB = re.compile(r"\s*Encoded authorization failure message: \S+")
"""What EC2 adds to a refusal: some 900 characters that only AWS can read."""
ACCOUNT = {
    "OptInRequired": "accept the terms of the image, or finish the sign-up, in the console of AWS",
    "PendingVerification": "wait: AWS verifies new accounts, within minutes or at most 4 hours",
    "Blocked": "ask AWS's support: the account is blocked",
}
"""What the account's owner must do, by the code."""


def code_of(error: BaseException) -> str:
    """Return the code of a botocore ``ClientError``; empty for anything else."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


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


def _known(error: Any, doing: str) -> RoostError:
    code, said = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    what = f"{doing}: {code}: {said}"
    if code in THROTTLED | LATER:
        return ThrottledError(what)
    if code in NO_CAPACITY:
        return CapacityError(what)
    if code in CREDENTIALS | SKEWED or code in ACCOUNT:
        return _refused_caller(code, said, what)
    if code in DENIED:
        return _denied(error, doing, code, said)
    if code in QUOTA:
        return QuotaError(
            what, next="ask for more: https://console.aws.amazon.com/servicequotas, Amazon EC2"
        )
    # EC2 sees a profile some seconds after IAM has made it.
    profile = code == "InvalidParameterValue" and "iaminstanceprofile" in said.lower()
    mend = "roost doctor FILE   (a profile made just now: again in a minute)"
    return CloudError(what, next=mend if profile else None)


def _refused_caller(code: str, said: str, what: str) -> RoostError:
    """Return the error for a caller that AWS does not take, with the cause where it is known."""
    if code in SKEWED or code == "RequestExpired" or CLOCK.search(said):
        return CredentialsError(
            f"{what} (this computer's clock is wrong)",
            next="timedatectl set-ntp true   (then the same again)",
        )
    if code in ACCOUNT:
        return AccessError(what, next=ACCOUNT[code])
    if code in REGION:
        return CredentialsError(
            what,
            next="aws sts get-caller-identity   (if it answers, the region is not enabled in your"
            " account: aws account enable-region --region-name REGION; else: aws sso login, or"
            " new keys by aws configure)",
        )
    return CredentialsError(what, next="aws sso login   (or new keys: aws configure)")


def _denied(error: Any, doing: str, code: str, said: str) -> RoostError:
    """Return the error for a call that is not allowed: by the account, or by its organisation."""
    action = str(getattr(error, "operation_name", ""))
    named = REFUSED.search(said)
    missing = named[1] if named else f"{SERVICES.get(action, 'ec2')}:{action}"
    what = f"{doing}: {code}: {BLOB.sub('', said)}"
    if FORBIDDEN in said:
        return AccessError(
            f"{what} (your organisation forbids {missing} here)",
            next="ask the administrators of your organisation: no policy of yours can allow it",
        )
    return AccessError(
        f"{what} (the permission {missing} is missing)",
        next="roost iam FILE   (prints all that is needed)",
    )


def _local(error: Exception, doing: str) -> RoostError:
    """Return the error for what botocore raised before or instead of an answer."""
    kind = type(error).__name__
    what = f"{doing}: {error}"
    if kind in ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"):
        return CredentialsError(what, next="aws configure   (or: aws sso login)")
    if kind in ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "ProfileNotFound"):
        return CredentialsError(what, next="aws sso login   (or another profile in the file)")
    if kind in ("ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError"):
        return ThrottledError(what)
    return CloudError(what)
