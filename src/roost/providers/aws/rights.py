"""The rights that roost needs on AWS, as IAM policies, and how to put them in place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import UsageError, command_line
from roost.providers.account import Grant
from roost.providers.aws import machine_role
from roost.providers.aws.permissions import (
    NEEDS,
    calls_for,
    needs_of,
    operator_policy,
    policy,
    profile_of,
)
from roost.providers.aws.statements import ANY

if TYPE_CHECKING:
    from roost.model.finding import Finding
    from roost.spec import Spec

USER = "roost"
"""The IAM user that the printed commands make."""


class AwsRights:
    """Fulfils ``roost.providers.account.Rights`` with IAM policies."""

    def of_user(self, spec: Spec | None, region: str | None) -> Grant:
        """Return the least policy of a roost user, and the purpose of each of its calls."""
        needs = needs_of(spec) if spec else NEEDS
        adopted = [volume.id for volume in spec.volumes if volume.id] if spec else []
        profile = profile_of(spec) if spec else None
        name, title = (spec.name, f"roost-{spec.name}") if spec else (ANY, "roost")
        key = spec.aws.kms_key if spec and spec.aws else None
        others = (spec.rehearsal,) if spec and spec.kind == "classroom" else ()
        where = _region(spec, region)
        document = policy(name, where, needs, adopted, profile, key, others=others)
        if spec is not None:
            document["Statement"] += machine_role.parked_statements(
                spec, _region(spec, region) or ""
            )
            document["Statement"] += machine_role.session_statements(
                spec, _region(spec, region) or ""
            )
        return Grant(
            title=title,
            policy=document,
            commands=tuple(commands(title)),
            instructions=_instructions(title, ()),
            calls=tuple(
                {"action": c.action, "for": c.verbs, "limit": c.limit, "because": c.by or None}
                for c in calls_for(needs, profile)
            ),
        )

    def of_operator(self, spec: Spec | None, region: str | None) -> Grant:
        """Return the policy to start, stop and reboot, for the file's operators or a new user."""
        name, title = (spec.name, f"roost-{spec.name}") if spec else (ANY, "roost")
        title += "-operator"
        users = spec.access.operators if spec else ()
        return Grant(
            title=title,
            policy=operator_policy(name, _region(spec, region)),
            commands=tuple(commands(title, users)),
            instructions=_instructions(title, users),
        )

    def limited_on_machines(self, spec: Spec, region: str | None) -> Grant:
        """Return the policy of the machines' role, who may take it, and the commands that make it.

        Raises UsageError where they need no role.
        """
        document = machine_role.machine_policy(spec, _region(spec, region) or "")
        if document is None:
            raise UsageError(
                f"the machines of {spec.name} need no role: it has neither "
                'protocol = "dcv" nor [data], and reach is not "ssm"'
            )
        profile = profile_of(spec)
        title = machine_role.name_of(profile or f"roost-{spec.name}-machine")
        lines = machine_role.commands(profile or title, f"{title}.json")
        return Grant(
            title=title,
            policy=document,
            commands=tuple(lines),
            instructions=_role_instructions(title, lines, named=profile is not None),
            trust=machine_role.TRUST,
        )

    def warnings(self, spec: Spec, file: str) -> tuple[Finding, ...]:
        """Return the finding for a role that the machines need and the file does not name."""
        needed = machine_role.needs_profile(spec)
        return (machine_role.missing(spec, file),) if needed else ()


def _region(spec: Spec | None, region: str | None) -> str | None:
    return region or (spec.aws.region if spec and spec.aws else None)


def commands(title: str, users: tuple[str, ...] = ()) -> list[str]:
    """Return the aws commands from the policy in ``TITLE.json`` to the key of a user with it."""
    attached = [
        command_line("aws", "iam", "attach-user-policy", "--user-name", user) + " --policy-arn $ARN"
        for user in users or (USER,)
    ]
    create = command_line(
        *("aws", "iam", "create-policy", "--policy-name", title),
        *("--policy-document", f"file://{title}.json"),
    )
    policy_arn = f"ARN=$({create} --query Policy.Arn --output text)"
    if users:
        return [policy_arn, *attached]
    make = command_line("aws", "iam", "create-user", "--user-name", USER)
    key = command_line("aws", "iam", "create-access-key", "--user-name", USER)
    return [policy_arn, make, *attached, key]


def _instructions(title: str, users: tuple[str, ...]) -> tuple[str, ...]:
    change = command_line(
        *("aws", "iam", "create-policy-version", "--policy-document", f"file://{title}.json"),
        "--set-as-default",
    )
    return (
        "No account yet: https://aws.amazon.com, Create an AWS Account (it asks for a card).",
        f"Then, with this policy saved as {title}.json, where an administrator of the account is",
        "signed in (https://console.aws.amazon.com/cloudshell needs nothing installed):",
        *(f"  {line}" for line in commands(title, users)),
        *(() if users else ("and here, with the two parts of the key:  aws configure",)),
        f"Later changes: {change} --policy-arn $ARN",
    )


def _role_instructions(title: str, lines: list[str], *, named: bool) -> tuple[str, ...]:
    return (
        f"With this policy saved as {title}.json, an administrator of the account types once:",
        *(f"  {line}" for line in lines),
        *(() if named else (f'and in the file, in [aws]:  instance_profile = "{title}"',)),
        "Whoever works on a machine can do what its role can. Where a bucket is encrypted with a",
        "KMS key of yours, the role needs kms:Decrypt for that key too; to write, also",
        "kms:GenerateDataKey.",
    )
