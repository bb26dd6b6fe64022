"""``roost cost``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("cost")
@name_argument
@place_options
@click.option("--billed", is_flag=True, help="Ask the account's bill too (AWS charges $0.01).")
@json_option
def command(name: str, place: Place, billed: bool, as_json: bool) -> None:
    """Say what it has cost so far, costs an hour now, and will have cost by its end time.

    The end time and the budget are those that its machines keep to. By the shipped price list,
    before tax. It is counted from what the cloud describes and from a
    history in tags; where nobody knows when something ended, it says "between".

    With --billed, also what the account was billed for it in the last months, with what your
    contract gives, and without tax: by the tag "roost", which must be a cost allocation tag.

    \b
    Examples:
      roost cost ndvi
      roost cost ndvi --billed
      roost cost ndvi --json | jq .spent.most.usd
    """
    from roost.app.cost import cost_report
    from roost.cli.text.cost import as_data, cost_text, percent_text

    report = cost_report(open_session(place), name, billed=billed)
    if as_json:
        write_json(as_data(report))
    elif not report.cloud.can.rents:
        click.echo("It costs nothing: it is your own machine.")
    else:
        click.echo(cost_text(report))
    if report.budget is not None and report.budget.state != "within":
        say(f"roost: {name} has used {percent_text(report.budget)} of its budget")
