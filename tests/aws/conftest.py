"""An AWS account in memory, as strict as EC2, and a roost that works in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.loaders import create_loader

from roost.model.resources import Role, State, Wanted
from roost.parking.coordinator import Parking
from roost.parking.modes import ParkMode
from roost.parking.restore import fill_all
from roost.plan.down import plan_down
from roost.plan.resize import plan_resize
from roost.plan.up import Plan, plan_stop, plan_up
from roost.providers.aws.cloud import AwsCloud
from roost.reconcile.loop import reconcile
from tests.aws.moto_account import empty_aws
from tests.aws.strict import StrictEc2, Weather
from tests.aws.volume_agent import DiskVolumeAgent

if TYPE_CHECKING:
    from tests.aws.command_scenes import Scene, Stage

REGION = "eu-central-1"
KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Vwm8bGdQ2lZzWDXGcnm0dAbk3MkRYdXYd9mFqXcfe me"


@dataclass
class Account:
    """The account, and the commands a user gives; each is a process of its own."""

    locks: Path
    ec2: StrictEc2 = field(default_factory=StrictEc2)
    now: float = 0.0
    elsewhere: list[str] = field(default_factory=list)

    @cached_property
    def client(self) -> Any:
        """Its calls go through the strict double."""
        unsigned = Config(signature_version=UNSIGNED)  # moto reads no signatures
        return self.ec2.install(boto3.client("ec2", region_name=self.ec2.region, config=unsigned))

    def move(self, region: str) -> None:
        """Go on in another region."""
        self.ec2.region = region
        self.__dict__.pop("client", None)

    def roost(self) -> AwsCloud:
        """A new process: it knows nothing."""
        return AwsCloud(
            clients={"ec2": self.client}.__getitem__,
            region=self.ec2.region,
            caller=lambda: "203.0.113.7/32",
            public_key=lambda: KEY,
            locks=self.locks,
            sleep=self.sleep,
            clock=lambda: self.now,
            wall=self.ec2.wall,
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.ec2.sleep(seconds)

    def settle(self) -> None:
        """All that is on its way arrives."""
        for _ in range(10):
            self.sleep(10)
        self.ec2.show_all()

    def up(self, wanted: Wanted) -> State:
        def planner(have: State, given_up: frozenset[str]) -> Plan:
            return plan_up(wanted, have, given_up=given_up)

        cloud = self.roost()
        state = reconcile(cloud, wanted.name, planner, clock=lambda: self.now)
        agent = DiskVolumeAgent(self.ec2)
        if state.s3_copies:
            agent.free(state)
        return fill_all(cloud, state, agent)

    def stop(self, name: str) -> State:
        return reconcile(self.roost(), name, lambda have, _: plan_stop(have))

    def park(self, name: str, confirmed: frozenset[str] = frozenset(), **modes: str) -> State:
        cloud = self.roost()
        return Parking(
            modes={name: ParkMode(mode) for name, mode in modes.items()},
            confirmed=confirmed,
            connect=lambda _: nullcontext(DiskVolumeAgent(self.ec2)),
            drive=lambda planner: reconcile(cloud, name, planner),
            clock=lambda: self.now,
        ).run()

    def resize(self, wanted: Wanted, role: Role) -> State:
        return reconcile(
            self.roost(), wanted.name, lambda have, given: plan_resize(wanted, have, role, given)
        )

    def down(self, name: str, discard: frozenset[str] = frozenset()) -> State:
        return reconcile(
            self.roost(), name, lambda have, _: plan_down(have, discard), clock=lambda: self.now
        )

    def forget_the_dead(self) -> None:
        """An hour later: terminated instances are not described any more."""
        backend = self.ec2.backend
        for reservation in list(backend.reservations.values()):
            if all(i.state == "terminated" for i in reservation.instances):
                del backend.reservations[reservation.id]

    def left(self) -> dict[str, list[str]]:
        """Everything in the account that costs money or is in the way, tagged or not."""
        self.ec2.weather = Weather()
        ec2 = self.client
        reservations = ec2.describe_instances()["Reservations"]
        instances = [i for r in reservations for i in r["Instances"]]
        own = {"Owners": ["self"]}
        found = {
            "snapshots": [
                s["SnapshotId"]
                for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
                if s["SnapshotId"] in self.ec2.held  # moto shows those of its own images too
            ],
            "images": [i["ImageId"] for i in ec2.describe_images(**own)["Images"]],
            "instances": [i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"],
            "volumes": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
            "addresses": [a["AllocationId"] for a in ec2.describe_addresses()["Addresses"]],
            "groups": [
                g["GroupName"]
                for g in ec2.describe_security_groups()["SecurityGroups"]
                if g["GroupName"] != "default"
            ],
            "keys": [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]],
            "templates": [
                t["LaunchTemplateName"] for t in ec2.describe_launch_templates()["LaunchTemplates"]
            ],
        }
        return {kind: names for kind, names in found.items() if names}


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """What boto3 knows of each service, read by the first session and not by every command."""
    shared = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _: shared)
        yield


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of nobody, with an empty home; and moto as EC2 is where a template's tags change."""
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "roost-home"))
    live = property(lambda self: self.get_tags(), lambda self, made: None)
    monkeypatch.setattr("moto.ec2.models.launch_templates.LaunchTemplate.tags", live, raising=False)
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def account(tmp_path: Path, credentials: None) -> Iterator[Account]:
    """An empty account."""
    del credentials
    with empty_aws():
        yield Account(tmp_path / "locks")


@pytest.fixture(scope="session")
def forker() -> Iterator[socket]:
    """The process that forks one for each command (tests/aws/command_process.py)."""
    from tests.aws.command_line import forking

    with forking() as control:
        yield control


@pytest.fixture
def stage(account: Account, forker: socket, tmp_path: Path) -> Callable[[Scene], Stage]:
    """The stage for a scene, with all that comes before it."""
    from tests.aws.command_scenes import Stage
    from tests.aws.strict_images import StrictImages

    def prepared(scene: Scene) -> Stage:
        account.ec2 = StrictImages()
        made = Stage(account, forker, scene, tmp_path / "work")
        made.prepare()
        return made

    return prepared
