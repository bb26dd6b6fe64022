"""The rows of `roost ls` for one region: three calls, by a botocore that knows no others.

To read botocore's description of all of EC2 takes longer than all else that `roost ls` does, and
to read all that EC2 says of a thousand machines takes longer still. So botocore is given ``MODEL``:
the three calls, and of their answers what is shown. Credentials, endpoints, signing, retries and
the parsing are botocore's as ever; a test holds the model to botocore's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from roost.errors import CloudError
from roost.home import is_name
from roost.model.nodes import launched
from roost.model.summary import Followed, Summary
from roost.providers.aws import health, tags
from roost.providers.aws.failures import translated
from roost.providers.aws.marks import ROLES
from roost.providers.aws.optional import Unknowns
from roost.providers.aws.parse import INSTANCE_STATES, TERMINATED

VERSION = "2016-11-15"
PAGES = {
    "describe_instances": 1000,
    "describe_instance_status": 1000,
    "describe_launch_templates": 200,
}
"""The most that EC2 gives in one page."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The part of a cloud that `roost ls` needs: one region of AWS.

    ``connect`` makes the client; it raises RoostError, most often for want of credentials.
    """

    connect: Callable[[], Any]
    region: str
    unknowns: Unknowns
    name: str = "aws"
    account: tuple[str, ...] = ()

    def summaries(self) -> tuple[Summary, ...]:
        """Return every name in this region, also those of which only the record is left."""
        return summaries(self.connect(), self.region, self.unknowns)


def listings(
    regions: Iterable[str], profile: str | None, unknowns: Unknowns
) -> tuple[Listing, ...]:
    """Return a listing of each region, all of one session; AWS is asked nothing yet.

    Raises UsageError without botocore, CredentialsError for no such profile.
    """
    from roost.providers.aws.session import client_config, core_session, explained, trace

    session = core_session(profile)
    session.register_component("data_loader", _loader())
    one_at_a_time = Lock()  # a session makes no two clients at once

    def connect(region: str) -> Any:
        with one_at_a_time, explained():
            client = session.create_client("ec2", region_name=region, config=client_config())
            trace(client)
            return client

    return tuple(Listing(partial(connect, region), region, unknowns) for region in regions)


def summaries(ec2: Any, region: str, unknowns: Unknowns) -> tuple[Summary, ...]:
    """Return every name that instances or records carry; all is asked for at once."""
    with translated("list what roost has"), ThreadPoolExecutor(3) as pool:
        statuses = pool.submit(
            unknowns.without,
            health.CALL,
            partial(_every, ec2.describe_instance_status, "InstanceStatuses", tagged=False),
        )
        machines = pool.submit(_every, ec2.describe_instances, "Reservations")
        records = pool.submit(
            unknowns.without,
            "describe_launch_templates",
            partial(_every, ec2.describe_launch_templates, "LaunchTemplates"),
        )
        unwell = health.unwell(statuses.result() or ())
        return summarized(machines.result(), records.result() or (), region, unwell)


def _every(call: Callable[..., Any], field: str, *, tagged: bool = True) -> list[Any]:
    """Return ``field`` of all pages, of what carries roost's tag (or, not ``tagged``, of all).

    Not botocore's paginator: it would read what it knows of the pages of all services.
    """
    asked: dict[str, Any] = {"MaxResults": PAGES[call.__name__]}
    if tagged:
        asked["Filters"] = [{"Name": "tag-key", "Values": [tags.NAME]}]
    found: list[Any] = []
    more: dict[str, str] = {}
    while True:
        answer = call(**asked, **more)
        found += answer[field]
        if not answer.get("NextToken"):
            return found
        more = {"NextToken": answer["NextToken"]}


def summarized(
    reservations: Iterable[Mapping[str, Any]],
    templates: Iterable[Mapping[str, Any]],
    region: str,
    unwell: Mapping[str, str],
) -> tuple[Summary, ...]:
    """Return the rows, by name, without instances that are gone or not made by roost. Pure."""
    named = ((tags.read(t.get("Tags")).get(tags.NAME, ""), t) for t in templates)
    records = {name: t for name, t in named if is_name(name)}
    states: dict[str, Counter[str]] = {name: Counter() for name in records}
    workers: Counter[str] = Counter()
    sizes: dict[str, int] = {}
    troubles: dict[str, list[str]] = {}
    for reservation in reservations:
        for one in reservation["Instances"]:
            held, word = tags.read(one.get("Tags")), one["State"]["Name"]
            nodes = held.get(tags.NODE, "")
            if nodes not in sizes:
                sizes[nodes] = len(launched(nodes))
            known = held.get(tags.ROLE) in ROLES and one.get("AmiLaunchIndex", 0) < sizes[nodes]
            known = known and is_name(held.get(tags.NAME, ""))
            if word != TERMINATED and known:
                state = INSTANCE_STATES.get(word, "unknown")
                states.setdefault(held[tags.NAME], Counter())[state] += 1
                workers[held[tags.NAME]] += held.get(tags.ROLE) == "worker"
                if text := unwell.get(one.get("InstanceId", "")):
                    node = launched(nodes)[one.get("AmiLaunchIndex", 0)]
                    troubles.setdefault(held[tags.NAME], []).append(f"{node}: {text}")
    return tuple(
        Summary(
            name=name,
            kind=tags.read(records.get(name, {}).get("Tags")).get(tags.KIND, "unknown"),
            cloud="aws",
            region=region,
            states=dict(count),
            created=records.get(name, {}).get("CreateTime"),
            unfilled=_unfilled(records.get(name, {}), count),
            owner=_owner(records.get(name, {})),
            unwell=tuple(sorted(troubles.get(name, ()))),
            follows=Followed.of(
                workers[name], tags.range_in(tags.read(records.get(name, {}).get("Tags")))
            ),
        )
        for name, count in sorted(states.items())
    )


def _owner(record: Mapping[str, Any]) -> str:
    """Return whose it is: of a name that nobody took over, who made its record."""
    held = tags.read(record.get("Tags"))
    made = str(record.get("CreatedBy") or "") if tags.KEY in held else ""
    return held.get(tags.OWNER) or made


def _unfilled(record: Mapping[str, Any], count: Counter[str]) -> tuple[str, ...]:
    """Return the volumes of machines that are up whose data is not all back from S3."""
    if not count["running"] + count["pending"] or "roost:stored:" not in str(record.get("Tags")):
        return ()
    from roost.providers.aws import s3_copies

    try:
        return tuple(copy.name for copy in s3_copies.in_tags(record.get("Tags")) if copy.sealed)
    except CloudError:
        return ()


def _loader() -> Any:
    """Return botocore's loader, which has ``MODEL`` for EC2 and everything else as it is."""
    from botocore.exceptions import DataNotFoundError
    from botocore.loaders import Loader

    class Brief(Loader):  # type: ignore[misc, unused-ignore]
        def load_service_model(
            self, service_name: str, type_name: str, api_version: str | None = None
        ) -> Any:
            if service_name == "ec2" and type_name == "service-2":
                return MODEL
            try:  # its place is known: no search through all services
                return self.load_data(f"{service_name}/{VERSION}/{type_name}")
            except DataNotFoundError:
                return super().load_service_model(service_name, type_name, api_version)

    return Brief()


def _call(name: str, output: str) -> dict[str, Any]:
    return {
        "name": name,
        "http": {"method": "POST", "requestUri": "/"},
        "input": {"shape": "Asked"},
        "output": {"shape": output},
    }


def _structure(**members: tuple[str, str]) -> dict[str, Any]:
    """Return a structure of botocore's model, from ``Member=(shape, its name in the answer)``."""
    named = {key: {"shape": shape, "locationName": at} for key, (shape, at) in members.items()}
    return {"type": "structure", "members": named}


def _list(shape: str, at: str = "item") -> dict[str, Any]:
    return {"type": "list", "member": {"shape": shape, "locationName": at}}


MODEL: dict[str, Any] = {
    "version": "2.0",
    "metadata": {
        "apiVersion": VERSION,
        "auth": ["aws.auth#sigv4"],
        "endpointPrefix": "ec2",
        "protocol": "ec2",
        "protocols": ["ec2"],
        "serviceAbbreviation": "Amazon EC2",
        "serviceFullName": "Amazon Elastic Compute Cloud",
        "serviceId": "EC2",
        "signatureVersion": "v4",
        "uid": f"ec2-{VERSION}",
        "xmlNamespace": f"http://ec2.amazonaws.com/doc/{VERSION}",
    },
    "operations": {
        "DescribeInstances": _call("DescribeInstances", "Machines"),
        "DescribeInstanceStatus": _call("DescribeInstanceStatus", "Statuses"),
        "DescribeLaunchTemplates": _call("DescribeLaunchTemplates", "Records"),
    },
    "shapes": {
        "String": {"type": "string"},
        "Integer": {"type": "integer"},
        "DateTime": {"type": "timestamp"},
        "Asked": _structure(
            Filters=("FilterList", "Filter"),
            MaxResults=("Integer", "MaxResults"),
            NextToken=("String", "NextToken"),
        ),
        "FilterList": _list("Filter", "Filter"),
        "Filter": _structure(Name=("String", "Name"), Values=("Values", "Value")),
        "Values": _list("String"),
        "Machines": _structure(
            Reservations=("Reservations", "reservationSet"), NextToken=("String", "nextToken")
        ),
        "Reservations": _list("Reservation"),
        "Reservation": _structure(Instances=("Instances", "instancesSet")),
        "Instances": _list("Instance"),
        "Instance": _structure(
            InstanceId=("String", "instanceId"),
            AmiLaunchIndex=("Integer", "amiLaunchIndex"),
            State=("State", "instanceState"),
            Tags=("Tags", "tagSet"),
        ),
        "State": _structure(Name=("String", "name")),
        "Tags": _list("Tag"),
        "Tag": _structure(Key=("String", "key"), Value=("String", "value")),
        "Statuses": _structure(
            InstanceStatuses=("StatusList", "instanceStatusSet"), NextToken=("String", "nextToken")
        ),
        "StatusList": _list("Status"),
        "Status": _structure(
            InstanceId=("String", "instanceId"),
            SystemStatus=("Check", "systemStatus"),
            InstanceStatus=("Check", "instanceStatus"),
            Events=("Events", "eventsSet"),
        ),
        "Check": _structure(Status=("String", "status")),
        "Events": _list("Event"),
        "Event": _structure(
            Code=("String", "code"),
            Description=("String", "description"),
            NotBefore=("DateTime", "notBefore"),
        ),
        "Records": _structure(
            LaunchTemplates=("Templates", "launchTemplates"), NextToken=("String", "nextToken")
        ),
        "Templates": _list("Template"),
        "Template": _structure(
            CreateTime=("DateTime", "createTime"),
            CreatedBy=("String", "createdBy"),
            Tags=("Tags", "tagSet"),
        ),
    },
}
"""The part of EC2's description that `roost ls` needs, in botocore's own form."""
