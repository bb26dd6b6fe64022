"""A plan as a picture: what a file makes, by groups of machines. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from roost.model.nodes import split
from roost.model.resources import GATEWAY
from roost.units import format_size

if TYPE_CHECKING:
    from roost.model.resources import Group, Wanted


def groups(wanted: Wanted) -> list[tuple[Group, list[str], int]]:
    """Return each group with what its machines have: volumes in words, and how many addresses.

    A gateway is the first, as all others are reached through it.
    """
    return [
        (group, _volumes(wanted, group), sum(_is_of(one.holder, group) for one in wanted.addresses))
        for group in sorted(wanted.groups, key=lambda one: one.role != GATEWAY)
    ]


def _volumes(wanted: Wanted, group: Group) -> list[str]:
    """Return ``"20 x data, 500GB gp3 at /data"``: a class has the same ones for each seat."""
    alike = Counter(
        (one.name.removeprefix(f"{one.holder}-"), one.size_gib, one.type, one.mount)
        for one in wanted.volumes
        if _is_of(one.holder, group)
    )
    return [
        f"{count} x {name}, {format_size(size)}{f' {kind}' if kind else ''} at {mount}"
        for (name, size, kind, mount), count in alike.items()
    ]


def _is_of(holder: str, group: Group) -> bool:
    return split(holder)[0] == group.role


def doors(wanted: Wanted) -> list[tuple[int, str]]:
    """Return each port that is open to outside, and to whom."""
    open_to: dict[int, list[str]] = {}
    rules = (rule for group in wanted.security_groups for rule in group.rules)
    # A gateway that reaches the machines behind it is not outside.
    for port, source in sorted({(r.port, r.source) for r in rules if not r.firewall}):
        open_to.setdefault(port, []).append("your address" if source == "caller" else source)
    return [(port, ", ".join(sources)) for port, sources in open_to.items()]
