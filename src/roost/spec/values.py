"""The kinds of value that several tables share: sizes, spans, names, addresses, paths."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from roost.spec.table import did_you_mean, wrong
from roost.units import format_span, parse_size, parse_span

NAME = r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$"
SMALLEST_GIB = 1 / 1024


def _size(found: Any) -> float:
    try:
        size = parse_size(found)
    except ValueError as error:
        number = isinstance(found, int | float) and not isinstance(found, bool) and found > 0
        hint = f'did you mean "{found:g}GB"?' if number else ""
        raise wrong("not a size", allowed=str(error), hint=hint) from None
    if size < SMALLEST_GIB:
        raise wrong("too small", allowed='at least "1MB"')
    return size


def _write_size(gib: float) -> str:
    """Exactly, so that what is read again is the same number."""
    return f"{gib:.17g}GB"


def _span(found: Any) -> timedelta:
    try:
        return parse_span(found)
    except ValueError as error:
        hint = f'did you mean "{found}m"?' if type(found) is int and found > 0 else ""
        raise wrong("not a length of time", allowed=str(error), hint=hint) from None


def _moment(found: datetime) -> datetime:
    if found.tzinfo is None:
        raise wrong(
            "a time without its time zone",
            allowed="an offset at its end: 2026-12-01T18:00:00+01:00, or Z for UTC",
        )
    return found


def _source(found: str) -> str:
    if found in ("me", "anywhere"):
        return found
    allowed = '"me", "anywhere", or a network: "192.0.2.0/24"'
    try:
        network = ipaddress.ip_network(found, strict=False)
    except ValueError:
        raise wrong(
            "not a network", allowed=allowed, hint=did_you_mean(found, ("me", "anywhere"))
        ) from None
    if str(network) != found:
        raise wrong("not a network as it is written", allowed=allowed, hint=f'"{network}"?')
    return found


TAKEN = frozenset(
    "/ /bin /boot /dev /etc /home /lib /lib64 /opt /proc /root /run /sbin /sys /tmp /usr /var".split()  # noqa: E501, SIM905
)
"""Folders that a volume must not hide."""


def _mount(found: str) -> str:
    path = PurePosixPath(found)
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", found) or ".." in path.parts:
        raise wrong(
            "not a place to mount at",
            allowed='a whole path of letters, digits, ".", "_", "-": "/data"',
            hint=f'did you mean "/{found}"?' if re.fullmatch(r"[a-z0-9]+", found) else "",
        )
    if found in TAKEN:
        raise wrong(f"{found} belongs to the system", allowed='a folder of its own: "/data"')
    return found


def _bucket(found: str) -> str:
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", found):
        raise wrong("not a place in S3", allowed='"s3://BUCKET" or "s3://BUCKET/PREFIX"')
    return found


Name = Annotated[
    str,
    Field(
        pattern=NAME,
        max_length=30,
        description="Small letters, digits and hyphens; begins with a letter; at most 30.",
    ),
]
Size = Annotated[
    float,
    BeforeValidator(_size),
    PlainSerializer(_write_size, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*\d+(\.\d+)?\s*([mM]|[gG]|[tT])[iI]?[bB]\s*$",
            "examples": ["512MB", "16GB", "2TB"],
        }
    ),
]
"""GiB inside; a text with its unit in the file. GB and GiB are the same: 2**30 bytes."""
Span = Annotated[
    timedelta,
    BeforeValidator(_span),
    PlainSerializer(format_span, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30m", "1h30m", "5d"]}),
]
Moment = Annotated[datetime, AfterValidator(_moment)]
Source = Annotated[str, AfterValidator(_source)]
Mount = Annotated[str, AfterValidator(_mount)]
Bucket = Annotated[str, AfterValidator(_bucket)]
