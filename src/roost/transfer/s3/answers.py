"""The answers of S3 in XML, each checked to be the one that was asked for. Pure.

A login page with status 200, a list that ends too early or another bucket's list would otherwise be
taken for "there is nothing", and deletions follow from that.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from urllib.parse import unquote
from xml.sax.saxutils import unescape

from roost.transfer.listing import Entry
from roost.transfer.s3.failures import StoreError

FOREIGN = "ForeignAnswer"
"""The code of an answer that is not what S3 answers."""
INCOMPLETE = "IncompleteListing"
"""The code of a listing that does not prove to be whole."""
_NEXT = re.compile(rb"<NextContinuationToken>([^<]+)</NextContinuationToken>")
_SHOWN = 60
_ALIASES = ("-s3alias", "--ol-s3")
"""Endings of names that stand for a bucket of another name."""


def root_of(body: bytes, name: str, operation: str, key: str = "") -> ET.Element:
    """Return the root of an answer. Raises StoreError where it is not of that name."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat limits what entities may grow to
    except ET.ParseError:
        raise foreign(body, operation, key) from None
    kind = plain(root.tag)
    if kind == "Error":
        raise StoreError(operation, key, text_in(root, "Code") or FOREIGN, text_in(root, "Message"))
    if kind not in {name, name.replace("Result", "Response")}:  # moto's ListParts
        raise foreign(body, operation, key)
    return root


def foreign(body: bytes, operation: str, key: str = "") -> StoreError:
    """Return the error for an answer that S3 does not give."""
    begin = " ".join(body[:200].decode(errors="replace").split())[:_SHOWN]
    what = f"it begins with {begin!r}" if begin else "it is empty"
    return StoreError(
        operation,
        key,
        FOREIGN,
        f"the answer to {operation} is not from S3 ({what}); a login page or a proxy may be in"
        " between, or the endpoint is another service",
    )


def plain(tag: str) -> str:
    """Return the name of an element without its namespace."""
    return tag.rpartition("}")[2]


def children(root: ET.Element, name: str) -> list[ET.Element]:
    """Return the elements of that name."""
    return [child for child in root if plain(child.tag) == name]


def text_in(element: ET.Element, name: str) -> str:
    """Return the text of the first element of that name, "" without one."""
    for child in element:
        if plain(child.tag) == name:
            return child.text or ""
    return ""


# --- listings ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing. ``more``: it is not the last; ``token`` asks for the next one.

    ``newer``: the server knows the second version of listings. The names are whole keys.
    """

    entries: list[Entry]
    more: bool
    token: str
    newer: bool

    @property
    def first(self) -> str:
        """The first key, "" for none."""
        return self.entries[0].name if self.entries else ""

    @property
    def last(self) -> str:
        """The last key, "" for none."""
        return self.entries[-1].name if self.entries else ""

    @property
    def in_order(self) -> bool:
        """Tell if each key comes after the one before."""
        return all(one.name < two.name for one, two in pairwise(self.entries))


def page(body: bytes, bucket: str, prefix: str) -> Page:
    """Return a part of the listing of a prefix. Raises StoreError where it is anything else."""
    root = root_of(body, "ListBucketResult", "ListObjectsV2")
    fields = {plain(child.tag): child.text or "" for child in root if not len(child)}
    named, below = fields.get("Name", ""), fields.get("Prefix")
    if named not in {"", bucket} and not bucket.endswith(_ALIASES):
        raise _incomplete(f"it lists the bucket {named}, not {bucket}")
    if below is not None and prefix not in {below, unquote(below), unquote_plus(below)}:
        raise _incomplete(f"it lists {below!r}, not {prefix!r}")
    truncated = fields.get("IsTruncated", "").strip().lower()
    if truncated not in {"true", "false"}:
        raise _incomplete("it does not say if it is whole")
    coded = fields.get("EncodingType", "").lower() == "url"
    entries = [_entry(one, coded=coded) for one in children(root, "Contents")]
    other = next((one.name for one in entries if not one.name.startswith(prefix)), None)
    if other is not None:
        raise _incomplete(f"it has {other!r}, which is not below {prefix!r}")
    token = fields.get("NextContinuationToken", "")
    return Page(
        entries=entries,
        more=truncated == "true" or bool(token),
        token=token,
        newer="KeyCount" in fields or "ContinuationToken" in fields,
    )


class Progress:
    """The check that a listing goes on until it says that it has ended."""

    MOST_EMPTY = 1000

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._firsts: set[str] = set()
        self._empty = 0
        self._marker = ""

    def next_query(self, page: Page) -> dict[str, str]:
        """Return how the page after this one is asked for. Raises StoreError if it never ends.

        Servers that know only the first version of listings are asked for what comes after the
        last key; their keys must come in order, so that none is left out.
        """
        if page.first:
            if page.first in self._firsts:
                raise _incomplete("it begins again from where it was")
            self._firsts.add(page.first)
        self._empty = 0 if page.first else self._empty + 1
        marks = page.more and not page.token
        if marks and (page.newer or not page.last):
            raise _incomplete("it says that there is more, and not how to ask for it")
        if (marks or self._marker) and not (page.in_order and page.first >= self._marker):
            raise _incomplete("its keys do not come in order")
        if not page.more:
            return {}
        if marks:
            self._marker = page.last
            return {"marker": page.last}
        if page.token in self._tokens or self._empty > self.MOST_EMPTY:
            raise _incomplete("it begins again from where it was")
        self._tokens.add(page.token)
        return {"list-type": "2", "continuation-token": page.token}


def early_token(body: bytes) -> str:
    """Return the token of a page that is not read yet, so that the next one can be on its way."""
    token = _NEXT.search(body)
    if token is None:
        return ""
    escapes = {"&#34;": '"', "&#39;": "'", "&quot;": '"', "&#43;": "+"}
    return unescape(token[1].decode(errors="replace"), escapes)


def unquote_plus(text: str) -> str:
    """Return the text of an address, in which a plus is a space."""
    return unquote(text.replace("+", " "))


def age(at: str, now: str) -> float | None:
    """Return the seconds from a time in an answer until the answer's own; None if unknown."""
    then = _nanoseconds(at) / 1e9
    try:
        return parsedate_to_datetime(now).timestamp() - then if then else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _incomplete(what: str) -> StoreError:
    return StoreError(
        "ListObjectsV2",
        "",
        INCOMPLETE,
        f"the listing cannot be trusted: {what}; nothing was changed",
    )


def _entry(one: ET.Element, *, coded: bool) -> Entry:
    key = size = stored = tag = storage = ""
    for child in one:
        name = plain(child.tag)
        if name == "Key":
            key = child.text or ""
        elif name == "Size":
            size = child.text or ""
        elif name == "LastModified":
            stored = child.text or ""
        elif name == "ETag":
            tag = child.text or ""
        elif name == "StorageClass":
            storage = child.text or ""
    if coded and ("%" in key or "+" in key):
        key = unquote(key.replace("+", " "), errors="surrogateescape")
    if not key or not size.isdecimal():
        raise _incomplete(f"an object of it has the name {key!r} and the size {size!r}")
    when, folder = _nanoseconds(stored), key.endswith("/")
    return Entry(key, int(size), when, tag.strip('"'), folder, storage)


def _nanoseconds(stored: str) -> int:
    """Return the time in nanoseconds, 0 where none can be read."""
    try:
        when = datetime.fromisoformat(stored.strip().replace("Z", "+00:00"))
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return int(when.timestamp() * 1000) * 10**6
    except (ValueError, OverflowError):
        return 0
