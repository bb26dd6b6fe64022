"""IAM in front of an account in memory: every call is judged by a policy, as EC2 would have it.

moto ignores conditions, so this evaluates them itself: Allow statements with StringEquals,
StringLike and Null, with IfExists and ForAnyValue. Which resources an action is judged by, and
which tags count for each, is from AWS's reference (actions.json); the tags are what the call gives
and what the resources carry at that moment. A resource that is not there carries none, so calls
about it are refused, as by EC2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.aws.strict_launch import profile

ACTIONS: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("actions.json").read_text()
)["actions"]
KINDS = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eipassoc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "lt": "launch-template",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
"""What an id begins with, and the type of resource that it names."""
ALWAYS = {("RunInstances", "volume")}
"""Not required by the reference, as there are images without; all of ours boot from a volume."""
ID = re.compile(rf"({'|'.join(KINDS)})-[0-9a-f]+")
REGION = "eu-central-1"


# --- the evaluator --------------------------------------------------------------------------------


def allows(policy: dict[str, Any], action: str, arn: str, context: dict[str, str]) -> bool:
    """Whether a statement of the policy allows the action on the resource."""
    return any(
        statement["Effect"] == "Allow"
        and _matches(action, statement["Action"])
        and _matches(arn, statement["Resource"])
        and all(
            _holds(operator, context.get(key), allowed)
            for operator, keys in statement.get("Condition", {}).items()
            for key, allowed in keys.items()
        )
        for statement in policy["Statement"]
    )


def _matches(found: str, patterns: str | list[str]) -> bool:
    return any(
        fnmatchcase(found, p) for p in ([patterns] if isinstance(patterns, str) else patterns)
    )


def _holds(operator: str, found: str | None, allowed: str | list[str]) -> bool:
    """A key that the request does not have fulfils only conditions that end in IfExists."""
    if operator == "Null":
        return (found is None) == (allowed == "true")
    if found is None:
        return operator.endswith("IfExists")
    plain = operator.removesuffix("IfExists").removeprefix("ForAnyValue:")
    if plain == "StringLike":
        return _matches(found, allowed)
    assert plain == "StringEquals", f"the evaluator does not know {operator}"
    return found in ([allowed] if isinstance(allowed, str) else allowed)


# --- what a call is judged by ---------------------------------------------------------------------


@dataclass
class Gate:
    """Puts a policy before a client of EC2. ``plain`` is another client, to ask for tags.

    ``dry_runs`` are answered as EC2 does: refused, or allowed and not done.
    """

    policy: dict[str, Any]
    plain: Any
    judged: set[str] = field(default_factory=set)

    def install(self, client: Any) -> Any:
        through = client._make_api_call

        def judged(name: str, asked: dict[str, Any]) -> Any:
            self.check(name, asked)
            return through(name, asked)

        client._make_api_call = judged
        return client

    def check(self, operation: str, asked: dict[str, Any]) -> None:
        """Raise EC2's error where the call is refused."""
        refused = self.refused(operation, asked)
        if refused:
            error = {"Code": "UnauthorizedOperation", "Message": refused}
            raise ClientError({"Error": error}, operation)

    def refused(self, operation: str, asked: dict[str, Any]) -> str:
        """Why the call is refused; empty where it is allowed."""
        self.judged.add(operation)
        for action, one, context in self._judgements(operation, asked):
            arn = f"arn:aws:ec2:{REGION}:123456789012:{one}" if one else "*"
            if not allows(self.policy, action, arn, {"aws:RequestedRegion": REGION, **context}):
                return f"{action} on {one or 'nothing'} with {context}"
        found = profile(asked.get("IamInstanceProfile", {}))
        for role in found.roles if found else ():
            context = {"iam:PassedToService": "ec2.amazonaws.com"}
            if not allows(self.policy, "iam:PassRole", role.arn, context):
                return f"is not authorized to perform: iam:PassRole on resource: {role.arn}"
        return ""

    def _judgements(
        self, operation: str, asked: dict[str, Any]
    ) -> Iterator[tuple[str, str, dict[str, str]]]:
        """(action, resource as ``type/id``, keys of the request)."""
        assert operation in ACTIONS, (
            f"ec2:{operation} is not in tests/aws/policies/actions.json: see KINDS and OTHERS in "
            "scripts/build_iam_actions.py"
        )
        given = {s["ResourceType"]: _tags(s["Tags"]) for s in asked.get("TagSpecifications", ())}
        given |= {"": _tags(asked["Tags"])} if operation == "CreateTags" else {}
        there = self._there(asked)
        if not ACTIONS[operation]:
            yield f"ec2:{operation}", "", {}
        for kind, facts in ACTIONS[operation].items():
            for one, tags in there.get(kind, ()):
                context = _keys("aws:ResourceTag", tags) if "ResourceTag" in facts else {}
                context |= _keys("aws:RequestTag", given.get("", {}))
                yield f"ec2:{operation}", f"{kind}/{one}", context
            required = "required" in facts or (operation, kind) in ALWAYS
            if kind not in there and (kind in given or required):
                context = _keys("aws:RequestTag", given.get(kind, {}))
                new = f"{kind}/new"
                yield f"ec2:{operation}", new, context if "RequestTag" in facts else {}
        for kind, tags in given.items():
            if kind:
                action = {"ec2:CreateAction": operation}
                yield "ec2:CreateTags", f"{kind}/new", _keys("aws:RequestTag", tags) | action
        if str(asked.get("ImageId", "")).startswith("resolve:ssm:"):
            arn = f"arn:aws:ssm:{REGION}::parameter{asked['ImageId'].removeprefix('resolve:ssm:')}"
            assert allows(self.policy, "ssm:GetParameters", arn, {}), arn

    def _there(self, asked: dict[str, Any]) -> dict[str, list[tuple[str, dict[str, str]]]]:
        """All resources that the call names, with their tags, by type."""
        found: dict[str, list[tuple[str, dict[str, str]]]] = {}
        for one in _strings({k: v for k, v in asked.items() if k != "TagSpecifications"}):
            if ID.fullmatch(one):
                found.setdefault(KINDS[one.partition("-")[0]], []).append((one, self._tags_of(one)))
        if "KeyName" in asked and "PublicKeyMaterial" not in asked:
            name = asked["KeyName"]
            found["key-pair"] = [(name, self._named("describe_key_pairs", "KeyNames", name))]
        if "LaunchTemplateName" in asked and "TagSpecifications" not in asked:
            name = asked["LaunchTemplateName"]
            call = "describe_launch_templates"
            found["launch-template"] = [(name, self._named(call, "LaunchTemplateNames", name))]
        return found

    def _tags_of(self, one: str) -> dict[str, str]:
        if one.startswith("eipassoc-"):
            for address in self.plain.describe_addresses()["Addresses"]:
                if address.get("AssociationId") == one:
                    return _tags(address.get("Tags", ()))
            return {}
        mine = [{"Name": "resource-id", "Values": [one]}]
        return _tags(self.plain.describe_tags(Filters=mine)["Tags"])

    def _named(self, call: str, parameter: str, name: str) -> dict[str, str]:
        try:
            answer = getattr(self.plain, call)(**{parameter: [name]})
        except ClientError:
            return {}
        (found,) = next(value for key, value in answer.items() if key != "ResponseMetadata")
        return _tags(found.get("Tags", ()))


def _tags(found: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found}


def _keys(key: str, tags: dict[str, str]) -> dict[str, str]:
    return {f"{key}/{name}": value for name, value in tags.items()}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)
