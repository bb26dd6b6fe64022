"""The rules of security groups on a cloud in memory. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from roost.errors import CloudError
from roost.model.resources import Resource, Rule, SecurityGroup

CALLER = "203.0.113.7/32"
"""The address from which everybody looks."""


def opened(group: SecurityGroup, there: Resource | None = None) -> SecurityGroup:
    """Return a group with its rules open, beside those of the group that is there."""
    before = there.rules if isinstance(there, SecurityGroup) else ()
    new = (rule for rule in group.rules if rule not in before)
    return replace(group, rules=(*before, *(replace(r, cidr=_cidr(r)) for r in new)))


def closed(group: Resource, rules: Iterable[Rule]) -> SecurityGroup:
    """Return a group without what these rules had opened. Raises CloudError for no group."""
    if not isinstance(group, SecurityGroup):
        raise CloudError(f"InvalidGroup.NotFound: {group.name}")
    going = {_whom(rule) for rule in rules}
    return replace(group, rules=tuple(r for r in group.rules if _whom(r) not in going))


def is_referenced(group: str, there: Iterable[Resource]) -> bool:
    """Tell whether a rule of another group names this one."""
    groups = [one for one in there if isinstance(one, SecurityGroup) and one.name != group]
    return any(rule.firewall == group for one in groups for rule in one.rules)


def _whom(rule: Rule) -> tuple[int, str]:
    return rule.port, rule.firewall or rule.cidr


def _cidr(rule: Rule) -> str:
    if rule.firewall:
        return ""
    return CALLER if rule.source == "caller" else rule.source
