"""The pure parts: tags, parameters of calls, where images are, what errors mean."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import (
    AccessError,
    CapacityError,
    CloudError,
    CredentialsError,
    QuotaError,
    ThrottledError,
    UsageError,
)
from roost.model.nodes import launch, launched
from roost.model.resources import Instance, Rule, Shape, Volume
from roost.providers.aws import access, requests, tags
from roost.providers.aws.failures import translated
from roost.providers.aws.images.lookup import image_source
from roost.providers.aws.requests import Site
from roost.providers.aws.session import Clients, open_session
from tests.serving import serving

numbers = st.lists(st.integers(1, 2000), unique=True, min_size=1, max_size=60)
SITE = Site(
    image="ami-1",
    root_device="/dev/sda1",
    subnet="subnet-1",
    zone="eu-central-1a",
    security_groups=("sg-1",),
    key_pair="roost-ndvi",
    users={"group": "geo", "roost": "not the user's to say"},
)


def workers(*found: int, spot: bool = False) -> tuple[Instance, ...]:
    shape = Shape(type="m5.large", cpus=2, memory_gib=8, disk_gib=30, spot=spot)
    return tuple(Instance(name=f"worker-{n}", role="worker", shape=shape) for n in found)


@given(numbers)
def test_the_names_of_a_launch_come_back_in_their_order(found):
    names = tuple(f"worker-{number}" for number in found)
    assert launched(launch(names)) == names


def test_a_launch_of_a_thousand_fits_into_a_tag():
    text = launch([f"worker-{number}" for number in range(1, 1001)])
    assert text == "worker-1..1000"
    assert launch(["head"]) == "head"
    assert launched("head") == ("head",)


def test_the_parameters_of_a_launch():
    asked = requests.run_instances("ndvi", workers(1, 2, 5), SITE, seen={"i-2", "i-1"})
    found = asked.pop("TagSpecifications")
    assert len(asked.pop("ClientToken")) == 64
    assert asked == {
        "ImageId": "ami-1",
        "InstanceType": "m5.large",
        "MinCount": 1,
        "MaxCount": 3,
        "KeyName": "roost-ndvi",
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 1,
        },
        "InstanceInitiatedShutdownBehavior": "stop",
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": "subnet-1",
                "Groups": ["sg-1"],
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {
                    "VolumeSize": 30,
                    "VolumeType": "gp3",
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
    }
    assert [one["ResourceType"] for one in found] == ["instance", "volume", "network-interface"]
    assert tags.read(found[0]["Tags"]) == {
        "Name": "ndvi worker-1..2 worker-5",
        "group": "geo",
        "roost": "ndvi",
        "roost:node": "worker-1..2 worker-5",
        "roost:role": "worker",
        "roost:fingerprint": "",
    }


def test_a_launch_hands_on_the_instance_profile_of_the_file():
    def asked(profile: str) -> object:
        shape = Shape(type="m5.large", cpus=2, memory_gib=8, disk_gib=30, machine_role=profile)
        head = Instance(name="head", role="head", shape=shape)
        return requests.run_instances("ndvi", (head,), SITE, seen=()).get("IamInstanceProfile")

    arn = "arn:aws:iam::123456789012:instance-profile/roost/lab"
    assert asked("lab") == {"Name": "lab"}
    assert asked(arn) == {"Arn": arn}
    assert asked("") is None


def test_a_token_is_the_same_for_the_same_wish_and_for_no_other():
    def token(*found: int, seen: set[str] = frozenset(), salt: int = 0, spot: bool = False) -> str:  # type: ignore[assignment]
        asked = requests.run_instances(
            "ndvi", workers(*found, spot=spot), SITE, seen=seen, salt=salt
        )
        return str(asked["ClientToken"])

    assert token(1, 2, seen={"i-1", "i-2"}) == token(1, 2, seen={"i-2", "i-1"})
    others = [token(1), token(1, 2), token(1, seen={"i-9"}), token(1, salt=1), token(1, spot=True)]
    assert len(set(others)) == len(others)


def test_who_may_enter():
    rules = (
        Rule(port=22, source="caller"),
        Rule(port=22, source="203.0.113.7/32"),
        Rule(port=443, source="2001:db8::/32"),
    )
    caller = access.Caller("203.0.113.7/32", "SHA256:abc")
    expected = [
        {
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 22,
            "IpRanges": [{"CidrIp": "203.0.113.7/32", "Description": "roost: me SHA256:abc"}],
        },
        {
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32", "Description": "roost"}],
        },
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]},
    ]
    assert access.missing("sg-1", rules, caller, {}) == expected
    assert access.missing("sg-1", rules, caller, {"IpPermissions": expected[:1]}) == expected[1:]
    assert access.missing("sg-1", rules, caller, {"IpPermissions": expected}) == []


def test_a_volume_is_encrypted_and_as_the_file_says():
    volume = Volume(
        name="data", size_gib=500, type="gp3", holder="desktop", mount="/data", iops=6000
    )
    asked = requests.create_volume("stars", volume, "eu-central-1a", {}, "sg-1", 0)
    assert (asked["Encrypted"], asked["Size"], asked["Iops"]) == (True, 500, 6000)
    assert "Throughput" not in asked
    found = tags.read(asked["TagSpecifications"][0]["Tags"])
    assert (found["roost:holder"], found["roost:mount"]) == ("desktop", "/data")


@given(st.text(max_size=3000))
def test_a_record_comes_back_as_it_was(text):
    assert requests.record_in(requests.template_data(text)) == text


def test_a_record_that_ec2_would_not_keep_is_refused_before_anything_is_made():
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=30_000))
    with pytest.raises(UsageError, match="too long"):
        requests.template_data(noise)


def test_where_images_are_looked_up():
    ubuntu = image_source("ubuntu-24.04", "arm64")
    assert ubuntu is not None
    assert ubuntu.parameter == (
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
    )
    debian = image_source("debian-12", "x86_64")
    assert debian is not None
    assert debian.parameter == "/aws/service/debian/release/12/latest/amd64"
    assert image_source("ami-0123456789abcdef0", "x86_64") is None


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("RequestLimitExceeded", ThrottledError, "launch"),
        ("InternalError", ThrottledError, "launch"),
        ("InsufficientInstanceCapacity", CapacityError, "launch"),
        ("ExpiredToken", CredentialsError, "launch"),
        ("UnauthorizedOperation", AccessError, "the permission ec2:RunInstances is missing"),
        ("VcpuLimitExceeded", QuotaError, "launch"),
        ("InvalidParameterValue", CloudError, "InvalidParameterValue"),
    ],
)
def test_what_errors_mean(code, kind, said):
    answer = {"Error": {"Code": code, "Message": "no"}}
    with pytest.raises(kind, match=said), translated("launch"):
        raise ClientError(answer, "RunInstances")


BLOB = "Encoded authorization failure message: " + "x9A_" * 220


@pytest.mark.parametrize(
    ("code", "message", "said", "next_command"),
    [
        (
            "SignatureDoesNotMatch",
            "Signature not yet current: 2030",
            "clock is wrong",
            "timedatectl",
        ),
        ("RequestExpired", "Request has expired.", "clock is wrong", "timedatectl"),
        ("AuthFailure", "not able to validate the credentials", "AuthFailure", "enable-region"),
        ("SignatureDoesNotMatch", "Check your key", "Check your key", "aws sso login"),
        (
            "UnauthorizedOperation",
            "You are not authorized to perform: ec2:RunInstances with an explicit deny in a service"
            f" control policy. {BLOB}",
            "your organisation forbids ec2:RunInstances here",
            "administrators of your organisation",
        ),
        ("UnauthorizedOperation", f"No. {BLOB}", "ec2:RunInstances is missing", "roost iam FILE"),
        ("OptInRequired", "no", "OptInRequired", "terms of the image"),
        ("PendingVerification", "no", "PendingVerification", "4 hours"),
    ],
)
def test_a_refused_caller_hears_why_and_what_to_do(
    code: str, message: str, said: str, next_command: str
) -> None:
    answer = {"Error": {"Code": code, "Message": message}}
    with pytest.raises(AccessError) as raised, translated("launch"):
        raise ClientError(answer, "RunInstances")
    assert said in raised.value.what
    assert next_command in str(raised.value.next)
    assert "x9A_" not in raised.value.what
    assert raised.value.exit_code == 5


def test_without_credentials_the_next_command_is_said():
    with pytest.raises(CredentialsError) as raised, translated("look"):
        raise NoCredentialsError
    assert "aws configure" in str(raised.value.next)


def test_who_signs_in_again_is_told_with_which_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By boto3 itself, whose session of SSO has ended, and by EC2's own word."""
    config = tmp_path / "config"
    sso = (
        "sso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n"
    )
    config.write_text(f"[profile the-lab]\n{sso}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    client = Clients(open_session("the-lab"), "us-east-1")("ec2")
    with pytest.raises(CredentialsError) as raised, translated("look"):
        client.describe_instances()
    assert str(raised.value.next).startswith("aws sso login --profile the-lab")
    stub = Stubber(client)
    stub.add_client_error("describe_instances", "ExpiredToken", "no")
    with stub, pytest.raises(CredentialsError) as raised, translated("look"):
        client.describe_instances()
    assert raised.value.next == "aws sso login --profile the-lab   (or new keys: aws configure)"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all calls of AWS; SSH goes its own way, as [access] reach says."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(
                b"<R><regionInfo><item><regionName>x</regionName></item></regionInfo></R>"
            )

        def log_message(self, *_: object) -> None:
            pass

    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "x")
    for key in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "https_proxy"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://ec2.example")
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Proxy)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        found = Clients(open_session(None), "eu-central-1")("ec2").describe_regions()
    assert [one["RegionName"] for one in found["Regions"]] == ["x"]
    assert asked == ["http://ec2.example/"]


def test_a_page_of_a_proxy_is_no_answer_and_worth_another_try() -> None:
    with (
        pytest.raises(ThrottledError, match="look at it: the answer did not come from AWS"),
        translated("look at it"),
    ):
        raise ResponseParserError("Unable to parse response (syntax error), invalid XML")
