"""The policy is the least that works: the calls of the program are judged by it, one by one."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from click.testing import CliRunner

from roost.cli.main import cli
from roost.errors import AccessError, UsageError
from roost.providers.aws.permissions import (
    CALLS,
    NEEDS,
    SIZE_LIMIT,
    needs_of,
    operator_policy,
    policy,
    size,
)
from roost.providers.aws.rights import commands
from roost.providers.aws.statements import ANY
from roost.spec import load
from tests.aws.conftest import REGION, Account
from tests.aws.policies.gate import ACTIONS, Gate, allows
from tests.aws.scenes import DESKTOP, SCENES, prepare

ROOT = Path(__file__).parents[2]
SERVICES = {
    "ec2": "ec2",
    "ce": "ce",
    "iam": "iam",
    "kms": "kms",
    "service-quotas": "servicequotas",
    "ssm": "ssm",
    "sts": "sts",
}
"""boto3's services that roost calls, and what IAM calls them."""
BUILDERS = {"nouns", "requests", "tags"}
"""Modules whose functions are named like the calls that they make parameters for."""
SCENE_NEEDS = {
    "desktop": ("stars", frozenset(("volume", "fixed address"))),
    "cluster": ("ndvi", frozenset()),
}


def gated(account: Account, found: dict[str, Any]) -> Gate:
    gate = Gate(found, boto3.client("ec2", region_name=REGION))
    gate.install(account.client)
    return gate


# --- the table and the program --------------------------------------------------------------------


@cache
def operations() -> dict[str, str]:
    """Python's name of every call of these services, and the action that IAM knows it by."""
    session = botocore.session.get_session()
    return {
        xform_name(operation): f"{prefix}:{operation}"
        for service, prefix in SERVICES.items()
        for operation in session.get_service_model(service).operation_names
    }


def called(tree: ast.AST) -> Iterator[str]:
    """The actions that a module of ours calls: ``ec2.start_instances``, ``"describe_tags"``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name, base = node.attr, node.value
            if isinstance(base, ast.Name) and base.id in BUILDERS:
                continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        else:
            continue
        if name in operations():
            yield operations()[name]


def sources() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted((ROOT / "src" / "roost" / "providers" / "aws").rglob("*.py")):
        yield path, ast.parse(path.read_text())


def test_every_call_in_the_program_is_in_the_table() -> None:
    listed = {call.action for call in CALLS}
    missing = sorted(
        f'Call(action="{action}", verbs="..."),   # {path.name}'
        for path, tree in sources()
        for action in set(called(tree))
        if action not in listed
    )
    assert missing == [], (
        "add to CALLS in src/roost/providers/aws/permissions.py, with makes=/uses=/own= as the "
        "action can be limited:\n" + "\n".join(missing)
    )


def test_every_row_of_the_table_is_called_in_the_program() -> None:
    made = {action for _, tree in sources() for action in called(tree)}
    surplus = [c.action for c in CALLS if (c.by or c.action) not in made]
    assert surplus == [], "nothing calls these any more: take them out of CALLS"


def test_no_other_service_is_called() -> None:
    asked = {
        node.args[0].value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("client", "clients")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert asked <= SERVICES.keys()
    assert {"ec2", "service-quotas", "sts"} <= asked


def test_a_call_that_is_not_in_the_table_would_be_noticed() -> None:
    line = (
        'self.ec2.modify_volume(x); calls.every("describe_snapshots", "S"); requests.copy_image()'
    )
    assert set(called(ast.parse(line))) == {"ec2:ModifyVolume", "ec2:DescribeSnapshots"}


@pytest.mark.parametrize("call", [c for c in CALLS if c.action.startswith("ec2:")])
def test_the_table_limits_a_call_as_aws_can(call: Any) -> None:
    """By AWS's reference: what is made knows RequestTag, what is changed knows ResourceTag."""
    facts = ACTIONS[call.action.removeprefix("ec2:")]
    for kind in call.makes:
        assert "RequestTag" in facts[kind], kind
    for kind in call.uses:
        assert kind in facts
    if call.own:
        assert any("ResourceTag" in found for found in facts.values())
    required = {kind for kind, found in facts.items() if "required" in found}
    if not (call.makes or call.uses or call.own):
        assert call.action.startswith(("ec2:Describe", "ec2:GetEbs"))
        assert required == set()
    elif not call.own:
        assert required <= {*call.makes, *call.uses}


# --- the policy and the account -------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES)
def test_the_policy_of_a_spec_allows_all_that_its_commands_call(
    account: Account, scene: str
) -> None:
    name, needs = SCENE_NEEDS[scene.split(maxsplit=1)[0]]
    gate = gated(account, policy(name, REGION, needs))
    prepare(account, scene)
    SCENES[scene](account)
    account.roost().summaries()
    assert len(gate.judged) > 3


@pytest.mark.parametrize("scene", ["desktop down", "desktop stop", "cluster grow"])
def test_the_policy_of_another_name_allows_none_of_it(account: Account, scene: str) -> None:
    prepare(account, scene)
    before = account.left()
    gated(account, policy("other", REGION, NEEDS))
    with pytest.raises(AccessError, match=r"the permission ec2:\w+ is missing"):
        SCENES[scene](account)
    assert account.left() == before


def test_another_region_is_refused(account: Account) -> None:
    gated(account, policy("stars", "eu-west-1", NEEDS))
    with pytest.raises(AccessError, match="ec2:CreateLaunchTemplate is missing"):
        account.up(DESKTOP)
    assert account.left() == {}


def test_an_operator_may_start_and_stop_what_is_theirs_and_nothing_else(account: Account) -> None:
    prepare(account, "desktop stop")
    client = account.client
    (mine,) = client.describe_instances()["Reservations"][0]["Instances"]
    (other,) = client.run_instances(
        ImageId=mine["ImageId"],
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": mine["SubnetId"]}],
    )["Instances"]
    gate = Gate(operator_policy("stars", REGION), boto3.client("ec2", region_name=REGION))

    def allowed(operation: str, instance: str) -> bool:
        return not gate.refused(operation, {"InstanceIds": [instance]})

    for operation in ("StartInstances", "StopInstances", "RebootInstances"):
        assert allowed(operation, mine["InstanceId"])
        assert not allowed(operation, other["InstanceId"])
        assert not gate.refused("DescribeInstances", {})
    assert not allowed("TerminateInstances", mine["InstanceId"])
    assert gate.refused("DeleteVolume", {"VolumeId": "vol-1"})
    assert gate.refused("CreateVolume", {"Size": 1})


def tagged(**found: str) -> list[dict[str, Any]]:
    return [{"ResourceType": "volume", "Tags": [{"Key": k, "Value": v} for k, v in found.items()]}]


def test_what_is_made_must_be_tagged_and_tags_are_given_in_making_only(account: Account) -> None:
    gate = Gate(policy("stars", REGION, NEEDS), account.client)
    assert gate.refused("CreateVolume", {"Size": 1})
    assert gate.refused("CreateVolume", {"TagSpecifications": tagged(roost="other")})
    assert gate.refused("CreateVolume", {"TagSpecifications": tagged(Name="stars")})
    assert not gate.refused("CreateVolume", {"TagSpecifications": tagged(roost="stars")})
    # An untagged firewall could be made if it were among what a launch may use.
    assert gate.refused("CreateSecurityGroup", {"GroupName": "x", "VpcId": "vpc-1"})
    theirs = {"Resources": ["vol-1"], "Tags": [{"Key": "roost", "Value": "stars"}]}
    assert gate.refused("CreateTags", theirs)
    assert gate.refused("ModifyInstanceAttribute", {"InstanceId": "i-1"})


def test_only_the_volumes_of_before_that_the_file_names_are_taken_in(account: Account) -> None:
    def made(**tags: str) -> str:
        more = {"TagSpecifications": tagged(**tags)} if tags else {}
        asked = {"AvailabilityZone": f"{REGION}a", "Size": 1, **more}
        return str(account.client.create_volume(**asked)["VolumeId"])

    mine, another, theirs = made(), made(), made(roost="other")
    gate = Gate(policy("stars", REGION, NEEDS, adopted=(mine, theirs)), account.client)

    def taken(volume: str, name: str = "stars") -> bool:
        tags = [{"Key": "roost", "Value": name}]
        return not gate.refused("CreateTags", {"Resources": [volume], "Tags": tags})

    assert taken(mine)
    assert not taken(another)
    assert not taken(theirs)
    assert not taken(mine, "other")


def test_the_policy_for_every_name_still_needs_the_tag(account: Account) -> None:
    gate = Gate(policy(ANY, None, NEEDS), account.client)
    assert gate.refused("CreateVolume", {"Size": 1})
    assert gate.refused("DeleteVolume", {"VolumeId": "vol-1"})
    assert not gate.refused("CreateVolume", {"TagSpecifications": tagged(roost="any")})


# --- how large it is, and what is in it -----------------------------------------------------------


def actions(found: dict[str, Any]) -> set[str]:
    return {action for statement in found["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize(
    "found",
    [
        policy("a" * 32, "ap-southeast-1", NEEDS),
        policy("a" * 32, "ap-southeast-1", NEEDS, profile="p" * 128),
        policy(ANY, None, NEEDS),
    ],
)
def test_it_fits_and_is_no_administrator(found: dict[str, Any]) -> None:
    assert size(found) <= SIZE_LIMIT
    assert not [action for action in actions(found) if "*" in action]
    for statement in found["Statement"]:
        if statement["Resource"] == ["*"] and "Condition" not in statement:
            assert all(
                action.startswith(("ec2:Describe", "ec2:GetEbs")) for action in statement["Action"]
            )


def example(name: str) -> Any:
    return load(ROOT / "examples" / f"{name}.toml", cloud="aws")


def test_what_each_example_needs() -> None:
    assert needs_of(example("ndvi")) == {"spot"}
    assert needs_of(example("pixinsight")) == {"volume"}
    assert needs_of(example("scipion")) == {"volume"}
    assert needs_of(example("starcluster")) == {"volume"}
    assert needs_of(example("training")) == {"fixed address"}


def test_a_spec_that_wants_no_volume_address_or_role_may_make_none() -> None:
    found = actions(policy("ndvi", REGION, needs_of(example("ndvi"))))
    assert not found & {"ec2:CreateVolume", "ec2:AllocateAddress", "iam:PassRole"}
    assert "iam:CreateServiceLinkedRole" in found
    # What an older file made can go all the same.
    assert {"ec2:DeleteVolume", "ec2:ReleaseAddress"} <= found


TO_EC2 = {"iam:PassedToService": "ec2.amazonaws.com"}


@pytest.mark.parametrize(
    ("profile", "passed", "refused"),
    [
        (
            "lab",
            ["arn:aws:iam::1:role/lab", "arn:aws:iam::1:role/roost/lab"],
            ["arn:aws:iam::1:role/our-lab", "arn:aws:iam::1:role/lab-admin"],
        ),
        (
            "arn:aws:iam::1:instance-profile/roost/lab",
            ["arn:aws:iam::1:role/lab", "arn:aws:iam::1:role/roost/lab"],
            ["arn:aws:iam::2:role/roost/lab", "arn:aws:iam::1:role/roost/other"],
        ),
        (
            None,
            ["arn:aws:iam::1:role/roost/lab", "arn:aws:iam::1:role/roost/other"],
            ["arn:aws:iam::1:role/lab", "arn:aws:iam::1:role/admin"],
        ),
    ],
)
def test_only_the_role_of_the_named_profile_is_passed_and_to_machines_only(
    profile: str | None, passed: list[str], refused: list[str]
) -> None:
    found = policy("stars", REGION, {"role"}, profile=profile)
    for role in passed:
        assert allows(found, "iam:PassRole", role, TO_EC2)
        assert not allows(found, "iam:PassRole", role, {})
        to_lambda = {"iam:PassedToService": "lambda.amazonaws.com"}
        assert not allows(found, "iam:PassRole", role, to_lambda)
    for role in refused:
        assert not allows(found, "iam:PassRole", role, TO_EC2)
    for role in (*passed, *refused):
        there = role.replace(":role/", ":instance-profile/")
        exact = profile is not None and profile.startswith("arn:")
        may = there == profile if exact else role in passed
        assert allows(found, "iam:GetInstanceProfile", there, {}) == may


def test_keys_of_kms_are_used_by_ec2_alone_and_only_the_one_of_the_file() -> None:
    by_ec2 = {"kms:ViaService": "ec2.eu-central-1.amazonaws.com"}
    mine, other = (f"arn:aws:kms:eu-central-1:1:key/{n}" for n in ("mine", "other"))
    for key, allowed in ((None, (mine, other)), ("alias/lab", (mine, other)), (mine, (mine,))):
        found = policy("stars", REGION, NEEDS, key=key)
        for action in ("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"):
            for one in (mine, other):
                assert allows(found, action, one, by_ec2) == (one in allowed)
                assert not allows(found, action, one, {})
                to_s3 = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
                assert not allows(found, action, one, to_s3)


def test_no_role_is_passed_where_the_file_names_no_profile() -> None:
    found = policy("pixinsight", REGION, needs_of(example("pixinsight")))
    assert not actions(found) & {"iam:PassRole", "iam:GetInstanceProfile"}


# --- the command ----------------------------------------------------------------------------------


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["iam", *words], catch_exceptions=False)


def test_the_policy_is_on_stdout_and_how_to_use_it_on_stderr() -> None:
    spec = example("pixinsight")
    result = run(str(ROOT / "examples" / "pixinsight.toml"))
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    ours = [one for one in found["Statement"] if not one.get("Sid", "").startswith("Parked")]
    assert {**found, "Statement": ours} == policy("pixinsight", "eu-central-1", needs_of(spec))
    # Its volume is parked in S3: what is there is looked at before anything is deleted.
    place = "arn:aws:s3:::my-astro-bucket"
    assert [(one["Action"], one["Resource"]) for one in found["Statement"] if one not in ours] == [
        (["s3:ListBucket"], [place]),
        (["s3:GetObject"], [f"{place}/parked/pixinsight/*"]),
        (["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"], [place]),
    ]
    assert size(found) <= SIZE_LIMIT
    lines = [line.strip() for line in result.stderr.splitlines()]
    assert lines[1] == (
        "No account yet: https://aws.amazon.com, Create an AWS Account (it asks for a card)."
    )
    assert (
        "ARN=$(aws iam create-policy --policy-name roost-pixinsight --policy-document "
        "file://roost-pixinsight.json --query Policy.Arn --output text)"
    ) in lines
    assert "aws iam attach-user-policy --user-name roost --policy-arn $ARN" in lines
    assert "aws iam create-access-key --user-name roost" in lines


def test_the_operators_of_a_class() -> None:
    result = run(str(ROOT / "examples" / "training.toml"), "--operator", "--json")
    said = json.loads(result.stdout)
    assert said["name"] == "roost-training-operator"
    assert said["policy"] == operator_policy("training", "eu-west-1")
    assert said["commands"][1:] == [
        "aws iam attach-user-policy --user-name trainer --policy-arn $ARN"
    ]


def test_without_a_file_it_is_for_every_name() -> None:
    assert json.loads(run("--region", "eu-west-1").stdout) == policy(ANY, "eu-west-1", NEEDS)
    said = json.loads(run("--json").stdout)
    assert said["name"] == "roost"
    assert said["commands"] == commands("roost")
    (row,) = [call for call in said["calls"] if call["action"] == "ec2:RunInstances"]
    assert row["limit"] == "makes only what it tags"


# --- other clouds ---------------------------------------------------------------------------------


def test_your_own_machine_has_no_rights_to_give() -> None:
    file = str(ROOT / "examples" / "ndvi.toml")
    for words in ((), ("--operator",), ("--machine",)):
        error = run_refused(file, *words, "--cloud", "local")
        assert error.what == "nobody needs rights on your own machine: it has no policies to give"
        assert error.next is not None
        assert error.next.startswith(f"roost iam {file} --cloud aws")


def test_a_file_for_your_own_machine_gets_what_it_would_need_on_aws() -> None:
    file = str(ROOT / "examples" / "ndvi.toml")
    assert run(file).stdout == run(file, "--cloud", "aws").stdout
    assert json.loads(run(file).stdout) == policy("ndvi", "eu-central-1", needs_of(example("ndvi")))


def run_refused(*words: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        run(*words)
    return caught.value


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")],
)
def test_the_arns_are_those_of_the_regions_part_of_aws(region: str, partition: str) -> None:
    """A policy for arn:aws: allows nothing in the others."""
    for document in (policy("lab", region, NEEDS), operator_policy("lab", region)):
        arns = re.findall(r'"arn:([a-z-]+):', json.dumps(document))
        assert set(arns) == {partition}
    passed = re.findall(
        r'"iam:PassedToService": "([^"]+)"', json.dumps(policy("lab", region, NEEDS))
    )
    suffix = ".cn" if partition == "aws-cn" else ""
    assert passed == [f"ec2.amazonaws.com{suffix}"]


def test_nothing_of_the_name_can_be_made_another_names() -> None:
    statements = policy("lab", "eu-west-1", NEEDS)["Statement"]
    tagging = [one for one in statements if "ec2:CreateTags" in one["Action"]]
    allowed: dict[str, object] = {
        "ChangeItsImage": "~images",
        "TagOnlyAsTheSameName": "lab",
        "TagOnlyInMaking": ["lab", "~images"],
    }
    assert [one["Sid"] for one in tagging] == list(allowed)
    for one in tagging:
        asked = {
            key: value
            for operator, keys in one["Condition"].items()
            for key, value in keys.items()
            if operator.startswith("StringEquals")
        }
        assert asked["aws:RequestTag/roost"] == allowed[one["Sid"]]
    making = {
        one["Sid"]: one["Condition"]["StringEquals"]
        for one in statements
        if "Make" in one.get("Sid", "")
    }
    assert making["MakeOnlyWhatIsTagged"]["aws:RequestTag/roost"] == "lab"
    assert making["MakeItsImage"]["aws:RequestTag/roost:of"] == "lab"
