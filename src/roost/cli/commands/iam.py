"""``roost iam``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import cloud_option, file_argument, json_option
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.app.rights import Holder


@click.command("iam")
@file_argument
@cloud_option
@click.option("--region", metavar="REGION", help="Instead of the region that the file names.")
@click.option("--operator", is_flag=True, help="For who may only start, stop and reboot.")
@click.option("--machine", is_flag=True, help="For the role of the machines themselves.")
@json_option
def command(
    target: str | None,
    cloud: str | None,
    region: str | None,
    operator: bool,
    machine: bool,
    as_json: bool,
) -> None:
    """Print the least IAM policy that a file needs, and how to put it in place.

    The policy goes to stdout, the commands to stderr. It allows to change what carries the tag of
    this name, and nothing else. Without a file it is for every name and everything roost can do.
    A file for your own machine gets the policy that it would need on AWS.

    With --machine it is the policy of a role that an administrator makes once for the machines:
    Amazon DCV's licence, and the buckets in [data]. The file names its instance_profile in [aws].

    OpenStack has no policies: for a file on a site it prints the role in the project, and the
    access rules of an application credential, with what these cannot forbid.

    \b
    Examples:
      roost iam examples/pixinsight.toml > roost-pixinsight.json
      roost iam examples/training.toml --operator
      roost iam examples/pixinsight.toml --machine > roost-pixinsight-machine.json
      roost iam --region eu-central-1
      roost iam --cloud openstack --operator
    """
    from roost.app.rights import grant
    from roost.cli.text.rights import as_data, policy_text

    if operator and machine:
        raise UsageError(
            "--machine is for the machines of one file, and not for an operator",
            next="roost iam FILE --machine",
        )
    holder: Holder = "operator" if operator else "machines" if machine else "user"
    granted = grant(open_session(Place(cloud, region)), target, holder)
    if as_json:
        write_json(as_data(granted))
        return
    click.echo(policy_text(granted))
    say("\n" + "\n".join(granted.instructions))
