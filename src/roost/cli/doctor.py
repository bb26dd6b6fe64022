"""``roost doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import Place, json_option, place_options
from roost.cli.output import read_or_not, write_json
from roost.errors import AccessError, RoostError, command_line

if TYPE_CHECKING:
    from roost.clouds.aws.quotas import Finding
    from roost.spec import Spec

COLORS = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "yellow"}


@click.command("doctor")
@click.argument("target", metavar="[FILE|NAME]", required=False, type=click.Path())
@place_options
@json_option
def command(target: str | None, place: Place, as_json: bool) -> None:
    """Check what `roost up` needs, before anything is made: one line for each check.

    Programs, credentials, clock, region, network, machine types, images, quotas, the machines'
    role, permissions. Nothing is created or changed. What is a problem comes with the command or
    page that mends it; a "warning", and what cannot be found out ("unknown"), stop nobody. The exit
    code is 0 without problems, 5 where the account must allow something, 1 for others.

    \b
    Examples:
      roost doctor                          this computer and its AWS credentials
      roost doctor examples/scipion.toml    and all that the file needs
      roost doctor examples/ndvi.toml --cloud aws --json
    """
    found: list[Finding] = []
    for one in _findings(target, place):
        found.append(one)
        if not as_json:
            with read_or_not():
                click.echo(_line(one))
    problems = [one for one in found if one.verdict == "problem"]
    if as_json:
        write_json({"ok": not problems, "checks": [_as_json(one) for one in found]})
    if problems:
        raise click.exceptions.Exit(5 if any(one.access for one in problems) else 1)


def _line(one: Finding) -> str:
    verdict = click.style(f"{one.verdict:8}", fg=COLORS[one.verdict])
    mend = f"\n{'':22}-> {one.mend}" if one.mend else ""
    return f"{verdict} {one.check:12} {one.text}{mend}"


def _as_json(one: Finding) -> dict[str, Any]:
    return {"check": one.check, "verdict": one.verdict, "text": one.text, "mend": one.mend}


def _findings(target: str | None, place: Place) -> Iterator[Finding]:
    import shutil
    from importlib.util import find_spec

    from roost.clouds.aws.doctor import examine_here

    has_boto3 = find_spec("boto3") is not None
    spec, trouble = _spec(target, place)
    local = spec is not None and spec.cloud == "local"
    yield from examine_here(shutil.which, lambda name: find_spec(name) is not None, aws=not local)
    if trouble is not None:
        yield trouble
    elif has_boto3 and not local:
        yield from _on_aws(spec, place, target)


def _spec(target: str | None, place: Place) -> tuple[Spec | None, Finding | None]:
    """The spec of the target; or what kept the cloud from giving it."""
    from roost.cli.target import spec_of
    from roost.clouds.aws.quotas import Finding

    if target is None:
        return None, None
    try:
        return spec_of(target, place), None
    except AccessError as error:
        return None, Finding(
            check="credentials", verdict="problem", text=error.what, mend=error.next, access=True
        )


def _on_aws(spec: Spec | None, place: Place, target: str | None) -> Iterator[Finding]:
    from roost.clouds.aws.doctor import examine_account
    from roost.clouds.aws.quotas import Finding
    from roost.clouds.aws.session import Clients, open_session

    said = spec.aws if spec else None
    try:
        session = open_session(place.profile or (said.profile if said else None))
    except RoostError as error:
        access = isinstance(error, AccessError)
        yield Finding(
            check="credentials", verdict="problem", text=error.what, mend=error.next, access=access
        )
        return
    region = place.region or (said.region if said else None) or session.region_name
    if region is None:
        yield Finding(
            check="region",
            verdict="unknown",
            text="neither the options nor your AWS configuration name a region",
            mend="--region eu-central-1   (or: aws configure set region eu-central-1)",
        )
        return
    clients = Clients(session, region)
    account = list(examine_account(clients, region))
    yield from account
    if spec is not None and not any(one.verdict == "problem" for one in account):
        yield from _case(clients, spec, place, region, target)


def _case(
    clients: Any, spec: Spec, place: Place, region: str, target: str | None
) -> Iterator[Finding]:
    from roost.cli.target import connect, wanted_for
    from roost.clouds.aws.doctor import Case, examine_case
    from roost.clouds.aws.quotas import Finding

    try:
        have = connect(spec, place).observe(spec.name)
    except AccessError as error:
        yield Finding(
            check="permission",
            verdict="problem",
            text=error.what,
            mend=error.next or command_line("roost", "iam", target or spec.name),
            access=True,
        )
        return
    file = target or spec.name
    wanted = wanted_for(spec)
    case = Case(spec=spec, wanted=wanted, have=have, region=region, file=file)
    yield from examine_case(clients, case)
