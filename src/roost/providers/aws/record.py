"""The launch template that keeps the record of a name; its tags outlive the machines."""

from __future__ import annotations

from typing import Any

from roost.providers.aws import requests
from roost.providers.aws.client import Calls


def template(calls: Calls, name: str) -> dict[str, Any] | None:
    """Return the template as EC2 describes it, with its ``Tags``; None: there is no record."""
    answer = calls.unless_gone(
        calls.ec2.describe_launch_templates, LaunchTemplateNames=[requests.template_name(name)]
    )
    if not answer or not answer["LaunchTemplates"]:
        return None
    found: dict[str, Any] = answer["LaunchTemplates"][0]
    return {"Tags": [], **found}
