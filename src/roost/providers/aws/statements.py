"""The statements of an IAM policy, limited by roost's tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from roost.providers.aws import tags

ANY = "*"
"""Instead of a name: whatever name carries the tag."""


def statement(
    sid: str, actions: Iterable[str], arns: Iterable[str], *conditions: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return one statement; its conditions must all hold."""
    merged: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            merged[operator] = merged.get(operator, {}) | keys
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(arns),
        **({"Condition": merged} if merged else {}),
    }


def tagged(key: str, name: str, *others: str, if_there: bool = False) -> dict[str, dict[str, Any]]:
    """Return the condition that the tag ``roost`` is one of these names."""
    operator = "StringLike" if name == ANY else "StringEquals"
    allowed = [name, *others] if others and name != ANY else name
    return {f"{operator}{'IfExists' if if_there else ''}": {f"{key}/{tags.NAME}": allowed}}


def of_image(key: str, name: str) -> dict[str, dict[str, Any]]:
    """Return the condition that it is an image of the name, or makes one."""
    return {"StringEquals": {f"{key}/{tags.NAME}": tags.IMAGES, f"{key}/{tags.OF}": name}}


def in_region(region: str | None) -> dict[str, dict[str, Any]]:
    """Return the condition that a call is for this region."""
    return {"StringEquals": {"aws:RequestedRegion": region}} if region else {}


def arns_of(kinds: Iterable[str]) -> list[str]:
    """Return the ARNs of all resources of these kinds."""
    return [f"arn:aws:ec2:*:*:{kind}/*" for kind in sorted(set(kinds))]
