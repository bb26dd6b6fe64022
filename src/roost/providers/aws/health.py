"""What EC2 itself says of machines that run: checks that fail, and a planned end of the hardware.

One look of a process asks, and only where machines run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roost.providers.aws.client import Calls

CALL = "describe_instance_status"
MOST = 100
"""Instances that EC2 takes by their ids; of more it is asked for all."""
ENDING = ("instance-retirement", "instance-stop")
DONE = ("[Completed]", "[Canceled]")
"""How the description of an event begins that is over."""


def unwell(statuses: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what is wrong with machines, by their ids; nothing of those that are well. Pure."""
    found = {one["InstanceId"]: _trouble(one) for one in statuses}
    return {ec2_id: text for ec2_id, text in found.items() if text}


def _trouble(status: Mapping[str, Any]) -> str:
    for key, what in (("SystemStatus", "hardware"), ("InstanceStatus", "system")):
        if status.get(key, {}).get("Status") == "impaired":
            return f"EC2's check of its {what} fails"
    for event in status.get("Events", ()):
        if event["Code"] in ENDING and not event.get("Description", "").startswith(DONE):
            when = f" on {event['NotBefore']:%Y-%m-%d}" if "NotBefore" in event else ""
            return f"EC2 retires its hardware{when}"
    return ""


def ask(calls: Calls, running: list[str]) -> dict[str, str]:
    """Return what is wrong with these; nothing where that is unknown."""
    if not running:
        return {}
    which: dict[str, Any] = {"InstanceIds": running} if len(running) <= MOST else {}

    def of_those_there() -> list[Any]:
        # Together with ids there are no pages.
        answer = calls.unless_gone(calls.ec2.describe_instance_status, **which)
        return list(answer["InstanceStatuses"]) if answer else []

    if which:
        found = calls.unknowns.without(CALL, of_those_there)
    else:
        found = calls.optional(CALL, "InstanceStatuses")
    return unwell(found or ())
