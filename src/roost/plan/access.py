"""Who may reach a name's machines, and who may not any more. Pure.

Roost's own rules are made to match the file, both ways. A rule that somebody made by hand stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.model.steps import CloseRules, OpenRules
from roost.plan.reasons import NOT_IN_FILE, by_reason

if TYPE_CHECKING:
    from roost.model.resources import Rule, SecurityGroup, State, Wanted

NOT_OPEN = "in the file, and not open yet"
MOVED = "your address before; you have another one now"
APART = "no seat may reach another one"
NOBODY = 'the file lets nobody in as "me" any more'


def open_rules(wanted: Wanted, have: State) -> list[OpenRules]:
    """Return the steps that let in whom the file names, and a group that is there does not."""
    there = {group.name: group for group in have.security_groups}
    steps = []
    for asked in wanted.security_groups:
        if asked.name not in there:
            continue  # it is created with all of its rules
        open_now = there[asked.name].rules
        closed = tuple(
            rule
            for rule in asked.rules
            if rule not in open_now and (not rule.firewall or rule.firewall in there)
        )
        if closed:
            steps.append(OpenRules(asked.name, closed, asked.alone, reason=NOT_OPEN))
    return steps


def close_rules(wanted: Wanted, have: State) -> list[CloseRules]:
    """Return the steps that take back what the file does not name any more."""
    steps = []
    for group in have.security_groups:
        asked = next((g for g in wanted.security_groups if g.name == group.name), None)
        if asked is None:
            continue
        reasons = {rule: why for rule in group.rules if (why := _why_close(rule, asked, group))}
        if reasons:
            why = by_reason((rule.text, reason) for rule, reason in reasons.items())
            steps.append(CloseRules(group.name, tuple(reasons), reason=why))
    return steps


def _why_close(rule: Rule, asked: SecurityGroup, group: SecurityGroup) -> str:
    """Return why a rule goes; "" if it stays."""
    people = {r.port for r in asked.rules if r.source == "caller"}
    networks = {(r.port, r.source) for r in asked.rules}
    if rule.firewall == group.name:
        return APART if asked.alone else ""
    if rule.of == "hand" or (rule.port, rule.cidr or rule.source) in networks:
        return ""
    if _is_callers(rule, group) and rule.port in people:
        return ""
    if rule.of == "file":
        return NOT_IN_FILE
    if rule.port not in people:
        return NOBODY
    # Whose address an older roost let in, and where a colleague is now, nobody knows here.
    return MOVED if rule.of == "me" else ""


def _is_callers(rule: Rule, group: SecurityGroup) -> bool:
    """Tell if the caller comes in by this rule, whoever it was made for."""
    mine = {(r.port, r.cidr) for r in group.rules if r.source == "caller"}
    return (rule.port, rule.cidr) in mine
