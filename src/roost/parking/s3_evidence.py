"""The evidence in S3 before something is deleted for the sake of a copy there, and its rules.

A copy counts while S3 lists every object that its tree names: with the same size, stored no later
than the tree itself (by S3's own clock), and with the same ETag where that is the checksum. What
cannot be asked is unknown, and never taken for good.
"""

from __future__ import annotations

import hashlib
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from roost.errors import AccessError, CredentialsError, RoostError, UsageError
from roost.model.resources import S3Copy
from roost.parking.volume_agent import BucketRules, Listed
from roost.transfer.key_rules import show
from roost.transfer.listing import Prefix, side
from roost.transfer.manifest import TreeError, read
from roost.transfer.s3.bucket import Bucket, at
from roost.transfer.s3.config import Where
from roost.transfer.s3.failures import StoreError

MOST_NAMES = 5
ANSWERS = {"versioning": "VersioningConfiguration", "lifecycle": "LifecycleConfiguration"}
NOTHING = frozenset({"NoSuchLifecycleConfiguration"})
PERMISSIONS = {
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
}
"""IAM's own names of these calls."""


# --- copies -------------------------------------------------------------------------------------


def list_copies(copies: tuple[S3Copy, ...], here: Where) -> Listed:
    """Compare what S3 lists now with the trees of these copies."""
    complete: set[str] = set()
    changed: set[str] = set()
    troubles: dict[str, str] = {}
    refused: dict[str, str] = {}
    entries: dict[str, int] = {}
    for copy in copies:
        where = replace(here, region=copy.region or here.region, endpoint=copy.endpoint or None)
        try:
            wrong, all_there, entries[copy.name] = _wrong(copy, where)
        except (AccessError, CredentialsError, UsageError) as error:
            refused[copy.name] = f"{copy.place} cannot be listed from here: {error.what}"
            continue
        except RoostError as error:
            wrong, all_there = error.what, False
        if wrong:
            troubles[copy.name] = wrong
            changed |= {copy.name} if all_there else set()
        else:
            complete.add(copy.name)
    return Listed(frozenset(complete), troubles, refused, entries, frozenset(changed))


def _wrong(copy: S3Copy, where: Where) -> tuple[str, bool, int]:
    """Return what is wrong with a copy ("": nothing), and how many entries it has.

    Between them: whether each object is there with its size. Raises RoostError.
    """
    place = side(copy.place)
    assert isinstance(place, Prefix)
    bucket = at(place, where, connections=8)
    try:
        expected, stored, entries = _tree(bucket, copy)
        return (*_compared(bucket, place.prefix, expected, stored), entries)
    except StoreError as error:
        if error.gone:
            return f"{copy.tree}, which lists all of it, is not there", False, 0
        raise error.explained(copy.place) from error


def _tree(bucket: Bucket, copy: S3Copy) -> tuple[dict[str, tuple[int, str]], int, int]:
    """Return size and ETag ("": not known) of each object of the tree.

    And when the tree was stored, and how many entries it has, folders and links too.
    """
    key = copy.tree.removeprefix(f"s3://{bucket.name}/")
    with tempfile.TemporaryFile() as file:
        if _fetched(bucket, key, file) != copy.sha256:
            raise RoostError(f"{copy.tree} is not what was saved")
        file.seek(0)
        try:
            leaves = read(file)
        except TreeError as error:
            raise RoostError(f"{copy.tree}: {error}") from None
    tags = {leaf.path: leaf.sums[1] if leaf.sums[0] == "etag" else "" for leaf in leaves}
    files = (leaf for leaf in leaves if leaf.kind == "file")
    objects = {leaf.path: (leaf.size, tags[leaf.path]) for leaf in files}
    return objects, bucket.head(key).stored_ns, len(leaves)


def _fetched(bucket: Bucket, key: str, file: IO[bytes]) -> str:
    known = hashlib.sha256()

    def write(data: memoryview, at: int) -> None:
        del at
        known.update(data)
        file.write(data)

    bucket.client.fetch(key, {}, write)
    return known.hexdigest()


def _compared(
    bucket: Bucket, prefix: str, expected: dict[str, tuple[int, str]], stored_ns: int
) -> tuple[str, bool]:
    total, wrong, lost = len(expected), dict[str, str](), 0
    for entry in bucket.objects(prefix):
        if (leaf := expected.pop(entry.name, None)) is None:
            continue
        size, tag = leaf
        if entry.size != size:
            wrong[entry.name] = f"it has {entry.size} bytes in S3, not {size}"
            lost += 1
        elif entry.mtime_ns // 10**9 > stored_ns // 10**9:
            wrong[entry.name] = "it was stored anew after the copy was proven"
        elif tag and entry.tag != tag:
            wrong[entry.name] = "it is another object than the one that was proven"
    wrong |= dict.fromkeys(expected, "it is not in S3")
    lost += len(expected)
    if not wrong:
        return "", True
    first = [f"{show(name)}: {why}" for name, why in sorted(wrong.items())[:MOST_NAMES]]
    more = f"; and {len(wrong) - len(first)} more" if len(wrong) > len(first) else ""
    return (
        f"{len(wrong)} of {total} objects are not as they were proven: {'; '.join(first)}{more}",
        lost == 0,
    )


# --- the rules of a bucket ----------------------------------------------------------------------


def bucket_rules(places: tuple[str, ...], here: Where) -> tuple[BucketRules, ...]:
    """Return what the buckets of these places do with objects by themselves."""
    return tuple(_rules_of(place, here) for place in dict.fromkeys(places))


def _rules_of(place: str, here: Where) -> BucketRules:
    try:
        prefix = side(place)
        assert isinstance(prefix, Prefix)
        bucket = at(prefix, here, connections=2)
    except RoostError as error:
        return BucketRules(place=place, unknown=error.what)
    unknown: list[str] = []
    versioning = _asked(bucket, "GetBucketVersioning", "versioning", unknown)
    status = _text(versioning, "Status") if versioning is not None else None
    lifecycle = _asked(bucket, "GetBucketLifecycleConfiguration", "lifecycle", unknown)
    rules = [] if lifecycle is None else _children(lifecycle, "Rule")
    mine = [rule for rule in rules if _is_on(rule) and _touches(rule, prefix.prefix)]
    return BucketRules(
        place=place,
        deletes=tuple(text for rule in mine for text in _deletes(rule)),
        moves=tuple(text for rule in mine for text in _moves(rule)),
        versioned=None if status is None else status == "Enabled",
        unknown="; ".join(unknown),
    )


def _asked(bucket: Bucket, operation: str, query: str, unknown: list[str]) -> ET.Element | None:
    """Return S3's answer; None where there is nothing, or where it is not known."""
    try:
        body = bucket.client.call(operation, "GET", query={query: ""}).body
        answer = ET.fromstring(body)  # noqa: S314 - S3's own answer
        if answer.tag.rpartition("}")[2] == ANSWERS[query]:
            return answer
        unknown.append(f"{operation}: the answer is not S3's")
    except StoreError as error:
        if error.code not in NOTHING:
            permission = (
                "s3:GetLifecycleConfiguration" if query == "lifecycle" else f"s3:{operation}"
            )
            denied = f" (the permission {permission} is missing)" if error.status == 403 else ""
            unknown.append(f"{operation}: {error.text or error.code}{denied}")
    except ET.ParseError:
        unknown.append(f"{operation}: the answer is not S3's")
    return None


def _is_on(rule: ET.Element) -> bool:
    return _text(rule, "Status") == "Enabled"


def _touches(rule: ET.Element, place: str) -> bool:
    """Return whether a rule may be about objects below the place.

    One that goes by tags may not: roost gives objects none, but nobody knows what others do.
    """
    if any(True for _ in _all(rule, "Tag")):
        return False
    prefixes = [one.text or "" for one in _all(rule, "Prefix")]
    return all(place.startswith(one) or one.startswith(place) for one in prefixes)


def _deletes(rule: ET.Element) -> Iterator[str]:
    name = _text(rule, "ID") or "without a name"
    for expiration in _children(rule, "Expiration"):
        days, date = _text(expiration, "Days"), _text(expiration, "Date")
        if days:
            yield f"the rule {show(name)} deletes objects {days} days after they were stored"
        elif date:
            yield f"the rule {show(name)} deletes objects on {date[:10]}"


def _moves(rule: ET.Element) -> Iterator[str]:
    name = _text(rule, "ID") or "without a name"
    for transition in _children(rule, "Transition"):
        target = _text(transition, "StorageClass")
        if target in ("GLACIER", "DEEP_ARCHIVE"):
            days = _text(transition, "Days") or "some"
            yield f"the rule {show(name)} moves objects to {target} after {days} days"


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (one for one in element.iter() if one.tag.rpartition("}")[2] == name)


def _children(element: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in element if one.tag.rpartition("}")[2] == name]


def _text(element: ET.Element, name: str) -> str:
    return next((one.text or "" for one in _children(element, name)), "")
