"""``roost schema``."""

from __future__ import annotations

import click

from roost.cli.output import write_json


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the file, so that an editor can complete and check it.

    \b
    Example:
      roost schema > roost.schema.json
    """
    from roost.spec.schema import json_schema

    write_json(json_schema())
