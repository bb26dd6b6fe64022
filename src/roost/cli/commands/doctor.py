"""``roost doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import file_argument, json_option, place_options
from roost.cli.output import read_or_not, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.finding import Finding


@click.command("doctor")
@file_argument
@place_options
@json_option
def command(target: str | None, place: Place, as_json: bool) -> None:
    """Check what `roost up` needs, before anything is made: one line for each check.

    Programs, credentials, clock, region, network, machine types, images, quotas, the machines'
    role, permissions. Nothing is created or changed. A problem comes with the command or page
    that fixes it; a "warning", and what cannot be found out ("unknown"), prevent nothing. The exit
    code is 0 without problems, 5 where the account must allow something, 1 for others.

    \b
    Examples:
      roost doctor                          this computer and its AWS credentials
      roost doctor examples/scipion.toml    and all that the file needs
      roost doctor examples/ndvi.toml --cloud aws --json
    """
    from roost.app.doctor import examine
    from roost.cli.text.doctor import as_data, finding_text

    findings: list[Finding] = []
    for finding in examine(open_session(place), target):
        findings.append(finding)
        if not as_json:
            with read_or_not():
                click.echo(finding_text(finding))
    if as_json:
        write_json(as_data(findings))
    problems = [finding for finding in findings if finding.verdict == "problem"]
    if problems:
        raise click.exceptions.Exit(5 if any(one.access for one in problems) else 1)
