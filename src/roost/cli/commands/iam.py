"""``roost iam``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import file_argument, json_option
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.spec import Spec


@click.command("iam")
@file_argument
@click.option("--region", metavar="REGION", help="Instead of the region that the file names.")
@click.option("--operator", is_flag=True, help="For who may only start, stop and reboot.")
@click.option("--machine", is_flag=True, help="For the role of the machines themselves.")
@json_option
def command(
    target: str | None, region: str | None, operator: bool, machine: bool, as_json: bool
) -> None:
    """Print the least IAM policy that a file needs, and how to put it in place.

    The policy goes to stdout, the commands to stderr. It allows to change what carries the tag of
    this name, and nothing else. Without a file it is for every name and everything roost can do.

    With --machine it is the policy of a role that an administrator makes once for the machines:
    Amazon DCV's licence, and the buckets in [data]. The file names its instance_profile in [aws].

    \b
    Examples:
      roost iam examples/pixinsight.toml > roost-pixinsight.json
      roost iam examples/training.toml --operator
      roost iam examples/pixinsight.toml --machine > roost-pixinsight-machine.json
      roost iam --region eu-central-1
    """
    from roost.providers.aws.permissions import (
        ANY,
        NEEDS,
        calls_for,
        needs_of,
        operator_policy,
        policy,
        profile_of,
    )

    spec = _spec(target, region)
    if machine:
        _of_the_machines(spec, region, operator, as_json)
        return
    name = spec.name if spec else ANY
    where = region or (spec.aws.region if spec and spec.aws else None)
    needs = needs_of(spec) if spec else NEEDS
    adopted = [v.id for v in spec.volumes if v.id] if spec else []
    profile = profile_of(spec) if spec else None
    found = (
        operator_policy(name, where) if operator else policy(name, where, needs, adopted, profile)
    )
    title = f"roost-{name}" if spec else "roost"
    if operator:
        title += "-operator"
    users = spec.access.operators if spec and operator else ()
    if as_json:
        calls = () if operator else calls_for(needs, profile)
        write_json(
            {
                "name": title,
                "policy": found,
                "commands": commands(title, users),
                "calls": [
                    {"action": c.action, "for": c.verbs, "limit": c.limit, "because": c.by or None}
                    for c in calls
                ],
            }
        )
        return
    click.echo(json.dumps(found, indent=2))
    for line in _how(title, users):
        say(line)


def _of_the_machines(spec: Spec | None, region: str | None, operator: bool, as_json: bool) -> None:
    """Policy and trust of the machines' role, and the commands that make it."""
    from roost.providers.aws.machine_role import TRUST, commands, machine_policy, name_of
    from roost.providers.aws.permissions import profile_of

    if spec is None or operator:
        raise UsageError(
            "--machine is for the machines of one file", next="roost iam FILE --machine"
        )
    place = region or (spec.aws.region if spec.aws else "")
    found = machine_policy(spec, place)
    if found is None:
        raise UsageError(
            f'the machines of {spec.name} need no role: it has neither protocol = "dcv" nor [data]'
        )
    profile = profile_of(spec) or f"roost-{spec.name}-machine"
    title = name_of(profile)
    made = commands(profile, f"{title}.json")
    if as_json:
        write_json({"name": title, "policy": found, "trust": TRUST, "commands": made, "calls": []})
        return
    click.echo(json.dumps(found, indent=2))
    for line in _how_the_role(title, made, named=profile_of(spec) is not None):
        say(line)


def _how_the_role(title: str, made: list[str], *, named: bool) -> list[str]:
    return [
        "",
        f"With this policy saved as {title}.json, an administrator of the account types once:",
        *(f"  {line}" for line in made),
        *([] if named else [f'and in the file, in [aws]:  instance_profile = "{title}"']),
        "Whoever works on a machine can do what its role can. Where a bucket is encrypted with a",
        "KMS key of yours, the role needs kms:Decrypt for that key too; to write, also",
        "kms:GenerateDataKey.",
    ]


def _spec(target: str | None, region: str | None) -> Spec | None:
    from roost.app.resolve import spec_of

    session = open_session(Place(cloud="aws", region=region))
    return spec_of(session, target) if target else None


def commands(title: str, users: tuple[str, ...] = ()) -> list[str]:
    """The aws commands from the policy in ``TITLE.json`` to a key of a user that has it."""
    made = [] if users else ["aws iam create-user --user-name roost"]
    attached = [
        command_line("aws", "iam", "attach-user-policy", "--user-name", user) + " --policy-arn $ARN"
        for user in users or ("roost",)
    ]
    keys = [] if users else ["aws iam create-access-key --user-name roost"]
    create = command_line(
        "aws",
        "iam",
        "create-policy",
        "--policy-name",
        title,
        "--policy-document",
        f"file://{title}.json",
    )
    return [f"ARN=$({create} --query Policy.Arn --output text)", *made, *attached, *keys]


def _how(title: str, users: tuple[str, ...]) -> list[Any]:
    return [
        "",
        "No account yet: https://aws.amazon.com, Create an AWS Account (it asks for a card).",
        f"Then, with this policy saved as {title}.json, where an administrator of the account is",
        "signed in (https://console.aws.amazon.com/cloudshell needs nothing installed):",
        *(f"  {line}" for line in commands(title, users)),
        *([] if users else ["and here, with the two parts of the key:  aws configure"]),
        "Later changes: "
        + command_line(
            *("aws", "iam", "create-policy-version", "--policy-document", f"file://{title}.json"),
            "--set-as-default",
        )
        + " --policy-arn $ARN",
    ]
