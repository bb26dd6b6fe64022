"""The rights that roost needs at a site, and what an operator's can and cannot be. Pure.

OpenStack has no policies of a user's own. A user has a role in a project; an application
credential can be narrower by access rules, which see the path of a call and not what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.errors import UsageError, command_line
from roost.providers.account import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.model.finding import Finding
    from roost.spec import Spec

ROLE = "member"
CALLS = (
    ("compute", "servers, key pairs, flavors, limits"),
    ("network", "security groups, ports, floating addresses; networks and routers are looked at"),
    ("block-storage", "volumes and snapshots"),
    ("image", "the record of a name, and images of machines"),
    ("identity", "whose project it is"),
)
OPERATORS = (
    ("compute", "GET", "/v2.1/**"),
    ("compute", "POST", "/v2.1/servers/*/action"),
    ("network", "GET", "/v2.0/**"),
    ("block-storage", "GET", "/v3/**"),
    ("image", "GET", "/v2/**"),
)
SERVER = ("compute", "POST", "/v2.1/servers/SERVER-ID/action")
WARNING = (
    "Access rules see the path of a call, and not what it does. Start, stop and reboot are one",
    "path with delete (forceDelete), rebuild and resize: whoever holds this can delete every",
    "server of the project, others' too. Give it only to whom you would give the project. For a",
    "course, the page of the class is the answer: students start and stop there, and hold nothing.",
)


class OpenStackRights:
    """Fulfils ``roost.providers.account.Rights`` with roles and application credentials."""

    def of_user(self, spec: Spec | None, region: str | None) -> Grant:
        """Return the role of a roost user, and what each service is called for."""
        del region
        title = f"roost-{spec.name}" if spec else "roost"
        add = command_line("openstack", "role", "add", "--project", "PROJECT", "--user", "USER")
        make = _create(title)
        return Grant(
            title=title,
            policy={"roles": [ROLE]},
            commands=(f"{add} {ROLE}", make),
            instructions=(
                f'roost needs the role "{ROLE}" in one project, and nothing of an administrator.',
                "A manager of the project types:",
                f"  {add} {ROLE}",
                "So that no password is in clouds.yaml, you then type (EGI's sites may refuse it):",
                f"  {make}",
            ),
            calls=tuple(
                {"action": service, "for": what, "limit": "the project", "because": None}
                for service, what in CALLS
            ),
        )

    def of_operator(self, spec: Spec | None, region: str | None) -> Grant:
        """Return the access rules with which one can look, start, stop and reboot.

        They cannot be as narrow as that: what else they allow is in the instructions.
        """
        del region
        title = f"roost-{spec.name}-operator" if spec else "roost-operator"
        return _limited(title, OPERATORS, WARNING)

    def limited_on_machines(self, spec: Spec, region: str | None) -> Grant:
        """Return the right of a machine to end its own costs, where the file wants it to.

        roost makes it for the machines of a name, and brings it by ssh. Raises UsageError where
        the machines only power off, which needs no right.
        """
        del region
        if spec.openstack.guard != "shelve":
            raise UsageError(
                "these machines power off by themselves, and need no right for it",
                next='guard = "shelve" in [openstack]   (ends what a machine that is off costs)',
            )
        about = (
            "roost makes one itself, with a rule for each server of the name (each seat of a class",
            "has its own, for its server only), and brings it by ssh, for root. Root of these",
            "machines can thus also rebuild or delete them.",
        )
        return _limited(f"roost-{spec.name}-machine", (SERVER,), about)

    def warnings(self, spec: Spec, file: str) -> tuple[Finding, ...]:
        """Return nothing: no file needs more than the role."""
        del spec, file
        return ()


def _limited(title: str, rules: tuple[tuple[str, str, str], ...], about: tuple[str, ...]) -> Grant:
    document: Mapping[str, Any] = {
        "roles": [ROLE],
        "access_rules": [
            {"service": service, "method": method, "path": path} for service, method, path in rules
        ],
    }
    make = _create(title, "--access-rules", f"{title}.rules.json")
    keep = f"jq .access_rules {title}.json > {title}.rules.json"
    return Grant(
        title=title,
        policy=document,
        commands=(keep, make),
        instructions=(*about, f"With this saved as {title}.json:", f"  {keep}", f"  {make}"),
    )


def _create(title: str, *more: str) -> str:
    return command_line(
        "openstack", "application", "credential", "create", "--role", ROLE, *more, title
    )
