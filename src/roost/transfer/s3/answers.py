"""The answers of S3 in XML, each checked to be the one that was asked for. Pure.

A login page with status 200, a list that ends too early or another bucket's list would otherwise be
taken for "there is nothing", and deletions follow from that.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import unquote

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
    """Return the root of an answer; ``name``: what it must be called, "" where its content tells.

    Raises StoreError where it is something else, or an error.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat limits what entities may grow to
    except ET.ParseError:
        raise foreign(body, operation, key) from None
    kind = plain(root.tag)
    if kind == "Error":
        raise StoreError(operation, key, text_in(root, "Code") or FOREIGN, text_in(root, "Message"))
    if name and kind not in {name, name.replace("Result", "Response")}:  # moto's ListParts
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

    ``newer``: the server knows the second version of listings. The names are below the prefix,
    which may itself be one of the keys.
    """

    entries: list[Entry]
    more: bool
    token: str
    newer: bool

    @property
    def first(self) -> str | None:
        """The first name, None for an empty page."""
        return self.entries[0].name if self.entries else None

    @property
    def last(self) -> str | None:
        """The last name, None for an empty page."""
        return self.entries[-1].name if self.entries else None

    @property
    def in_order(self) -> bool:
        """Tell if each key comes after the one before."""
        return all(one.name < two.name for one, two in pairwise(self.entries))


def page(body: bytes, bucket: str, prefix: str) -> Page:
    """Return a part of the listing of a prefix. Raises StoreError where it is anything else."""
    root = root_of(body, "ListBucketResult", "ListObjectsV2")
    contents = f"{root.tag[: -len(plain(root.tag))]}Contents"
    fields = {plain(one.tag): one.text or "" for one in root if one.tag != contents}
    named, below = fields.get("Name", ""), fields.get("Prefix")
    if named not in {"", bucket} and not bucket.endswith(_ALIASES):
        raise _incomplete(f"it lists the bucket {named}, not {bucket}")
    if below is not None and prefix not in {below, unquote(below), unquote_plus(below)}:
        raise _incomplete(f"it lists {below!r}, not {prefix!r}")
    truncated = fields.get("IsTruncated", "").strip().lower()
    if truncated not in {"true", "false"}:
        raise _incomplete("it does not say if it is whole")
    coded = fields.get("EncodingType", "").lower() == "url"
    token = fields.get("NextContinuationToken", "")
    return Page(
        entries=_entries(root, prefix, coded=coded),
        more=truncated == "true" or bool(token),
        token=token,
        newer="KeyCount" in fields or "ContinuationToken" in fields,
    )


class Progress:
    """The check that a listing goes on until it says that it has ended."""

    MOST_EMPTY = 1000

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._tokens: set[str] = set()
        self._firsts: set[str] = set()
        self._empty = 0
        self._marker: str | None = None

    def next_query(self, page: Page) -> dict[str, str]:
        """Return how the page after this one is asked for. Raises StoreError if it never ends.

        Servers that know only the first version of listings are asked for what comes after the
        last key; their keys must come in order, so that none is left out.
        """
        first, last, marker = page.first, page.last, self._marker
        if first is None:
            self._empty += 1
        elif first in self._firsts:
            raise _incomplete("it begins again from where it was")
        else:
            self._firsts.add(first)
            self._empty = 0
        marks = page.more and not page.token
        if marks and (page.newer or last is None):
            raise _incomplete("it says that there is more, and not how to ask for it")
        after = marker is None or first is None or first > marker
        if (marks or marker is not None) and not (page.in_order and after):
            raise _incomplete("its keys do not come in order")
        if not page.more:
            return {}
        if marks and last is not None:
            self._marker = last
            return {"marker": self._prefix + last}
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
    text = token[1].decode(errors="replace")
    for coded, plain_text in escapes.items():
        text = text.replace(coded, plain_text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def unquote_plus(text: str) -> str:
    """Return the text of an address, in which a plus is a space."""
    return unquote(text.replace("+", " "))


def age(at: str, now: str) -> float | None:
    """Return the seconds from a time in an answer until the answer's own; None if unknown."""
    from email.utils import parsedate_to_datetime

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


def _entries(root: ET.Element, prefix: str, *, coded: bool) -> list[Entry]:
    space = root.tag[: -len(plain(root.tag))]
    contents, skip = f"{space}Contents", len(prefix)
    named, sized, stored, tagged, kind = (
        f"{space}{name}" for name in ("Key", "Size", "LastModified", "ETag", "StorageClass")
    )
    entries: list[Entry] = []
    for one in root:
        if one.tag != contents:
            continue
        fields = {child.tag: child.text for child in one}
        key, size = fields.get(named) or "", fields.get(sized) or ""
        if coded and ("%" in key or "+" in key):
            key = unquote(key.replace("+", " "), errors="surrogateescape")
        if not key.startswith(prefix):
            raise _incomplete(f"it has {key!r}, which is not below {prefix!r}")
        if not key or not size.isdecimal():
            raise _incomplete(f"an object of it has the name {key!r} and the size {size!r}")
        when, tag = _nanoseconds(fields.get(stored) or ""), fields.get(tagged) or ""
        name, folder, storage = key[skip:], key[-1] == "/", fields.get(kind) or ""
        entries.append(Entry(name, int(size), when, tag.strip('"'), folder, storage))
    return entries


def _nanoseconds(stored: str) -> int:
    """Return the time in nanoseconds, 0 where none can be read."""
    try:
        when = datetime.fromisoformat(stored)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return int(when.timestamp() * 1000) * 10**6
    except (ValueError, OverflowError):
        return 0
