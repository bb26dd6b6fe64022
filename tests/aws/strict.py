"""moto made as strict as EC2, as slow, and as unreliable as a test wants it.

moto answers at once, ignores ClientTokens, lets anything be attached to anything and takes back
what EC2 would not. A test that passes only because of that proves nothing, so every call of the
client goes through here first. What EC2 does is from its API reference ("Errors", "Ensuring
idempotency", "Eventual consistency").
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from roost.errors import RoostError
from tests.aws.strict_disks import StrictDisks
from tests.aws.strict_launch import Launches

TOKENS = {"RunInstances", "CreateVolume", "CreateLaunchTemplate", "CreateLaunchTemplateVersion"}
LISTS = {
    "DescribeAddresses": ("Addresses", "AllocationId"),
    "DescribeKeyPairs": ("KeyPairs", "KeyPairId"),
    "DescribeImages": ("Images", "ImageId"),
    "DescribeSecurityGroups": ("SecurityGroups", "GroupId"),
    "DescribeSnapshots": ("Snapshots", "SnapshotId"),
    "DescribeTags": ("Tags", "ResourceId"),
    "DescribeVolumes": ("Volumes", "VolumeId"),
}
"""Where resources are in an answer, and by which id."""
NEW = {
    "AllocateAddress": "AllocationId",
    "CreateImage": "ImageId",
    "CreateSnapshot": "SnapshotId",
    "CreateSecurityGroup": "GroupId",
    "ImportKeyPair": "KeyPairId",
}
"""Calls that make one thing and take no token."""
STEADY = {
    "DescribeAddresses": ("Addresses", "AllocationId"),
    "DescribeKeyPairs": ("KeyPairs", "KeyPairId"),
    "DescribeLaunchTemplates": ("LaunchTemplates", "LaunchTemplateId"),
    "DescribeSecurityGroups": ("SecurityGroups", "GroupId"),
    "DescribeVolumes": ("Volumes", "VolumeId"),
}
USER_DATA = 16 * 1024
DESCRIPTION = 255
TIMES = (
    ("InstanceId", "LaunchTime"),
    ("SnapshotId", "StartTime"),
    ("ImageId", "CreationDate"),
    ("VolumeId", "CreateTime"),
    ("VolumeId", "AttachTime"),
)
"""What has no tags any more once it is deleted."""


class Killed(BaseException):
    """The process died here."""


@dataclass(kw_only=True)
class Weather:
    """What goes wrong, by the number of the call (from 0); ``refuse`` has the code by the call's
    name, for every such call, and ``late`` a code and for how many seconds from its first call it
    is the answer; ``deaths`` are the reasons for which the next machines end while they start;
    ``image_gib`` has the size of the disk of an image, which is 15 for moto;
    ``no_dry_run``: an endpoint that does what it should only try; ``blind`` is how many lists miss
    a new resource; ``delay`` how many sleeps a change of state takes.

    ``full`` has (type, zone) pairs of which there is nothing, or (type, zone, "spot") and (type,
    zone, "on-demand") where only that is so; ``room`` says how many more there are of such three.
    ``taken`` are private addresses of somebody else; ``spot_limit`` how many spot machines the
    account may have, and ``spot_usd`` what each costs an hour."""

    kill_before: int | None = None
    kill_after: int | None = None
    errors: dict[int, str] = field(default_factory=dict)
    refuse: dict[str, str] = field(default_factory=dict)
    late: dict[str, tuple[str, float]] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    no_dry_run: bool = False
    image_gib: dict[str, int] = field(default_factory=dict)
    lost_answers: frozenset[int] = frozenset()
    blind: int = 0
    delay: int = 1
    full: frozenset[tuple[str, ...]] = frozenset()
    room: dict[tuple[str, str, str], int] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    spot_limit: int | None = None
    spot_usd: float = 0.0


@dataclass(frozen=True)
class Moment:
    """A call: whether it changes anything, and whether time had passed before it."""

    name: str
    waited: bool

    @property
    def changes(self) -> bool:
        return not self.name.startswith(("Describe", "Get"))


@dataclass
class StrictEc2(StrictDisks):
    """Wraps a client's calls. One of these is one account: it outlives clients that are killed."""

    weather: Weather = field(default_factory=Weather)
    calls: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    _waited: bool = False
    types: frozenset[str] = frozenset()
    _late: dict[str, float] = field(default_factory=dict)
    who: str = "arn:aws:iam::123456789012:user/alice"
    _writers: dict[tuple[str, int], str] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _blind: dict[str, int] = field(default_factory=dict)
    _moving: dict[str, tuple[str, int]] = field(default_factory=dict)
    meanwhile: dict[int, Callable[[], object]] = field(default_factory=dict)
    now: float = 1_800_000_000.0
    _times: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        StrictDisks.__init__(self)

    def wall(self) -> datetime:
        """The time in this account; a call takes two seconds."""
        return datetime.fromtimestamp(self.now, UTC)

    def install(self, client: Any) -> Any:
        """Put itself between a boto3 client and moto."""
        through = client._make_api_call
        self.types = frozenset(client.meta.service_model.shape_for("InstanceType").enum)
        client._make_api_call = lambda name, asked: self._call(client, through, name, asked)
        return client

    def begin(self) -> None:
        """Count from here."""
        self.calls.clear()
        self.asked.clear()
        self.moments.clear()

    def sleep(self, seconds: float) -> None:
        """Time passes: states move on."""
        self._waited = True
        self.write()
        self.now += seconds
        for one, (state, left) in list(self._moving.items()):
            if left <= 1:
                del self._moving[one]
            else:
                self._moving[one] = (state, left - 1)

    def show_all(self) -> None:
        """All that was made can be seen now."""
        self._blind.clear()

    @property
    def launches(self) -> Launches:
        """What EC2 says to RunInstances."""
        return Launches(self.weather, self.types)

    @property
    def counted(self) -> Counter[str]:
        """How often each operation was called."""
        return Counter(self.calls)

    def _call(
        self, client: Any, through: Callable[[str, Any], Any], name: str, asked: dict[str, Any]
    ) -> Any:
        number = len(self.calls)
        if number in self.meanwhile:
            self.meanwhile.pop(number)()  # somebody else, on another computer
            number = len(self.calls)
        self.now += 2
        self.write()
        self.calls.append(name)
        self.moments.append(Moment(name, self._waited))
        self._waited = False
        self.asked.append((name, copy.deepcopy(asked)))
        if self.weather.no_dry_run:
            asked = {key: value for key, value in asked.items() if key != "DryRun"}
        if number == self.weather.kill_before:
            raise Killed
        if name in self.weather.refuse:
            raise _error(name, self.weather.refuse[name], "so the account has it")
        if name in self.weather.late:
            code, seconds = self.weather.late[name]
            if self.now < self._late.setdefault(f"{name} {code}", self.now) + seconds:
                raise _error(name, code, "not yet")
            del self.weather.late[name], self._late[f"{name} {code}"]
        if number in self.weather.errors:
            raise _error(name, self.weather.errors[number], "so the weather has it")
        try:
            answer = self._timed(self._strictly(through, name, asked))
        finally:
            if number == self.weather.kill_after:
                raise Killed
        if number in self.weather.lost_answers:
            raise ReadTimeoutError(endpoint_url="https://ec2")
        return answer

    def act(self, name: str, work: Callable[[], object]) -> None:
        """What is done on a machine, or in S3, takes its time too, and can be cut short."""
        try:
            self._call(None, lambda *_: work() or {}, name, {})
        except (ClientError, ReadTimeoutError) as error:
            raise RoostError(f"{name}: {error}") from None

    # --- as EC2 has it -----------------------------------------------------------------------

    def _strictly(self, through: Callable[[str, Any], Any], name: str, asked: Any) -> Any:
        if name in TOKENS and "ClientToken" in asked:
            return self._once(through, name, asked)
        self._check(through, name, asked)
        instead = getattr(self, f"_instead_{name}", None)
        answer = instead(through, asked) if instead is not None else through(name, asked)
        if name in NEW:
            self._hide(answer[NEW[name]])
        done = getattr(self, f"_done_{name}", None)
        if done is not None:
            done(answer, asked)
        if name == "DescribeTags":
            self._as_ec2_tags(through, answer)
        return self._seen(name, answer)

    def _check(self, through: Callable[[str, Any], Any], name: str, asked: Any) -> None:
        check = getattr(self, f"_check_{name}", None)
        if check is not None:
            check(through, asked)

    def _timed(self, answer: Any) -> Any:
        """Times by this account's clock: when it was first seen here, or was last started."""
        for one in list(answer.values()) if isinstance(answer, dict) else answer:
            if isinstance(one, dict | list):
                self._timed(one)
        if isinstance(answer, dict):
            for key, field_ in TIMES:
                if key in answer and field_ in answer:
                    since = self._times.setdefault(f"{field_} {answer[key]}", self.wall())
                    whole = since.replace(microsecond=0)
                    answer[field_] = whole.isoformat() if field_ == "CreationDate" else whole
        return answer

    def _as_ec2_tags(self, through: Callable[[str, Any], Any], answer: Any) -> None:
        """moto keeps the tags of what is deleted, and has a name of its own for addresses."""
        there = {
            one[key] for call, (place, key) in STEADY.items() for one in through(call, {})[place]
        } | self.copies()
        for tag in answer["Tags"]:
            tag["ResourceType"] = tag["ResourceType"].removeprefix("vpc-")
        answer["Tags"] = [
            tag
            for tag in answer["Tags"]
            if tag["ResourceId"] in there or tag["ResourceType"] == "instance"
        ]

    def _once(self, through: Callable[[str, Any], Any], name: str, asked: Any) -> Any:
        """The same token gives the same answer; with other parameters it is an error."""
        key = f"{name} {asked['ClientToken']}"
        text = json.dumps(asked, sort_keys=True, default=str)
        if key in self._tokens:
            before, answer = self._tokens[key]
            if before != text:
                raise _error(name, "IdempotentParameterMismatch", "other parameters")
            return copy.deepcopy(answer)
        self._check(through, name, asked)
        if name == "RunInstances":
            answer = through(name, self.launches.granted(through, asked, self._as_it_is))
            if "IamInstanceProfile" in asked:
                self._give_roles(asked["IamInstanceProfile"], answer["Instances"])
        else:
            answer = through(name, asked)
        self._tokens[key] = (text, copy.deepcopy(answer))
        if name == "RunInstances" and (trouble := self._key_trouble(asked)):
            self.weather.deaths += [trouble] * len(answer["Instances"])
        for instance in answer.get("Instances", ()):
            if self.weather.deaths:
                self.reasons[instance["InstanceId"]] = self.weather.deaths.pop(0)
                self.backend.terminate_instances([instance["InstanceId"]])
            self._hide(instance["InstanceId"])
            self._moving[instance["InstanceId"]] = ("pending", self.weather.delay)
        if "VolumeId" in answer:
            self._hide(answer["VolumeId"])
            self._moving[answer["VolumeId"]] = ("creating", self.weather.delay)
            self._done_CreateVolume(answer, asked)
        return answer

    def _hide(self, one: str) -> None:
        if self.weather.blind:
            self._blind[one] = self.weather.blind

    def _seen(self, name: str, answer: Any) -> Any:
        """Lists without what is too new, and with states that take their time."""
        if name == "DescribeInstances":
            for reservation in answer["Reservations"]:
                reservation["Instances"] = [
                    self._as_it_is(i) for i in reservation["Instances"] if self._visible(i)
                ]
            answer["Reservations"] = [r for r in answer["Reservations"] if r["Instances"]]
        elif name in LISTS:
            place, key = LISTS[name]
            answer[place] = [
                one for one in answer[place] if self._blind.get(one.get(key, ""), 0) <= 0
            ]
            for described in answer[place]:
                moving = self._moving.get(described.get(key, ""))
                if moving is not None and "State" in described:
                    described["State"] = moving[0]
            for one in list(self._blind):
                self._blind[one] -= name != "DescribeTags"
        return answer

    def _visible(self, instance: Any) -> bool:
        one = instance["InstanceId"]
        self._blind[one] = self._blind.get(one, 0) - 1
        return self._blind[one] < 0

    def _as_it_is(self, instance: Any) -> Any:
        if odd := self.states.get(instance["InstanceId"]):
            instance["State"] = {"Name": odd, "Code": 0}
            return instance
        moving = self._moving.get(instance["InstanceId"])
        if moving is not None:
            instance["State"] = {"Name": moving[0], "Code": 0}
        elif reason := self.reasons.get(instance["InstanceId"]):
            code = reason.partition(": ")[0]
            instance["StateReason"] = {"Code": code, "Message": reason}
        return instance

    def _state(self, through: Callable[[str, Any], Any], one: str) -> str:
        found = through("DescribeInstances", {"InstanceIds": [one]})["Reservations"]
        return str(self._as_it_is(found[0]["Instances"][0])["State"]["Name"])

    def _check_RunInstances(self, through: Any, asked: Any) -> None:  # noqa: N802
        del through
        self.launches.check_profile(asked)

    def _give_roles(self, named: dict[str, str], instances: list[Any]) -> None:
        """moto gives an instance profile to the first machine of a launch, EC2 to all."""
        for instance in instances[1:]:
            one = instance["InstanceId"]
            self.backend.associate_iam_instance_profile(one, named.get("Name"), named.get("Arn"))

    def _check_StopInstances(self, through: Any, asked: Any) -> None:  # noqa: N802
        for one in asked["InstanceIds"]:
            found = through("DescribeInstances", {"InstanceIds": [one]})["Reservations"][0]
            if found["Instances"][0].get("InstanceLifecycle") == "spot":
                raise _error("StopInstances", "UnsupportedOperation", "a one-time spot instance")
            if self._state(through, one) not in ("running", "stopping", "stopped"):
                raise _error("StopInstances", "IncorrectInstanceState", one)

    def _done_StopInstances(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        self._moving |= dict.fromkeys(asked["InstanceIds"], ("stopping", self.weather.delay))

    def _check_StartInstances(self, through: Any, asked: Any) -> None:  # noqa: N802
        for one in asked["InstanceIds"]:
            if self._state(through, one) not in ("stopped", "running", "pending"):
                raise _error("StartInstances", "IncorrectInstanceState", one)
            instance = self.backend.get_instance(one)
            if (instance.instance_type, instance.placement.zone) in self.weather.full:
                raise _error("StartInstances", "InsufficientInstanceCapacity", "we have none now")

    def _done_StartInstances(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        for one in asked["InstanceIds"]:
            if self.weather.deaths:
                self.reasons[one] = self.weather.deaths.pop(0)
                self.backend.stop_instances([one])
        self._times |= {f"LaunchTime {one}": self.wall() for one in asked["InstanceIds"]}
        self.still.clear()
        self._moving |= dict.fromkeys(asked["InstanceIds"], ("pending", self.weather.delay))

    def _check_CreateLaunchTemplate(self, through: Any, asked: Any) -> None:  # noqa: N802
        del through
        if len(asked.get("VersionDescription", "")) > DESCRIPTION:
            raise _error("CreateLaunchTemplate", "InvalidParameterValue", "limited to 255")
        if len(asked["LaunchTemplateData"].get("UserData", "")) > USER_DATA:
            raise _error("CreateLaunchTemplate", "InvalidUserData.Malformed", "limited to 16 KB")

    def _written(self, one: Any, number: int) -> None:
        """EC2 says who wrote a version of a template; to moto all are one."""
        key = (one["LaunchTemplateId"], number)
        one["CreatedBy"] = self._writers.setdefault(key, self.who)

    def _done_CreateLaunchTemplate(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        self._written(answer["LaunchTemplate"], 1)

    def _done_DescribeLaunchTemplates(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        for one in answer["LaunchTemplates"]:
            self._written(one, 1)

    def _done_CreateLaunchTemplateVersion(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        made = answer["LaunchTemplateVersion"]
        self._written(made, int(made["VersionNumber"]))

    def _done_DescribeLaunchTemplateVersions(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        for one in answer["LaunchTemplateVersions"]:
            self._written(one, int(one["VersionNumber"]))

    def _check_CreateLaunchTemplateVersion(self, through: Any, asked: Any) -> None:  # noqa: N802
        self._check_CreateLaunchTemplate(through, asked)

    def _instead_TerminateInstances(self, through: Any, asked: Any) -> Any:  # noqa: N802
        """EC2 takes it a second time; moto misses the network interface that went the first."""
        dead = {i.id for i in self.backend.all_instances() if i.state == "terminated"}
        ids = [one for one in asked["InstanceIds"] if one not in dead]
        nothing: dict[str, Any] = {"TerminatingInstances": []}
        self._keep_for_a_while(ids)
        return through("TerminateInstances", {**asked, "InstanceIds": ids}) if ids else nothing

    def _done_TerminateInstances(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        ids = [one["InstanceId"] for one in answer["TerminatingInstances"]]
        self._moving |= dict.fromkeys(ids, ("shutting-down", self.weather.delay))
        self._let_go(ids)

    def _check_DeleteLaunchTemplate(self, through: Any, asked: Any) -> None:  # noqa: N802
        """moto says of one that is gone that its name is missing."""
        del through
        name = asked["LaunchTemplateName"]
        if name not in self.backend.launch_template_name_to_ids:
            code = "InvalidLaunchTemplateName.NotFoundException"
            raise _error("DeleteLaunchTemplate", code, name)

    def _check_AttachVolume(self, through: Any, asked: Any) -> None:  # noqa: N802
        (volume,) = through("DescribeVolumes", {"VolumeIds": [asked["VolumeId"]]})["Volumes"]
        found = through("DescribeInstances", {"InstanceIds": [asked["InstanceId"]]})
        instance = found["Reservations"][0]["Instances"][0]
        moving = self._moving.keys() & {asked["VolumeId"], f"leaving {asked['VolumeId']}"}
        if moving or volume["State"] != "available":
            raise _error("AttachVolume", "IncorrectState", volume["State"])
        if volume["AvailabilityZone"] != instance["Placement"]["AvailabilityZone"]:
            raise _error("AttachVolume", "InvalidVolume.ZoneMismatch", "not in the same zone")
        if self._state(through, asked["InstanceId"]) not in ("running", "stopped"):
            raise _error("AttachVolume", "IncorrectState", "the instance is not running")
        if asked["Device"] in {m["DeviceName"] for m in instance["BlockDeviceMappings"]}:
            raise _error("AttachVolume", "InvalidParameterValue", "the device is in use")

    def _done_AttachVolume(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        self._times[f"AttachTime {asked['VolumeId']}"] = self.wall()

    def _check_AssociateAddress(self, through: Any, asked: Any) -> None:  # noqa: N802
        if self._state(through, asked["InstanceId"]) not in ("running", "stopped"):
            raise _error("AssociateAddress", "IncorrectInstanceState", asked["InstanceId"])

    def _check_DeleteSecurityGroup(self, through: Any, asked: Any) -> None:  # noqa: N802
        for reservation in through("DescribeInstances", {})["Reservations"]:
            for instance in reservation["Instances"]:
                groups = {
                    group["GroupId"]
                    for one in (instance, *instance.get("NetworkInterfaces", ()))
                    for group in (*one.get("SecurityGroups", ()), *one.get("Groups", ()))
                }
                state = self._as_it_is(instance)["State"]["Name"]
                if asked["GroupId"] in groups and state != "terminated":
                    raise _error("DeleteSecurityGroup", "DependencyViolation", "in use")
        for group in through("DescribeSecurityGroups", {})["SecurityGroups"]:
            pairs = [p for one in group["IpPermissions"] for p in one["UserIdGroupPairs"]]
            others = {pair["GroupId"] for pair in pairs if group["GroupId"] != asked["GroupId"]}
            if asked["GroupId"] in others:  # VPC user guide: not while a rule references it
                raise _error("DeleteSecurityGroup", "DependencyViolation", "referenced by a rule")

    def _check_ReleaseAddress(self, through: Any, asked: Any) -> None:  # noqa: N802
        found = through("DescribeAddresses", {"AllocationIds": [asked["AllocationId"]]})
        instance = found["Addresses"][0].get("InstanceId")
        if instance and self._state(through, instance) not in ("terminated", "shutting-down"):
            raise _error("ReleaseAddress", "InvalidIPAddress.InUse", instance)


def _error(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
