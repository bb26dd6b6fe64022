"""The kinds of value that several tables share: sizes, spans, names, addresses, paths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from roost.home import NAME, NAME_RULE, is_name
from roost.spec.table import did_you_mean, wrong
from roost.units import format_span, parse_size, parse_span

SIZE = r"^\s*[0-9]+(\.[0-9]+)?\s*[mMgGtT][iI]?[bB]\s*$"
SPAN = r"^(\s*[0-9]+(\.[0-9]+)?\s*([sS]|[mM][iI][nN]|[mM]|[hH]|[dD]|[wW]))+\s*$"
MOUNT = r"^(/[A-Za-z0-9._-]+)+$"
BUCKET = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$"
SOURCE = r"^(me|anywhere|[0-9.]+/[0-9]+|[0-9a-f:.]*:[0-9a-f:.]*/[0-9]+)$"
SMALLEST_GIB = 1 / 1024
SPELT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})
SYSTEMS = ("ubuntu-24.04", "debian-12", "debian-13")
"""The systems that have a name in the file, whatever the cloud calls their images."""


def as_name(text: str) -> str:
    """Turn ``text`` into a name; empty where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(SPELT))
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    name = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")[:30].rstrip("-")
    return name if is_name(name) else ""


def matching(pattern: str | re.Pattern[str], what: str, allowed: str) -> Callable[[str], str]:
    """Return a check of a text: all of it has this form, or ``what`` it is not is said."""

    def check(found: str) -> str:
        if not re.fullmatch(pattern, found):
            raise wrong(what, allowed=allowed)
        return found

    return check


def _name(found: str) -> str:
    if not is_name(found):
        near = as_name(found)
        raise wrong(
            "not a usable name",
            allowed=NAME_RULE,
            hint=f'did you mean "{near}"?' if near else "",
        )
    return found


def _size(found: Any) -> float:
    try:
        size = parse_size(found)
    except ValueError as error:
        number = re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", str(found))
        hint = f'did you mean "{found}GB"?' if number else ""
        raise wrong("not a size", allowed=str(error), hint=hint) from None
    if size < SMALLEST_GIB:
        raise wrong("too small", allowed='at least "1MB"')
    return size


def _write_size(gib: float) -> str:
    """Write a size exactly, so that reading it gives the same number."""
    return f"{gib:.17g}GB"


def _span(found: Any) -> timedelta:
    try:
        return parse_span(found)
    except ValueError as error:
        hint = f'did you mean "{found}m"?' if type(found) is int and 0 < found < 10_000 else ""
        raise wrong("not a length of time", allowed=str(error), hint=hint) from None


def _moment(found: Any) -> Any:
    if isinstance(found, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:", found):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            found = None
    if not isinstance(found, datetime):
        raise wrong("the wrong kind of value", allowed="a time: 2026-12-01T18:00:00+01:00")
    if found.tzinfo is None:
        raise wrong(
            "a time without its time zone",
            allowed="an offset at its end: 2026-12-01T18:00:00+01:00, or Z for UTC",
        )
    return found


def _source(found: str) -> str:
    if found in ("me", "anywhere"):
        return found
    import ipaddress

    allowed = '"me", "anywhere", or a network: "192.0.2.0/24"'
    try:
        network = str(ipaddress.ip_network(re.sub("%[^/]*", "", found), strict=False))
    except ValueError:
        hint = did_you_mean(found, ("me", "anywhere"))
        raise wrong("not a network", allowed=allowed, hint=hint) from None
    if network != found:
        near = "anywhere" if found in ("0.0.0.0", "::") else network  # noqa: S104 - only compared
        hint = f'did you mean "{near}"?'
        raise wrong("not written as a network", allowed=allowed, hint=hint)
    return found


TAKEN = frozenset("/home /opt /root /tmp /var".split())  # noqa: SIM905
"""Folders of the system that a mount must not hide; those below them it may."""
SYSTEM = frozenset("bin boot dev etc lib lib64 proc run sbin sys usr".split())  # noqa: SIM905
"""Folders of the system in which nothing may be mounted."""


def _mount(found: str) -> str:
    if not re.fullmatch(MOUNT, found) or {".", ".."} & set(found.split("/")):
        near = "/" + found.strip("/")
        fits = re.fullmatch(MOUNT, near) and "." not in near
        raise wrong(
            "not a place to mount at",
            allowed='a whole path of letters, digits, ".", "_", "-": "/data"',
            hint=f'did you mean "{near}"?' if fits else "",
        )
    check_free(found)
    return found


def check_free(mount: str, at: tuple[str, ...] = ()) -> None:
    """Refuse a mount point that belongs to the system."""
    if mount in TAKEN or PurePosixPath(mount).parts[1] in SYSTEM:
        allowed = 'a folder of its own: mount = "/data"' if at else 'a folder of its own: "/data"'
        raise wrong(f"{mount} belongs to the system", allowed=allowed, at=at)


Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME})]
Size = Annotated[
    float,
    BeforeValidator(_size),
    PlainSerializer(_write_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SIZE, "examples": ["512MB", "16GB", "2TB"]}),
]
"""GiB inside; a text with its unit in the file. GB and GiB are the same: 2**30 bytes."""
Span = Annotated[
    timedelta,
    BeforeValidator(_span),
    PlainSerializer(format_span, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SPAN, "examples": ["30m", "1h30m", "5d"]}),
]
Package = Annotated[
    str,
    AfterValidator(
        matching(r"[a-z0-9][a-z0-9+.-]+", "not a name of a package", 'like "libgdal-dev"')
    ),
]
"""The name of a system package, for apt-get."""
Moment = Annotated[datetime, BeforeValidator(_moment)]
Source = Annotated[
    str, AfterValidator(_source), WithJsonSchema({"type": "string", "pattern": SOURCE})
]
Mount = Annotated[str, AfterValidator(_mount), WithJsonSchema({"type": "string", "pattern": MOUNT})]
Bucket = Annotated[
    str,
    AfterValidator(matching(BUCKET, "not a place in S3", '"s3://BUCKET" or "s3://BUCKET/PREFIX"')),
    WithJsonSchema({"type": "string", "pattern": BUCKET}),
]


# --- time zones ----------------------------------------------------------------------------------

ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"


def _zone(found: str) -> str:
    """Check a time zone by its form, and by this computer's list, where it has one."""
    from zoneinfo import available_timezones

    known = available_timezones()
    if not re.fullmatch(ZONE, found) or (known and found not in known):
        raise wrong(
            "not a time zone",
            allowed='a name of the IANA list, like "Europe/Berlin" or "UTC"',
            hint=did_you_mean(found, known),
        )
    return found


Zone = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "pattern": ZONE})]
