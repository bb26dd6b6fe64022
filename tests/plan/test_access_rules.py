"""Who may reach a name's machines: rules match the file both ways, and nobody is cut off by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.model.owner import fingerprint
from roost.model.resources import EVERY, Rule, RuleOf, SecurityGroup, State, Wanted
from roost.model.steps import CloseRules, OpenRules, explain
from roost.plan.up import plan_up
from roost.providers import callers
from roost.providers.aws import access
from roost.providers.callers import Caller
from roost.providers.openstack import firewall

HERE, BEFORE, OTHER = "203.0.113.7/32", "203.0.113.9/32", "198.51.100.1/32"
NET = "192.0.2.0/24"
ME = Rule(port=22, source="caller", cidr=HERE, of="me")


def rule(source: str, of: RuleOf = "file", port: int = 22) -> Rule:
    return Rule(port=port, source=source, cidr=source, of=of)


def wanted(*rules: Rule) -> Wanted:
    group = SecurityGroup(name="lab", rules=rules)
    return Wanted(name="lab", record="{}", groups=(), security_groups=(group,))


def have(*rules: Rule) -> State:
    group = SecurityGroup(name="lab", rules=rules)
    return State(name="lab", record="{}", security_groups=(group,))


def steps(asked: tuple[Rule, ...], there: tuple[Rule, ...]) -> list[str]:
    return [explain(step) for step in plan_up(wanted(*asked), have(*there)).steps]


ASKS_ME = Rule(port=22, source="caller")
CLOSED = [
    ((ASKS_ME,), (ME, rule(NET)), f"close port 22 from {NET}: not in the file any more"),
    (
        (ASKS_ME,),
        (ME, rule("0.0.0.0/0", port=443)),
        "close port 443 from anywhere: not in the file any more",
    ),
    (
        (ASKS_ME,),
        (ME, rule(BEFORE, "me")),
        f"close port 22 from {BEFORE}: your address before; you have another one now",
    ),
    (
        (rule(NET),),
        (rule(NET), ME, rule(OTHER, "colleague")),
        f"close port 22 from {HERE}, port 22 from {OTHER}:"
        ' the file lets nobody in as "me" any more',
    ),
    (
        (rule(NET),),
        (rule(NET), rule(OTHER, "somebody")),
        f'close port 22 from {OTHER}: the file lets nobody in as "me" any more',
    ),
]
STAYS = [
    ((ASKS_ME,), (ME, rule(OTHER, "colleague"))),
    ((ASKS_ME,), (ME, rule(OTHER, "somebody"))),
    ((ASKS_ME,), (ME, rule("0.0.0.0/0", "hand"))),
    ((ASKS_ME,), (rule(HERE), replace(ME, of="file"))),  # the file named it before
    ((ASKS_ME, rule(HERE)), (rule(HERE), replace(ME, of="file"))),
    ((rule(HERE),), (rule(HERE), replace(ME, of="file"))),
]


@pytest.mark.parametrize(("asked", "there", "said"), CLOSED)
def test_what_the_file_names_no_more_is_closed(
    asked: tuple[Rule, ...], there: tuple[Rule, ...], said: str
) -> None:
    assert steps(asked, there) == [said]


@pytest.mark.parametrize(("asked", "there"), STAYS)
def test_the_caller_colleagues_and_rules_by_hand_stay(
    asked: tuple[Rule, ...], there: tuple[Rule, ...]
) -> None:
    assert steps(asked, there) == []


def test_a_new_way_in_is_opened_before_the_old_one_is_closed() -> None:
    plan = plan_up(wanted(ASKS_ME), have(rule(BEFORE, "me")))
    assert [type(step) for step in plan.steps] == [OpenRules, CloseRules]


# --- as EC2 describes it -------------------------------------------------------------------------

TEXTS = {
    "file": callers.FILE,
    "me": f"{callers.ME}SHA256:mine",
    "colleague": f"{callers.ME}SHA256:other",
    "somebody": access.ME_BEFORE,
    "hand": "opened for the workshop",
}
CIDRS = st.sampled_from([HERE, BEFORE, OTHER, NET, "0.0.0.0/0", "2001:db8::/32"])
PORTS = st.sampled_from([22, 443])
SOURCES = st.one_of(CIDRS, st.just("caller"))
CALLER = Caller(HERE, "SHA256:mine")


def described(there: dict[tuple[int, str], str]) -> dict[str, object]:
    permissions = []
    for (port, cidr), of in there.items():
        one = access.revoked(Rule(port=port, source=cidr, cidr=cidr))
        places = one.get("IpRanges") or one.get("Ipv6Ranges")
        places[0]["Description"] = TEXTS[of]
        permissions.append(one)
    return {"GroupId": "sg-1", "IpPermissions": permissions}


@given(
    st.sets(st.tuples(PORTS, SOURCES)),
    st.dictionaries(st.tuples(PORTS, CIDRS), st.sampled_from(sorted(TEXTS))),
)
def test_rules_come_to_match_the_file_and_stay_so(
    asked: set[tuple[int, str]], there: dict[tuple[int, str], str]
) -> None:
    """On a group that refuses what EC2 refuses: one network twice, and one that is not there."""
    rules = [Rule(port=port, source=source) for port, source in sorted(asked)]
    by_hand = {key for key, of in there.items() if of == "hand"}
    for _ in range(3):
        group = described(there)
        seen = access.rules(group, CALLER)
        plan = plan_up(wanted(*rules), have(*seen))
        if not plan.steps:
            break
        for step in plan.steps:
            if isinstance(step, OpenRules):
                for one in access.missing("sg-1", step.rules, CALLER, described(there)):
                    if one["IpProtocol"] == "-1":
                        continue
                    place = (one.get("IpRanges") or one.get("Ipv6Ranges"))[0]
                    key = (one["FromPort"], place.get("CidrIp") or place["CidrIpv6"])
                    assert key not in there
                    of = {text: of for of, text in TEXTS.items()}[place["Description"]]
                    there[key] = of
            elif isinstance(step, CloseRules):
                for key in {(r.port, r.cidr) for r in step.rules}:
                    del there[key]
    assert plan.steps == ()
    open_now = set(there)
    named = {(port, HERE if source == "caller" else source) for port, source in asked}
    assert named <= open_now
    assert by_hand <= open_now
    people = {port for port, source in asked if source == "caller"}
    for key in open_now - named - by_hand:
        assert key[0] in people
        assert there[key] in ("colleague", "somebody")


def test_a_fingerprint_is_as_ssh_keygen_prints_it() -> None:
    key = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Vwm8bGdQ2lZzWDXGcnm0dAbk3MkRYdXYd9mFqXcfe me"
    assert fingerprint(key).startswith("SHA256:")
    assert len(fingerprint(key)) == 50
    for wrong in (b"", b"ssh-ed25519", b"ssh-ed25519 ???"):
        assert fingerprint(wrong) == ""


INSIDE, OUTSIDE = "sg-in", "sg-out"
APART = Wanted(
    name="lab",
    record="{}",
    groups=(),
    security_groups=(
        SecurityGroup(name="lab.gateway"),
        SecurityGroup(name="lab", rules=(Rule(port=EVERY, source="lab.gateway"),), alone=True),
    ),
)
IDS = {"lab": INSIDE, "lab.gateway": OUTSIDE}


class Ec2:
    """The seats' firewall as EC2 describes it, and roost's changes of it."""

    def __init__(self) -> None:
        self.group: dict[str, Any] = {"IpPermissions": access.missing(INSIDE, (), CALLER, {})}

    def rules(self) -> tuple[Rule, ...]:
        return access.rules(self.group, CALLER, {own: name for name, own in IDS.items()})

    def open(self, step: OpenRules) -> None:
        self.group["IpPermissions"] += access.missing(
            INSIDE, step.rules, CALLER, self.group, IDS.__getitem__, alone=step.alone
        )

    def close(self, step: CloseRules) -> None:
        for rule in step.rules:
            self.group["IpPermissions"].remove(access.revoked(rule, IDS.__getitem__))


class Neutron:
    """The same on a site."""

    def __init__(self) -> None:
        self.group: dict[str, Any] = {"id": INSIDE, "security_group_rules": []}
        self._add(firewall.missing(self.group, (), CALLER))

    def _add(self, rules: list[dict[str, Any]]) -> None:
        there = self.group["security_group_rules"]
        there += [{**rule, "id": f"{len(there)}-{n}"} for n, rule in enumerate(rules)]

    def rules(self) -> tuple[Rule, ...]:
        return firewall.rules(self.group, CALLER, {own: name for name, own in IDS.items()})

    def open(self, step: OpenRules) -> None:
        ids = IDS.__getitem__
        self._add(firewall.missing(self.group, step.rules, CALLER, ids, alone=step.alone))

    def close(self, step: CloseRules) -> None:
        gone = firewall.going(self.group, step.rules, IDS.__getitem__)
        there = self.group["security_group_rules"]
        self.group["security_group_rules"] = [one for one in there if one["id"] not in gone]


def test_the_seats_of_a_class_of_before_are_closed_to_each_other() -> None:
    for seats in (Ec2(), Neutron()):
        told = []
        for _ in range(2):
            groups = (
                SecurityGroup(name="lab.gateway"),
                SecurityGroup(name="lab", rules=seats.rules()),
            )
            there = State(name="lab", record="{}", security_groups=groups)
            for step in plan_up(APART, there).steps:
                told.append(explain(step))
                if isinstance(step, OpenRules):
                    seats.open(step)
                elif isinstance(step, CloseRules):
                    seats.close(step)
        assert told == [
            "open all ports from the gateway: in the file, and not open yet",
            "close all ports from each other: no seat may reach another one",
        ]
        assert [rule.source for rule in seats.rules()] == ["lab.gateway"]
        free = replace(APART, security_groups=(SecurityGroup(name="lab"),))
        there = replace(there, security_groups=(SecurityGroup(name="lab", rules=Ec2().rules()),))
        assert plan_up(free, there).steps == ()  # a cluster's nodes reach each other
