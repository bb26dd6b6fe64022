"""Audit and doctor: the work on an AWS account as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from roost.errors import AccessError, RoostError, UsageError, command_line
from roost.model.finding import Finding, judge_installed

if TYPE_CHECKING:
    from roost.cost.inventory import Inventory
    from roost.model.place import Place
    from roost.model.resources import State
    from roost.spec import Spec

HOME_REGION = "us-east-1"
"""Every account has it: there it can be asked which others are switched on."""


class AwsAuditor:
    """The audit of an account's regions."""

    def regions(self, place: Place, *, every: bool) -> tuple[str, ...]:
        """Return the named region, all that are switched on, or those in use. Raises UsageError."""
        from roost.providers.aws import audit, session

        if place.region is not None:
            return (place.region,)
        if every:
            return audit.regions(session.Clients(session.open_session(place.profile), HOME_REGION))
        used = session.regions(place.profile)
        if not used:
            raise UsageError(
                "which AWS region?", next="roost audit --all-regions   (or: --region eu-central-1)"
            )
        return used

    def look(self, regions: tuple[str, ...], place: Place) -> tuple[Inventory, ...]:
        """Return all of roost's resources in these regions, asked for side by side."""
        from roost.providers.aws import audit, session

        opened = session.open_session(place.profile)
        clients = {region: session.Clients(opened, region) for region in regions}
        for of_region in clients.values():
            of_region("ec2")  # boto3's session makes clients in one thread only
        return audit.sweep_all(clients.__getitem__, regions)


class AwsDoctor:
    """The checks of credentials, region, network, quotas, permissions."""

    def installed(self) -> Iterator[Finding]:
        """Yield the finding for boto3."""
        from importlib.util import find_spec

        there = find_spec("boto3") is not None
        yield judge_installed(
            "boto3", "is installed" if there else None, "pip install 'roost[aws]'"
        )

    def examine(
        self, spec: Spec | None, place: Place, file: str | None, observe: Callable[[], State] | None
    ) -> Iterator[Finding]:
        """Yield the findings; those that a file needs only where the account is in order."""
        from roost.providers.aws.account_checks import examine_account
        from roost.providers.aws.session import Clients, open_session

        said = spec.aws if spec else None
        try:
            opened = open_session(place.profile or (said.profile if said else None))
        except RoostError as error:
            yield _credentials(error, access=isinstance(error, AccessError))
            return
        region = place.region or (said.region if said else None) or opened.region_name
        if region is None:
            yield Finding(
                check="region",
                verdict="unknown",
                text="neither the options nor your AWS configuration name a region",
                mend="--region eu-central-1   (or: aws configure set region eu-central-1)",
            )
            return
        clients = Clients(opened, region)
        home = Clients(opened, HOME_REGION) if region != HOME_REGION else None
        account = list(examine_account(clients, region, home=home))
        yield from account
        if (
            spec is not None
            and observe is not None
            and not any(one.verdict == "problem" for one in account)
        ):
            yield from _examine_file(clients, spec, region, file or spec.name, observe)


def _credentials(error: RoostError, *, access: bool) -> Finding:
    return Finding(
        check="credentials", verdict="problem", text=error.what, mend=error.next, access=access
    )


def _examine_file(
    clients: Any, spec: Spec, region: str, file: str, observe: Callable[[], State]
) -> Iterator[Finding]:
    from roost.model.host import Host
    from roost.plan.wanted import wanted_of
    from roost.providers.aws.doctor import Case, examine_case

    try:
        have = observe()
    except AccessError as error:
        yield Finding(
            check="permission",
            verdict="problem",
            text=error.what,
            mend=error.next or command_line("roost", "iam", file),
            access=True,
        )
        return
    wanted = wanted_of(spec, Host(0, 0))
    if "me" in (*spec.access.ssh, *spec.access.https):
        yield _own_address()
    yield from examine_case(
        clients, Case(spec=spec, wanted=wanted, have=have, region=region, file=file)
    )


def _own_address() -> Finding:
    """Judge whether "me" is an address that can be let in."""
    from roost.providers.aws.session import own_address

    try:
        return Finding(check="address", verdict="ok", text=f'"me" is {own_address()}')
    except RoostError as error:
        return Finding(check="address", verdict="problem", text=error.what, mend=error.next)
