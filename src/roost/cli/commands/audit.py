"""``roost audit``."""

from __future__ import annotations

import click

from roost.cli.options import CLOUDS, json_option
from roost.cli.output import write_json
from roost.cli.terminal import session as open_session
from roost.errors import PartlyDoneError, UsageError
from roost.model.place import Place


@click.command("audit")
@click.option("--all-regions", is_flag=True, help="Look in every region of the account.")
@click.option("--cloud", type=click.Choice(CLOUDS), help="Look in this cloud only.")
@click.option("--region", metavar="REGION", help="Look in this region only.")
@click.option("--profile", metavar="PROFILE", help="The profile of your AWS credentials.")
@json_option
def command(
    all_regions: bool, cloud: str | None, region: str | None, profile: str | None, as_json: bool
) -> None:
    """List everything of roost's that costs money, with what it costs a month.

    Resources without a record come first. It looks in your configured region and in those that this
    computer has used. What is not roost's and costs while unused (volumes on no machine,
    idle addresses) is a hint at the end; roost never touches it.

    \b
    Examples:
      roost audit
      roost audit --all-regions
      roost audit --all-regions --json | jq .per_month.usd
    """
    from roost.app.audit import audited
    from roost.cli.text.audit import as_data, audit_text

    if all_regions and region is not None:
        raise UsageError("all regions, or one of them?", next="roost audit --all-regions")
    result = audited(open_session(Place(cloud, region, profile)), every=all_regions)
    if as_json:
        write_json(as_data(result.audit, result.inventories))
    else:
        click.echo(audit_text(result.audit, result.inventories))
    if result.unknown:
        raise PartlyDoneError("cannot list " + "; ".join(result.unknown))
