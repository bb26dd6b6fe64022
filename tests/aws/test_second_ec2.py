"""A desktop's whole life on another EC2 that none of us wrote: ministack's, over HTTP.

It knows fewer calls than EC2, and ignores some of what it is asked. What roost can do without is
unknown there; what it cannot do is said, and leaves everything as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.test_lost_copies import STARS
from tests.cli.calling import Ran, Roost, all_ready, caller
from tests.transfer.servers import ministack

pytestmark = pytest.mark.slow


@contextmanager
def letting_go(ec2: Any) -> Iterator[None]:
    """Take volumes from terminated instances, as EC2 does by itself."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.2):
            for volume in ec2.describe_volumes()["Volumes"]:
                for held in volume.get("Attachments", ()):
                    one = {"InstanceIds": [held["InstanceId"]]}
                    for reservation in ec2.describe_instances(**one)["Reservations"]:
                        if reservation["Instances"][0]["State"]["Name"] == "terminated":
                            ec2.detach_volume(VolumeId=volume["VolumeId"])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def ec2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with ministack(tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = boto3.client("ec2", region_name="eu-central-1")
        (table,) = client.describe_route_tables()["RouteTables"]  # its network has no way out
        (gateway,) = client.describe_internet_gateways()["InternetGateways"]
        client.create_route(
            RouteTableId=table["RouteTableId"],
            DestinationCidrBlock="0.0.0.0/0",
            GatewayId=gateway["InternetGatewayId"],
        )
        with letting_go(client):
            yield client


@pytest.fixture
def roost(
    ec2: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Roost:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "roost-home"))
    monkeypatch.setenv("ROOST_MY_ADDRESS", "203.0.113.7")
    monkeypatch.setenv("NO_COLOR", "1")
    all_ready(monkeypatch)
    return caller(monkeypatch, capsys)


def there(ec2: Any) -> dict[str, Any]:
    """What is in the account; not key pairs, whose tags it forgets: roost cannot know its own."""
    found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    return {
        "instances": [i["State"]["Name"] for i in found if i["State"]["Name"] != "terminated"],
        "volumes": [
            v["VolumeId"]
            for v in ec2.describe_volumes()["Volumes"]
            if any(tag["Key"] == "roost:holder" for tag in v.get("Tags", ()))
        ],
        "groups": [
            g["GroupName"]
            for g in ec2.describe_security_groups()["SecurityGroups"]
            if g["GroupName"].startswith("roost")
        ],
        "templates": ec2.describe_launch_templates()["LaunchTemplates"],
    }


def test_a_desktops_life(roost: Roost, ec2: Any, tmp_path: Path) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(STARS.replace("500GB", "40GB"))
    empty = there(ec2)

    def done(*words: object, code: int = 0) -> Ran:
        told = roost(*words)
        assert told.code == code, (words, told.out, told.err)
        assert "Traceback" not in told.err
        return told

    done("up", file, "--yes")
    made = there(ec2)
    assert (made["instances"], len(made["volumes"])) == (["running"], 2)
    assert "running" in done("show", "stars").out
    assert "1 running" in done("ls").out
    done("stop", "stars")
    assert there(ec2)["instances"] == ["stopped"]
    done("start", "stars")
    told = done("resize", "stars", "--type", "m5.xlarge", "--yes", code=1)
    assert "stars is m5.large again" in told.err
    assert there(ec2)["instances"] == ["running"]
    told = done("park", "stars", "--yes", code=1)
    assert "this endpoint makes no images of machines" in told.err
    assert "next: roost park stars --mode keep" in told.err
    assert there(ec2)["volumes"] == made["volumes"]
    done("park", "stars", "--mode", "keep", "--yes")
    assert there(ec2)["instances"] == ["stopped"]
    done("resume", "stars")
    assert there(ec2)["instances"] == ["running"]
    done("down", "stars", "--yes")
    assert there(ec2)["volumes"] == made["volumes"]
    done("up", file, "--yes")
    assert there(ec2)["volumes"] == made["volumes"]
    done("down", "stars", "--yes", "--delete-data", "stars")
    assert there(ec2) == empty
