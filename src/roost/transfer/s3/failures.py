"""The errors of S3, and which of them are worth another try."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from roost.errors import (
    AccessError,
    CloudError,
    CredentialsError,
    NotFoundError,
    RoostError,
    ThrottledError,
)
from roost.transfer.key_rules import show

_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_NOBODY = {
    "NoCredentials": (
        "there are no credentials for S3 here",
        "aws configure, or --profile NAME; for a public bucket: --no-sign-request",
    ),
    "NotSignedIn": (
        "the profile gives no credentials now: its session has ended?",
        "aws sso login --profile NAME   (your profile)",
    ),
}
"""What is said where nobody signs, and what to type next."""
_WHO = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
        *_NOBODY,
    }
)
_ALL = frozenset({"NoSuchBucket", "InvalidBucketName", "RequestTimeTooSkewed", *_WHO})
_OWN = frozenset({"InvalidObjectState"})
"""Refusals that are about one object."""
_NEVER = frozenset(
    {
        "AccessDenied",
        "InvalidRequest",
        "HTTP 400",
        "NoSuchBucket",
        "NoSuchKey",
        "InvalidBucketName",
        *_WHO,
    }
)
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "TooManyRequests", "RequestLimitExceeded"})


class StoreError(Exception):
    """A request that failed: S3's code, or the client's own name for what happened."""

    def __init__(
        self, operation: str, key: str, code: str, text: str = "", status: int = 0
    ) -> None:
        super().__init__(f"{operation} {show(key)}: {code}{': ' if text else ''}{text}")
        self.operation = operation
        self.key = key
        self.code = code
        self.text = text
        self.status = status
        self.region: str | None = None

    @classmethod
    def of(cls, error: Any, operation: str, key: str) -> StoreError:
        """Return the error for what awscrt raised."""
        status = getattr(error, "status_code", None) or 0
        body = getattr(error, "body", None) or b""
        code, text = _CODE.search(body), _MESSAGE.search(body)
        named = code[1].decode() if code else _named(status, error)
        made = cls(operation, key, named, text[1].decode() if text else _said(error), status)
        headers = dict(getattr(error, "headers", None) or ())
        made.region = next(
            (value for name, value in headers.items() if name.lower() == "x-amz-bucket-region"),
            None,
        )
        return made

    @classmethod
    def answered(
        cls, operation: str, key: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> StoreError:
        """Return the error for an answer that is no success."""
        error = SimpleNamespace(status_code=status, headers=headers.items(), body=body, message="")
        return cls.of(error, operation, key)

    @property
    def gone(self) -> bool:
        """Tell if the object or upload does not exist."""
        return self.status == 404 or self.code in {"NoSuchKey", "NoSuchUpload"}

    @property
    def fatal(self) -> bool:
        """Tell if no other request would succeed: it is about the bucket or the credentials."""
        return self.code in _ALL

    @property
    def refused(self) -> bool:
        """Tell if S3 does not allow it: a sync that is allowed nothing at all ends early."""
        return self.status in {401, 403} and self.code not in _OWN

    @property
    def reason(self) -> str:
        """The reason for people."""
        if self.code == "HTTP 400" and self.operation == "HeadObject":
            return (
                "S3 does not show it (HTTP 400): objects that are encrypted with a key of their"
                " owner's (SSE-C) cannot be read without that key, which roost does not have"
            )
        if self.gone and self.operation in {"GetObject", "HeadObject"}:
            return "S3 lists it, but does not have it (NoSuchKey)"
        return f"{self.code}{': ' if self.text else ''}{self.text}"

    @property
    def hopeless(self) -> bool:
        """Tell if the same request would fail again."""
        return self.code in _NEVER or self.status in {401, 403, 404, 405, 412, 501}

    def explained(self, place: str) -> RoostError:
        """Return the error that the command ends with."""
        what = f"{place}: {self.text or self.code}"
        if self.code in _NOBODY:
            said, next_ = _NOBODY[self.code]
            return CredentialsError(f"{place}: {said}", next=next_)
        if self.code in _WHO:
            return CredentialsError(what, next="aws sts get-caller-identity")
        if self.status in {401, 403}:
            return AccessError(f"{place}: S3 refuses {self.operation} ({self.code})")
        if self.code == "NoSuchBucket":
            return NotFoundError(f"{place}: there is no such bucket")
        if self.code in _BUSY:
            return ThrottledError(what)
        return CloudError(what)


def _named(status: int, error: Any) -> str:
    name = str(getattr(error, "name", ""))
    if "DELEGATE" in name:
        return "NotSignedIn"
    if "AUTH" in name and "CREDENTIALS" in name:
        return "NoCredentials"
    return {403: "AccessDenied", 404: "NoSuchKey"}.get(status) or (
        f"HTTP {status}" if status else str(getattr(error, "name", type(error).__name__))
    )


def _said(error: Any) -> str:
    return str(getattr(error, "message", error))
