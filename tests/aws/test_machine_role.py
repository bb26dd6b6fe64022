"""The role of the machines: what it may, who makes it, and how it gets to them."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from roost.cli.main import cli
from roost.errors import AccessError, CloudError, UsageError
from roost.model.host import Host
from roost.model.resources import Wanted
from roost.plan.up import plan_up
from roost.plan.wanted import wanted_of
from roost.providers.aws import machine_role
from roost.providers.aws.doctor import examine_role
from roost.providers.aws.permissions import NEEDS, policy
from roost.spec import load
from tests.aws.conftest import REGION, Account
from tests.aws.policies.gate import Gate, allows
from tests.aws.scenes import DESKTOP, cluster

ROOT = Path(__file__).parents[2]
FILE = """
name = "stars"
kind = "desktop"
{top}
[aws]
region = "{region}"
{aws}
[machine]
type = "m7i.large"
{data}
"""
DATA = """[data]
pull = [{ from = "s3://raw-frames", to = "/data/raw" }, { from = "s3://lab/in/", to = "/data/in" }]
push = [{ from = "/data/out", to = "s3://lab/out*" }]
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """A file of a desktop; gives its path."""

    def written(top: str = "", aws: str = "", data: str = "", region: str = REGION) -> Path:
        path = tmp_path / "stars.toml"
        path.write_text(FILE.format(top=top, aws=aws, data=data, region=region))
        return path

    return written


def allowed(found: dict[str, Any], action: str, arn: str, **context: str) -> bool:
    """By the policy as IAM reads it: ``${*}`` is a star, no wildcard."""
    plain = json.loads(json.dumps(found).replace("${*}", "[*]"))
    keys = {f"s3:{key}": value for key, value in context.items()}
    return allows(plain, action, f"arn:aws:s3:::{arn}", keys)


# --- what it may ----------------------------------------------------------------------------------


def test_the_policy_has_the_licence_and_the_prefixes_of_the_file_and_nothing_else(
    write: Any,
) -> None:
    spec = load(write('protocol = "dcv"', data=DATA))
    assert machine_role.machine_policy(spec, REGION) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Dcv",
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::dcv-license.eu-central-1/*"],
            },
            {
                "Sid": "List1",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::lab"],
                "Condition": {"StringLike": {"s3:prefix": ["in/*", "out${*}/*"]}},
            },
            {
                "Sid": "List2",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::raw-frames"],
            },
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [
                    "arn:aws:s3:::lab/in/*",
                    "arn:aws:s3:::lab/out${*}/*",
                    "arn:aws:s3:::raw-frames/*",
                ],
            },
            {
                "Sid": "Write",
                "Effect": "Allow",
                "Action": [
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                ],
                "Resource": ["arn:aws:s3:::lab/out${*}/*"],
            },
            {
                "Sid": "Unended",
                "Effect": "Allow",
                "Action": ["s3:ListBucketMultipartUploads"],
                "Resource": ["arn:aws:s3:::lab"],
            },
        ],
    }


def test_what_the_policy_means(write: Any) -> None:
    found = machine_role.machine_policy(load(write(data=DATA)), REGION)
    assert found is not None
    assert allowed(found, "s3:GetObject", "lab/in/a.fits")
    assert allowed(found, "s3:PutObject", "lab/out*/a.fits")
    assert allowed(found, "s3:ListBucket", "lab", prefix="in/")
    assert allowed(found, "s3:ListBucket", "raw-frames")
    assert allowed(found, "s3:ListBucketMultipartUploads", "lab")
    assert not allowed(found, "s3:ListBucketMultipartUploads", "raw-frames")
    assert not allowed(found, "s3:PutObject", "lab/in/a.fits")
    assert not allowed(found, "s3:PutObject", "lab/outside/a.fits")
    assert not allowed(found, "s3:GetObject", "lab/index")
    assert not allowed(found, "s3:GetObject", "dcv-license.eu-central-1/x")
    assert not allowed(found, "s3:ListBucket", "lab")
    assert not allowed(found, "s3:ListBucket", "lab", prefix="inner/")
    assert not allowed(found, "s3:DeleteObject", "lab/out*/a.fits")


PARKED = """[[volumes]]
name = "data"
size = "100GB"
park = "s3"
park_to = "s3://lab/parked/"
"""


def test_objects_may_be_deleted_only_where_a_volume_is_parked(write: Any) -> None:
    found = machine_role.machine_policy(load(write(data=DATA + PARKED)), REGION)
    assert found is not None
    mine, others = "lab/parked/stars/data/a", "lab/parked/other/data/a"
    for action in ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload"):
        assert allowed(found, f"s3:{action}", mine)
        assert not allowed(found, f"s3:{action}", others)
    assert allowed(found, "s3:ListBucket", "lab", prefix="parked/stars/data/")
    assert not allowed(found, "s3:ListBucket", "lab", prefix="parked/other/")
    assert allowed(found, "s3:ListBucketMultipartUploads", "lab")
    assert not allowed(found, "s3:DeleteObject", "lab/out*/a.fits")
    kept = PARKED.replace('"s3"', '"snapshot"')
    assert machine_role.machine_policy(load(write(data=kept)), REGION) is None


@pytest.mark.parametrize(
    ("top", "data", "said"),
    [
        ('protocol = "dcv"', "", ("DCV",)),
        ("", DATA, ("your credentials",)),
        ("", PARKED, ("your credentials",)),
        ('protocol = "dcv"', DATA, ("DCV", "your credentials")),
        ("", "", ()),
    ],
)
def test_a_file_that_lacks_a_role_is_told_what_that_means(
    write: Any, top: str, data: str, said: tuple[str, ...]
) -> None:
    spec = load(write(top, data=data))
    assert machine_role.needs_profile(spec) is bool(said)
    assert not machine_role.needs_profile(load(write(top, 'instance_profile = "lab"', data)))
    text = machine_role.missing(spec, "x.toml").text
    assert [word for word in ("DCV", "your credentials") if word in text] == list(said)


def test_a_file_that_needs_none_has_none(write: Any) -> None:
    assert machine_role.machine_policy(load(write()), REGION) is None


def test_the_government_regions_have_arns_of_their_own(write: Any) -> None:
    region = "us-gov-west-1"
    found = machine_role.machine_policy(load(write('protocol = "dcv"', region=region)), region)
    assert found is not None
    assert found["Statement"][0]["Resource"] == ["arn:aws-us-gov:s3:::dcv-license.us-gov-west-1/*"]


# --- the command ----------------------------------------------------------------------------------


def run(*words: object) -> Any:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)


def typed(commands: list[str], found: dict[str, Any]) -> None:
    """Do what the aws commands say, in moto."""
    iam = boto3.client("iam")
    for command in commands:
        program, service, verb, *options = shlex.split(command)
        assert (program, service) == ("aws", "iam")
        said = dict(zip(options[::2], options[1::2], strict=True))
        asked = {
            "".join(word.capitalize() for word in key.removeprefix("--").split("-")): value
            for key, value in said.items()
        }
        if asked.get("PolicyDocument", "").startswith("file://"):
            assert asked["PolicyDocument"] == f"file://{asked['RoleName']}.json"
            asked["PolicyDocument"] = json.dumps(found)
        getattr(iam, verb.replace("-", "_"))(**asked)


@pytest.mark.parametrize(
    ("aws", "name", "arn"),
    [
        ("", "roost-stars-machine", "instance-profile/roost/roost-stars-machine"),
        ('instance_profile = "lab"', "lab", "instance-profile/roost/lab"),
        (
            'instance_profile = "arn:aws:iam::123456789012:instance-profile/lab"',
            "lab",
            "instance-profile/lab",
        ),
        (
            'instance_profile = "arn:aws:iam::123456789012:instance-profile/a/b/lab"',
            "lab",
            "instance-profile/a/b/lab",
        ),
    ],
)
@pytest.mark.usefixtures("account")
def test_the_commands_make_what_the_doctor_wants(aws: str, name: str, arn: str, write: Any) -> None:
    file = write('protocol = "dcv"', aws, DATA)
    said = json.loads(run("iam", file, "--machine", "--json").stdout)
    typed(said["commands"], said["policy"])
    iam = boto3.client("iam")
    made = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert made["Arn"] == f"arn:aws:iam::123456789012:{arn}"
    (role,) = made["Roles"]
    assert role["AssumeRolePolicyDocument"] == said["trust"]
    kept = iam.get_role_policy(RoleName=name, PolicyName="roost")["PolicyDocument"]
    assert kept == said["policy"]
    # And what the file names then is found, and may be passed by the user.
    named = file if aws else write('protocol = "dcv"', f'instance_profile = "{name}"', DATA)
    (found,) = examine_role(boto3.client, load(named), str(named))
    assert (found.verdict, found.text) == ("ok", role["Arn"])
    user = json.loads(run("iam", named).stdout)
    to_ec2 = {"iam:PassedToService": "ec2.amazonaws.com"}
    assert allows(user, "iam:PassRole", role["Arn"], to_ec2)
    assert allows(user, "iam:GetInstanceProfile", made["Arn"], {})


def test_the_policy_is_on_stdout_and_what_goes_into_the_file_on_stderr(write: Any) -> None:
    result = run("iam", write('protocol = "dcv"'), "--machine")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert [one["Sid"] for one in said["Statement"]] == ["Dcv"]
    line = 'and in the file, in [aws]:  instance_profile = "roost-stars-machine"'
    assert line in result.stderr.splitlines()
    named = run("iam", write('protocol = "dcv"', 'instance_profile = "lab"'), "--machine")
    assert "and in the file" not in named.stderr
    assert "--instance-profile-name lab" in named.stderr


def test_what_machine_cannot_be_asked_with(write: Any) -> None:
    file = write()
    for words in (["--machine"], [file, "--machine", "--operator"]):
        with pytest.raises(UsageError, match="of one file"):
            run("iam", *words)
    with pytest.raises(UsageError, match="the machines of stars need no role"):
        run("iam", file, "--machine")


# --- is it there? ---------------------------------------------------------------------------------


def profile(name: str = "lab", path: str = "/", *, role: str | None = "lab") -> str:
    """A profile in the account, with a role; its ARN."""
    iam = boto3.client("iam")
    made = iam.create_instance_profile(InstanceProfileName=name, Path=path)
    if role is not None:
        trust = json.dumps(machine_role.TRUST)
        iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=trust)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return str(made["InstanceProfile"]["Arn"])


def examined(file: Path, clients: Any = boto3.client) -> Any:
    (found,) = examine_role(clients, load(file), "stars.toml")
    return found


NAMED = 'instance_profile = "lab"'


@pytest.mark.usefixtures("account")
def test_a_profile_that_is_not_there(write: Any) -> None:
    found = examined(write(aws=NAMED))
    assert (found.verdict, found.access) == ("problem", True)
    assert found.text == "the account has no instance profile lab"
    assert found.mend.startswith("roost iam stars.toml --machine ")
    profile()
    assert examined(write(aws=NAMED)).verdict == "ok"


@pytest.mark.usefixtures("account")
def test_a_profile_of_another_account_or_path(write: Any) -> None:
    arn = profile(path="/roost/")
    assert examined(write(aws=f'instance_profile = "{arn}"')).verdict == "ok"
    found = examined(write(aws=f'instance_profile = "{arn.replace("123456789012", "1" * 12)}"'))
    assert found.verdict == "problem"
    assert found.text.endswith(f"; in this account lab is {arn}")


@pytest.mark.usefixtures("account")
def test_a_profile_without_a_role(write: Any) -> None:
    profile(role=None)
    found = examined(write(aws=NAMED))
    assert (found.verdict, found.text) == ("problem", "the instance profile lab has no role")
    assert found.mend == (
        "aws iam add-role-to-instance-profile --instance-profile-name lab --role-name lab"
    )


@pytest.mark.usefixtures("account")
def test_a_role_that_machines_may_not_take(write: Any) -> None:
    profile()
    theirs = json.dumps(machine_role.TRUST).replace("ec2.", "lambda.")
    iam = boto3.client("iam")
    iam.update_assume_role_policy(RoleName="lab", PolicyDocument=theirs)
    found = examined(write(aws=NAMED))
    assert (found.verdict, found.access) == ("problem", True)
    typed([found.mend], {})
    assert examined(write(aws=NAMED)).verdict == "ok"


@pytest.mark.usefixtures("account")
def test_a_role_of_another_name_is_no_problem_but_is_said(write: Any) -> None:
    profile(role="analysis")
    found = examined(write(aws=NAMED))
    assert found.verdict == "warning"
    assert "arn:aws:iam::123456789012:role/analysis" in found.mend


class Denied:
    """IAM, to somebody who may not ask."""

    def __init__(self, code: str) -> None:
        self.code = code

    def get_instance_profile(self, InstanceProfileName: str) -> Any:  # noqa: N803
        error = {"Error": {"Code": self.code, "Message": InstanceProfileName}}
        raise ClientError(error, "GetInstanceProfile")


@pytest.mark.parametrize("code", ["AccessDenied", "ServiceFailure"])
def test_what_cannot_be_asked_stops_nobody(code: str, write: Any) -> None:
    found = examined(write(aws=NAMED), lambda _: Denied(code))
    assert found.verdict == "unknown"
    assert ("iam:GetInstanceProfile is not allowed" in found.text) == (code == "AccessDenied")


def test_a_desktop_with_dcv_and_no_profile_is_warned_and_others_are_not(write: Any) -> None:
    (found,) = examine_role(boto3.client, load(write('protocol = "dcv"')), "stars.toml")
    assert found.verdict == "warning"
    assert "trial of 30 days" in found.text
    assert found.mend.startswith("roost iam stars.toml --machine ")
    assert list(examine_role(boto3.client, load(write()), "stars.toml")) == []


def test_plan_says_the_same(write: Any) -> None:
    def notes(*words: str) -> list[str]:
        said = json.loads(run("plan", write(*words), "--json").stdout)
        return [note for note in said["notes"] if "instance_profile" in note]

    (note,) = notes('protocol = "dcv"')
    assert note.startswith('warning: protocol = "dcv" and no instance_profile in [aws]: ')
    assert notes('protocol = "dcv"', NAMED) == []
    assert notes() == []
    shown = run("plan", write('protocol = "dcv"', NAMED)).stdout
    assert "role by lab" in shown
    said = json.loads(run("plan", write(aws=NAMED), "--json").stdout)
    assert [group["instance_profile"] for group in said["instances"]] == ["lab"]


# --- how it gets to the machines ------------------------------------------------------------------


def with_profile(wanted: Wanted, profile: str) -> Wanted:
    groups = tuple(replace(g, shape=replace(g.shape, machine_role=profile)) for g in wanted.groups)
    return replace(wanted, groups=groups)


def roles(account: Account, name: str = "stars") -> dict[str, str]:
    """The profile of each machine that is there."""
    state = account.roost().observe(name)
    return {i.name: i.shape.machine_role.rpartition("/")[2] for i in state.instances}


def test_the_spec_gives_it_to_all_machines_and_changes_no_fingerprint(write: Any) -> None:
    plain, named = (wanted_of(load(write(aws=aws)), Host(1, 1)) for aws in ("", NAMED))
    assert [g.shape.machine_role for g in plain.groups] == [""]
    assert [g.shape.machine_role for g in named.groups] == ["lab"]
    assert [g.fingerprint for g in plain.groups] == [g.fingerprint for g in named.groups]


def test_all_machines_of_a_cluster_have_it(account: Account) -> None:
    profile()
    account.up(with_profile(cluster(3), "lab"))
    assert roles(account, "ndvi") == dict.fromkeys(
        ("head", "worker-1", "worker-2", "worker-3"), "lab"
    )


def test_a_machine_that_comes_back_from_its_image_has_it_again(account: Account) -> None:
    arn = profile(path="/roost/")
    wanted = with_profile(DESKTOP, arn)
    account.up(wanted)
    account.park("stars")
    account.settle()
    assert account.roost().observe("stars").instances == ()
    account.up(wanted)
    assert roles(account) == {"desktop": "lab"}
    launched = [asked for name, asked in account.ec2.asked if name == "RunInstances"]
    assert [one["IamInstanceProfile"] for one in launched] == [{"Arn": arn}] * 2
    assert launched[1]["ImageId"] != launched[0]["ImageId"]


def test_machines_that_run_keep_theirs_and_that_is_said(account: Account) -> None:
    profile()
    account.up(DESKTOP)
    wanted = with_profile(DESKTOP, "lab")
    before = len(account.ec2.asked)
    state = account.up(wanted)
    assert not {n for n, _ in account.ec2.asked[before:]} & {"RunInstances", "TerminateInstances"}
    assert roles(account) == {"desktop": ""}
    then = "(new machines follow the file; `roost park` and `roost resume` make these anew)"
    assert plan_up(wanted, state).notes == (f"without the instance profile lab: desktop {then}",)
    # What it says helps; and by its ARN it is the same profile.
    account.park("stars")
    account.settle()
    state = account.up(wanted)
    arn = "arn:aws:iam::123456789012:instance-profile/lab"
    for same in ("lab", arn):
        assert plan_up(with_profile(DESKTOP, same), state).notes == ()
    assert plan_up(DESKTOP, state).notes == (
        f"with an instance profile that the file does not name: desktop {then}",
    )


def test_ec2_refuses_a_profile_that_is_unknown_or_empty(account: Account) -> None:
    with pytest.raises(CloudError, match="Invalid IAM Instance Profile name") as caught:
        account.up(with_profile(DESKTOP, "lab"))
    assert str(caught.value.next).startswith("roost doctor FILE")
    arn = "arn:aws:iam::123456789012:instance-profile/lab"
    with pytest.raises(CloudError, match="Invalid IAM Instance Profile ARN"):
        account.up(with_profile(DESKTOP, arn))
    profile(role=None)
    with pytest.raises(CloudError, match="has no associated IAM Roles"):
        account.up(with_profile(DESKTOP, "lab"))


def test_who_may_not_pass_the_role_is_told_which_permission_is_missing(account: Account) -> None:
    profile()
    client = boto3.client("ec2", region_name=REGION)
    gate = Gate(policy("stars", REGION, NEEDS, profile="another"), client)
    gate.install(account.client)
    with pytest.raises(AccessError, match=r"the permission iam:PassRole is missing"):
        account.up(with_profile(DESKTOP, "lab"))
    gate.policy = policy("stars", REGION, NEEDS, profile="lab")
    account.up(with_profile(DESKTOP, "lab"))
    assert roles(account) == {"desktop": "lab"}
