"""``roost ssh-config``."""

from __future__ import annotations

import click

from roost.cli.options import Name, place_options, yes_options
from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place


@click.command("ssh-config")
@click.argument("name", required=False, type=Name())
@click.option("--install", is_flag=True, help="Add roost's line to your ~/.ssh/config.")
@click.option("--remove", is_flag=True, help="Take roost's line out of your ~/.ssh/config.")
@place_options
@yes_options
def command(
    name: str | None, install: bool, remove: bool, place: Place, yes: bool, no_input: bool
) -> None:
    """Print the OpenSSH configuration of a name; make `ssh roost-NAME` and editors know it.

    --install adds one Include line at the top of ~/.ssh/config, once for all names. From then on
    `ssh roost-NAME`, `ssh roost-NAME-NODE`, scp, rsync and editors find your machines. Every
    command of roost that looks at a machine writes its address anew.

    \b
    Examples:
      roost ssh-config ndvi
      roost ssh-config --install
      roost ssh-config --remove
    """
    from roost.app import ssh_config

    if install and remove:
        raise UsageError("--install or --remove, not both")
    if name is None and not install and not remove:
        raise UsageError("of which name?", next="roost ssh-config NAME   (or --install)")
    session = open_session(place, yes=yes, no_input=no_input)
    if install:
        ssh_config.install(session)
    if remove:
        ssh_config.remove(session)
    if name is not None:
        click.echo(ssh_config.configuration(session, name), nl=False)
