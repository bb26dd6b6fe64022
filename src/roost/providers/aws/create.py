"""The calls that create on EC2: each tags what it makes, and makes it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from roost.errors import CloudError, NotYetError, UsageError, command_line
from roost.model.owner import fingerprint
from roost.model.resources import (
    Address,
    Instance,
    KeyPair,
    Kind,
    Resource,
    Rule,
    SecurityGroup,
    Volume,
)
from roost.model.steps import OpenRules
from roost.providers.aws import access, requests, tags
from roost.providers.aws.cache import Memory
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import code_of, taken
from roost.providers.aws.launch import Launch, UserData
from roost.providers.aws.marks import DESCRIBED
from roost.providers.aws.network import Network
from roost.providers.callers import Caller

OLD = timedelta(minutes=10)
"""What was made that long ago is not what was just asked for."""
MOST_SALTS = 20


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the resources of one name.

    ``users`` are the user's own tags; ``images`` the devices that AMIs boot from, as far as they
    were looked up; ``user_data`` is what machines are started with; ``kms_key`` encrypts disks;
    ``groups`` are security groups of the user's own, by their ids.
    """

    calls: Calls
    images: dict[tuple[str, str], tuple[str, str]]
    memory: Memory
    name: str
    network: Callable[[], Network]
    caller: Callable[[], Caller]
    public_key: Callable[[], bytes]
    clock: Callable[[], float]
    wall: Callable[[], datetime]
    users: Mapping[str, str]
    user_data: UserData | None = None
    kms_key: str | None = None
    groups: tuple[str, ...] = ()

    def make(self, resources: tuple[Resource, ...]) -> None:
        """Make all of them; instances of a batch in one launch."""
        instances = tuple(r for r in resources if isinstance(r, Instance))
        if instances:
            Launch(self, instances).run()
        for resource in resources:
            match resource:
                case KeyPair():
                    self.key_pair(resource)
                case SecurityGroup():
                    self.security_group(resource)
                case Volume():
                    self.volume(resource)
                case Address():
                    self.address(resource)

    def made(self, resource: Resource, ec2_id: str) -> None:
        """Remember what was made just now."""
        self.memory.remember_made(resource, ec2_id, self.clock())

    def key_pair(self, key: KeyPair) -> None:
        """Import the user's public key; the private one never leaves the user's computer."""
        found = tags.tags(self.name, key.name, {}, self.users)
        own = requests.key_name(self.name)
        made = self.calls.unless_there(
            self.calls.ec2.import_key_pair,
            KeyName=own,
            PublicKeyMaterial=self.public_key(),
            TagSpecifications=[tags.specification("key-pair", found)],
        )
        if made is None:
            self._described("key-pair", {"key-name": own})
        self.made(key, key.name)

    def security_group(self, group: SecurityGroup) -> None:
        """Make the security group if it is missing, and let in who is missing in it."""
        vpc = self.network().vpc
        asked = requests.create_security_group(self.name, group.name, vpc, self.users)
        made = self.calls.unless_there(self.calls.ec2.create_security_group, **asked)
        where = {"group-name": asked["GroupName"], "vpc-id": vpc}
        described = made or self._described("security-group", where)
        group_id = described["GroupId"]
        self._let_in(group.rules, described, alone=group.alone)
        self.memory.described.pop("security-group", None)
        self.made(group, group_id)

    def open_rules(self, step: OpenRules) -> None:
        """Let more people in to a security group that is there."""
        group_id = self.memory.id(self.name, "security-group", step.group)
        described = self._described("security-group", {"group-id": group_id})
        self._let_in(step.rules, described, alone=step.alone)
        self.memory.forget("security-group")

    def _let_in(self, rules: tuple[Rule, ...], described: dict[str, Any], *, alone: bool) -> None:
        people = any(rule.source == "caller" for rule in rules)
        caller = self.caller() if people else Caller()
        group_id = described["GroupId"]
        ids = partial(self.memory.id, self.name, "security-group")
        lacking = access.missing(group_id, rules, caller, described, ids, alone=alone)
        call = self.calls.ec2.authorize_security_group_ingress
        if not lacking:
            return
        if self.calls.unless_there(call, GroupId=group_id, IpPermissions=lacking) is None:
            # One of them is in already, and EC2 lets in nobody then. The loop looks again.
            raise NotYetError("the rules of a security group cannot all be seen yet")

    def _described(self, kind: Kind, where: Mapping[str, str]) -> dict[str, Any]:
        """Return what filters find, and the name's own. Raises NotYetError until it is seen.

        Raises CloudError where it is there, and somebody else's: it only has roost's name.
        """
        call, field = DESCRIBED[kind]
        filters = [{"Name": key, "Values": [value]} for key, value in where.items()]
        found: list[dict[str, Any]] = self.calls.every(call, field, Filters=filters)
        if not found:
            # The loop waits, and tries again.
            raise NotYetError(f"the {kind} {' '.join(where.values())} cannot be seen yet")
        for one in found:
            if tags.read(one.get("Tags")).get(tags.NAME) != self.name:
                raise taken(kind, str(one.get("GroupId") or one.get("KeyName", "")), self.name)
        return found[0]

    def volume(self, volume: Volume) -> None:
        """Make a volume in the zone where the name's machines are."""
        zone = self.memory.zone or self.network().zones[0]
        group = self.memory.id(self.name, "security-group", self.name)

        def once(salt: int) -> dict[str, Any]:
            asked = requests.create_volume(
                self.name, volume, zone, self.users, group, salt, kms_key=self.kms_key
            )
            made: dict[str, Any] = self.calls.ec2.create_volume(**asked)
            return made

        made = self.new(once, "VolumeId", "CreateTime", lambda answer: [answer])
        self.memory.zone = zone
        self.made(replace(volume, id=made["VolumeId"], state="creating"), made["VolumeId"])

    def new(
        self,
        once: Callable[[int], dict[str, Any]],
        key: str,
        time: str,
        things: Callable[[dict[str, Any]], list[dict[str, Any]]],
    ) -> dict[str, Any]:
        """Return the answer of a call with a token; not that of an old call with the same one.

        What that one made may be gone for minutes only, so its age alone does not tell.
        """
        for salt in range(MOST_SALTS):
            try:
                answer = once(salt)
            except self.calls.ec2.exceptions.ClientError as error:
                if code_of(error) != "IdempotentParameterMismatch":
                    raise
                continue
            made = things(answer)
            gone = any(thing[key] in self.memory.vanished for thing in made)
            if not gone and all(self.wall() - thing[time] < OLD for thing in made):
                return answer
        raise CloudError(f"EC2 still answers with deleted resources of {self.name}")

    def address(self, address: Address) -> None:
        """Allocate a fixed address."""
        asked = requests.allocate_address(self.name, address, self.users)
        made = self.calls.ec2.allocate_address(**asked)
        found = replace(address, id=made["AllocationId"], ip=made.get("PublicIp"))
        self.memory.just_made("address")
        self.made(found, made["AllocationId"])


def public_keys(calls: Calls, names: tuple[str, ...]) -> dict[str, str]:
    """Return key pairs of the account by their names. Raises UsageError where one is missing."""
    filters = [{"Name": "key-name", "Values": list(names)}]
    call, field = DESCRIBED["key-pair"]
    found = calls.every(call, field, Filters=filters, IncludePublicKey=True)
    keys = {one["KeyName"]: _line(one) for one in found}
    if lacking := [name for name in names if not keys.get(name)]:
        raise UsageError(
            f"[access] keys: no key pair {', '.join(lacking)} is in {calls.region}",
            next=command_line("aws", "ec2", "describe-key-pairs", "--region", calls.region),
        )
    return keys


def _line(pair: Mapping[str, Any]) -> str:
    """Return a key pair as one line with its name; "" where it is no key of OpenSSH."""
    kind, blob, *_ = [*str(pair.get("PublicKey") or "").split(), "", ""][:2]
    named = f"{kind} {blob} {pair['KeyName']}"
    return named if fingerprint(named.encode()) and named.isprintable() else ""
