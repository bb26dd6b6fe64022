"""``roost doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import file_argument, json_option, place_options
from roost.cli.output import read_or_not, write_json
from roost.cli.terminal import session as open_session
from roost.errors import AccessError
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.finding import Finding
    from roost.model.resources import State
    from roost.session import Session
    from roost.spec import Spec

COLORS = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "yellow"}


@click.command("doctor")
@file_argument
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

    from roost.providers.aws.doctor import examine_here
    from roost.providers.registry import providers

    session = open_session(place)
    has_boto3 = find_spec("boto3") is not None
    spec, trouble = _spec(session, target)
    local = spec is not None and spec.cloud == "local"
    yield from examine_here(shutil.which, lambda name: find_spec(name) is not None, aws=not local)
    if trouble is not None:
        yield trouble
        return
    for provider in providers(spec.cloud if spec else place.cloud):
        if provider.doctor is not None and has_boto3:
            look = partial(_observe, session, spec) if spec else None
            yield from provider.doctor.examine(spec, place, target, look)


def _observe(session: Session, spec: Spec) -> State:
    from roost.app.resolve import connect

    return connect(session, spec).observe(spec.name)


def _spec(session: Session, target: str | None) -> tuple[Spec | None, Finding | None]:
    """The spec of the target; or what kept the cloud from giving it."""
    from roost.app.resolve import spec_of
    from roost.model.finding import Finding

    if target is None:
        return None, None
    try:
        return spec_of(session, target), None
    except AccessError as error:
        return None, Finding(
            check="credentials", verdict="problem", text=error.what, mend=error.next, access=True
        )
