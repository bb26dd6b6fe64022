"""``roost image copy``."""

from __future__ import annotations

import click

from roost.cli.commands.image.options import ImageName, image_argument
from roost.cli.options import json_option, yes_options
from roost.cli.terminal import session
from roost.model.place import Place


@click.command("copy")
@image_argument
@click.option("--region", required=True, metavar="REGION", help="Where the copy goes.")
@click.option("--from", "source", metavar="REGION", help="Where the image is, if in several.")
@click.option(
    "--as", "name", type=ImageName(), metavar="IMAGE", help="The copy's name, if another one."
)
@click.option("--key", metavar="KEY", help="Encrypted by this KMS key (id, ARN or alias).")
@click.option(
    "--profile",
    metavar="PROFILE",
    help="The profile of your AWS credentials, or the entry of clouds.yaml.",
)
@json_option
@yes_options
def command(  # noqa: PLR0913 - one parameter for each option
    image: str,
    region: str,
    source: str | None,
    name: str | None,
    key: str | None,
    profile: str | None,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Copy an image to another region (or here, with another key), and wait until it is there.

    What it costs is said and asked first. AWS also charges what is sent between regions.

    \b
    Examples:
      roost image copy scipion --region us-east-1
      roost image copy scipion --as scipion-shared --region eu-central-1 --key alias/our-key
    """
    from roost.cli.text.image import show
    from roost.images.library import copy

    asked = session(Place(None, source, profile), yes=yes, no_input=no_input)
    show(copy(asked, image, region, new=name, key=key), as_json)
