"""What `roost doctor` finds, each problem once, with what mends it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from roost.app.doctor import examine_here
from roost.cli.main import cli
from roost.model.finding import Finding
from roost.model.host import Host
from roost.model.resources import State
from roost.plan.wanted import wanted_of
from roost.providers.aws import account_checks, doctor
from roost.providers.aws.account import AwsDoctor
from roost.providers.aws.account_checks import examine_account
from roost.providers.aws.doctor import Case, examine_case, examine_key
from roost.providers.aws.dry_runs import dry_runs
from roost.providers.aws.network import Network, judge_routes
from roost.providers.aws.permissions import NEEDS, needs_of, policy
from roost.spec import load
from tests.aws.conftest import REGION, Account
from tests.aws.policies.gate import Gate
from tests.aws.service_quotas import PAGE, STANDARD, Quotas, clients
from tests.aws.strict import Weather

ROOT = Path(__file__).parents[2]


# --- this computer and the account ----------------------------------------------------------------


def test_the_programs_that_are_missing_come_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    which = {"uv": "/usr/bin/uv"}.get
    found = (*examine_here(which, rents=True), *AwsDoctor().installed())
    assert [(f.check, f.verdict, f.text, f.mend) for f in found] == [
        ("uv", "ok", "/usr/bin/uv", None),
        (
            "ssh",
            "problem",
            "is not installed",
            "install OpenSSH's client: apt install openssh-client, dnf install openssh-clients",
        ),
        ("boto3", "problem", "is not installed", "pip install 'roost[aws]'"),
    ]
    assert [f.check for f in examine_here(which, rents=False)] == ["uv"]


def test_the_clock() -> None:
    def judged(hour: int, minute: int) -> tuple[str, str]:
        now = datetime(2026, 11, 20, hour, minute, tzinfo=UTC)
        found = account_checks.judge_clock("Fri, 20 Nov 2026 10:00:00 GMT", now)
        return found.verdict, found.text

    assert judged(10, 5) == ("ok", "as AWS's, within five minutes")
    assert judged(10, 6) == ("problem", "6 min ahead of AWS's")
    assert judged(9, 0) == ("problem", "60 min behind AWS's")
    assert account_checks.judge_clock(None, datetime.now(UTC)).verdict == "unknown"


def test_a_region_that_is_not_open() -> None:
    closed = account_checks.judge_region(
        [{"RegionName": "eu-south-1", "OptInStatus": "not-opted-in"}], "eu-south-1"
    )
    assert (closed.verdict, closed.text, closed.access) == (
        "problem",
        "eu-south-1 is not open for this account",
        True,
    )
    assert closed.mend == (
        "aws account enable-region --region-name eu-south-1   (it takes some minutes)"
    )
    opened = [{"RegionName": "eu-south-1", "OptInStatus": "opted-in"}]
    assert account_checks.judge_region(opened, "eu-south-1").verdict == "ok"


def test_credentials_that_do_not_work_end_the_examination(account: Account) -> None:
    class Sts:
        def get_caller_identity(self) -> Any:
            answer = {"Error": {"Code": "ExpiredToken", "Message": "it has expired"}}
            raise ClientError(answer, "GetCallerIdentity")

    (found,) = examine_account(clients(account, Quotas(), sts=Sts()), REGION)
    assert found == Finding(
        check="credentials",
        verdict="problem",
        text="ask AWS who you are: ExpiredToken: it has expired",
        mend="aws sso login   (or new keys: aws configure)",
        access=True,
    )


class Refusing:
    """STS, which takes nobody: with the time that it is there."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message

    def get_caller_identity(self) -> Any:
        raise ClientError(
            {
                "Error": {"Code": self.code, "Message": self.message},
                "ResponseMetadata": {
                    "HTTPHeaders": {"date": "Fri, 20 Nov 2026 10:00:00 GMT"},
                    "RequestId": "1",
                    "HostId": "",
                    "HTTPStatusCode": 403,
                    "RetryAttempts": 0,
                },
            },
            "GetCallerIdentity",
        )


def test_a_wrong_clock_and_a_closed_region_are_not_said_to_be_wrong_credentials(
    account: Account,
) -> None:
    def checks(sts: Any, hour: int, home: Any = None) -> list[tuple[str, str]]:
        now = datetime(2026, 11, 20, hour, tzinfo=UTC)
        asked = clients(account, Quotas(), sts=sts)
        found = examine_account(asked, REGION, clock=lambda: now, home=home)
        return [(f.check, f.verdict) for f in found]

    late = Refusing("SignatureDoesNotMatch", "Signature expired")
    assert checks(late, 12) == [("clock", "problem")]
    closed = Refusing("InvalidClientTokenId", "The security token is invalid")
    home = clients(account, Quotas(), sts=boto3.client("sts", region_name="us-east-1"))
    assert checks(closed, 10, home) == [
        ("clock", "ok"),
        ("region", "problem"),
        ("credentials", "ok"),
    ]
    nobody = clients(account, Quotas(), sts=closed)
    assert checks(closed, 10, nobody) == [("clock", "ok"), ("credentials", "problem")]


def test_what_an_endpoint_without_dry_runs_has_made_is_deleted_again(account: Account) -> None:
    account.ec2.weather = Weather(no_dry_run=True)
    asked = clients(account, Quotas(L_1216C47A=64.0), ssm=Parameters())

    def permissions() -> list[tuple[str, str]]:
        found = [f for f in examine_case(asked, case("pixinsight")) if f.check == "permission"]
        return [(f.verdict, f.text) for f in found]

    made = "the endpoint knows no dry runs and did it; what it made is deleted again"
    assert permissions() == [("unknown", f"ec2:ImportKeyPair: {made}")]
    assert account.left() == {}
    # What is there already is another's, and stays.
    for call, words in dry_runs(case("pixinsight").wanted, {}, NETWORK):
        if call == "import_key_pair":
            account.client.import_key_pair(**words)
    account.ec2.weather = Weather(no_dry_run=True, refuse={"DeleteSecurityGroup": "Unavailable"})
    (first, second) = permissions()
    assert first == ("unknown", "ec2:ImportKeyPair: EC2 does not say (InvalidKeyPair.Duplicate)")
    assert second[0] == "problem"
    assert "ec2:CreateSecurityGroup: the endpoint knows no dry runs and did it" in second[1]
    assert account.left() == {"groups": ["roost-pixinsight"], "keys": ["roost-pixinsight"]}


def test_who_you_are(account: Account) -> None:
    sts = boto3.client("sts", region_name=REGION)
    now = datetime.now(UTC)
    clock, region, who = examine_account(
        clients(account, Quotas(), sts=sts), REGION, clock=lambda: now
    )
    assert (who.verdict, who.text) == (
        "ok",
        "arn:aws:sts::123456789012:user/moto (account 123456789012)",
    )
    assert clock.check == "clock"
    assert (region.verdict, region.text) == ("ok", "eu-central-1")


# --- the network, types, images -------------------------------------------------------------------

NETWORK = Network(vpc="vpc-1", subnets={"eu-central-1a": "subnet-a", "eu-central-1b": "subnet-b"})
OUT = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
MAIN = {"Associations": [{"Main": True}], "Routes": [OUT]}


def test_subnets_without_a_way_out_are_named() -> None:
    private = {"Associations": [{"SubnetId": "subnet-b"}], "Routes": [{**OUT, "GatewayId": "x"}]}
    assert judge_routes([MAIN], NETWORK).verdict == "ok"
    found = judge_routes([MAIN, private], NETWORK)
    assert (found.verdict, found.text) == (
        "problem",
        "vpc-1 has no route to an internet gateway in eu-central-1b",
    )
    for broken in (
        {**OUT, "State": "blackhole"},
        {"NatGatewayId": "nat-1", **OUT, "GatewayId": ""},
    ):
        closed = judge_routes([{**MAIN, "Routes": [broken]}], NETWORK)
        assert closed.text.endswith("in eu-central-1a, eu-central-1b")


def test_a_type_that_the_zones_do_not_have() -> None:
    offered = {("m5.large", "eu-central-1b"), ("p5.48xlarge", "eu-central-1c")}
    zones = NETWORK.zones
    assert doctor.judge_offers("m5.large", offered, zones, REGION).text == "m5.large: eu-central-1b"
    elsewhere = doctor.judge_offers("p5.48xlarge", offered, zones, REGION)
    assert (elsewhere.text, elsewhere.mend) == (
        "p5.48xlarge is not offered in eu-central-1a, eu-central-1b",
        'zones = ["eu-central-1c"] in [aws]',
    )
    nowhere = doctor.judge_offers("x9.huge", offered, zones, REGION)
    assert nowhere.mend == "another type: roost prices --region eu-central-1"


class Parameters:
    """SSM's public parameters: all but those named ``missing``."""

    def __init__(self, missing: str = "") -> None:
        self.missing = missing

    def get_parameters(self, Names: list[str]) -> dict[str, Any]:  # noqa: N803
        there = [name for name in Names if not self.missing or self.missing not in name]
        gone = [name for name in Names if name not in there]
        found = [{"Name": name, "Value": "ami-12c6146b"} for name in there]
        return {"Parameters": found, "InvalidParameters": gone}


def case(name: str, **have: Any) -> Case:
    spec = load(ROOT / "examples" / f"{name}.toml", cloud="aws", region=REGION)
    found = wanted_of(spec, Host(1, 1))
    state = State(name=spec.name, **have)
    return Case(spec=spec, wanted=found, have=state, region=REGION, file=f"{name}.toml")


def no_role() -> Any:
    class Iam:
        def get_role(self, RoleName: str) -> Any:  # noqa: N803
            assert RoleName == "AWSServiceRoleForEC2Spot"
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": "no"}}, "GetRole")

    return Iam()


def test_a_sound_account_has_no_problems(account: Account) -> None:
    asked = clients(account, Quotas(L_1216C47A=64.0), ssm=Parameters())
    found = list(examine_case(asked, case("pixinsight")))
    assert {f.verdict for f in found if f.check != "role"} == {"ok"}, found
    assert [f.verdict for f in found if f.check == "role"] == ["warning"]
    assert [f.text for f in found if f.check == "permission"] == [
        "ec2:ImportKeyPair",
        "ec2:CreateSecurityGroup",
        "ec2:CreateLaunchTemplate",
        "ec2:CreateVolume",
        "ec2:RunInstances",
    ]
    # 32 vCPUs, and nothing runs.
    machines, volumes = [f.text for f in found if f.check == "quota"]
    assert machines.endswith("needs 32 vCPUs, 0 of 64 are in use")
    assert volumes.startswith("Storage for General Purpose SSD (gp3) volumes: needs 0.")
    effects = [
        asked for name, asked in account.ec2.asked if not name.startswith(("Describe", "Get"))
    ]
    assert len(effects) == 5
    assert all(asked["DryRun"] for asked in effects)  # nothing was made to find that out


def test_a_cluster_on_spot_and_a_region_without_its_image(account: Account) -> None:
    quotas = Quotas(L_1216C47A=64.0, L_34B43A08=7.0)
    asked = clients(account, quotas, ssm=Parameters("ubuntu"), iam=no_role())
    found = {f.check: f for f in examine_case(asked, case("ndvi")) if f.verdict != "ok"}
    assert set(found) == {"image", "quota", "spot"}
    assert found["image"].text == "eu-central-1 has no image ubuntu-24.04 (x86_64)"
    assert found["quota"].text == (
        "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests: "
        "needs 8 vCPUs, 0 of 7 are in use"
    )
    assert (found["spot"].verdict, found["spot"].mend) == (
        "unknown",
        "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
    )


def test_without_a_default_network_the_command_that_makes_one_is_said(account: Account) -> None:
    for subnet in account.client.describe_subnets()["Subnets"]:
        account.client.delete_subnet(SubnetId=subnet["SubnetId"])
    asked = clients(account, Quotas(L_1216C47A=64.0), ssm=Parameters())
    found = [f for f in examine_case(asked, case("pixinsight")) if f.verdict == "problem"]
    assert [(f.check, f.text) for f in found] == [
        ("network", "there is no default network in eu-central-1")
    ]
    assert str(found[0].mend).startswith("aws ec2 create-default-vpc --region eu-central-1")


def test_a_permission_that_is_missing_is_named_with_the_policy_that_gives_it(
    account: Account,
) -> None:
    asked = clients(account, Quotas(L_1216C47A=64.0), ssm=Parameters())
    narrow = policy("pixinsight", REGION, NEEDS - {"volume"})
    Gate(narrow, boto3.client("ec2", region_name=REGION)).install(account.client)
    found = [f for f in examine_case(asked, case("pixinsight")) if f.verdict == "problem"]
    assert found == [
        Finding(
            check="permission",
            verdict="problem",
            text="ec2:CreateVolume is not allowed",
            mend="roost iam pixinsight.toml   (the policy that allows it, and how to put it in "
            "place)",
            access=True,
        )
    ]


def test_the_policy_that_roost_iam_prints_satisfies_the_doctor(account: Account) -> None:
    sound = clients(
        account,
        Quotas(L_DB2E81BA=96.0, L_1216C47A=2.0, L_0263D0A3=21.0),
        ssm=Parameters(),
        iam=no_role(),
    )
    training = case("training")
    enough = policy("training", REGION, needs_of(training.spec))
    Gate(enough, boto3.client("ec2", region_name=REGION)).install(account.client)
    found = list(examine_case(sound, training))
    assert {f.verdict for f in found} == {"ok"}
    # 20 seats and a spare of 4 vCPUs with a GPU and 60 GiB; a gateway of 2 with 10 and an address.
    assert [f.text for f in found if f.check == "quota"] == [
        f"{STANDARD.title}: needs 2 vCPUs, 0 of 2 are in use",
        "Running On-Demand G and VT instances: needs 84 vCPUs, 0 of 96 are in use",
        "EC2-VPC Elastic IPs: needs 1 addresses, 0 of 21 are in use",
        "Storage for General Purpose SSD (gp3) volumes: needs 1.24 TiB, 0.00 of 50 are there",
    ]
    # The manual's way: an Elastic IP for each seat.
    access = training.spec.access.model_copy(update={"reach": "public", "address": "fixed"})
    spec = training.spec.model_copy(update={"access": access})
    wanted = wanted_of(spec, Host(1, 1))
    found = list(examine_case(sound, replace(training, spec=spec, wanted=wanted)))
    assert {f.verdict for f in found} == {"ok"}
    addresses = [f.text for f in found if "Elastic" in f.text]
    assert addresses == ["EC2-VPC Elastic IPs: needs 21 addresses, 0 of 21 are in use"]


class Keys:
    """KMS, with one key in a state."""

    def __init__(self, state: str) -> None:
        self.state = state

    def describe_key(self, KeyId: str) -> dict[str, Any]:  # noqa: N803
        if self.state == "not there":
            raise ClientError({"Error": {"Code": "NotFoundException", "Message": "no"}}, KeyId)
        return {"KeyMetadata": {"KeyState": self.state}}


def test_the_key_of_new_disks(account: Account) -> None:
    def judged(key: str, state: str) -> tuple[str, str]:
        account.ec2.default_key = key
        asked = clients(account, Quotas(L_1216C47A=64.0), ssm=Parameters(), kms=Keys(state))
        (found,) = examine_key(asked, case("pixinsight").spec)
        return found.verdict, found.text

    assert judged("alias/aws/ebs", "") == ("ok", "alias/aws/ebs, the account's default")
    assert judged("arn:key/1", "Enabled") == ("ok", "arn:key/1, the account's default")
    for state in ("PendingDeletion", "Disabled", "not there"):
        verdict, text = judged("arn:key/1", state)
        assert (verdict, f"is {state}" in text) == ("problem", True)


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def answered(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's clients are the account's, which allows 64 vCPUs; all programs are there."""
    monkeypatch.setenv("ROOST_MY_ADDRESS", "203.0.113.7")
    sts = boto3.client("sts", region_name=REGION)
    made = clients(account, Quotas(L_1216C47A=64.0), ssm=Parameters(), sts=sts)
    monkeypatch.setattr("roost.providers.aws.session.Clients", lambda session, region: made)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["doctor", *words], catch_exceptions=False)


@pytest.mark.usefixtures("answered")
def test_the_command_says_a_line_for_each_check() -> None:
    result = run(str(ROOT / "examples" / "pixinsight.toml"))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "ok       uv           /usr/bin/uv"
    checks = [line.split()[1] for line in lines if not line.startswith(" ")]
    assert list(dict.fromkeys(checks)) == [
        *("uv", "ssh", "boto3", "clock", "region", "credentials"),
        *("address", "network", "type", "image", "quota", "role", "encryption", "permission"),
    ]


@pytest.mark.usefixtures("answered")
def test_a_problem_of_the_account_ends_with_5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.providers.aws.quotas.limit_of", lambda clients, quota: 16.0)
    result = run(str(ROOT / "examples" / "pixinsight.toml"), "--json")
    assert result.exit_code == 5
    said = json.loads(result.stdout)
    assert said["ok"] is False
    assert [c for c in said["checks"] if c["verdict"] == "problem"] == [
        {
            "check": "quota",
            "verdict": "problem",
            "text": f"{STANDARD.title}: needs 32 vCPUs, 0 of 16 are in use",
            "mend": f"ask for 32 or more: {PAGE}L-1216C47A",
        }
    ]


@pytest.mark.usefixtures("answered")
def test_a_program_that_is_missing_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "ssh" else "/usr/bin/uv")
    result = run("--region", REGION)
    assert result.exit_code == 1
    assert "problem  ssh          is not installed\n" in result.stdout
    assert "-> install OpenSSH's client" in result.stdout


def test_a_file_for_this_machine_needs_no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    result = run(str(ROOT / "examples" / "ndvi.toml"))
    assert (result.exit_code, result.stdout) == (0, "ok       uv           /usr/bin/uv\n")
    assert result.stderr == "your own machine has no account or network to check\n"


def test_without_boto3_the_account_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = run("--cloud", "aws")
    assert (result.exit_code, result.stdout.splitlines()[2:]) == (
        1,
        ["problem  boto3        is not installed", f"{'':22}-> pip install 'roost[aws]'"],
    )
