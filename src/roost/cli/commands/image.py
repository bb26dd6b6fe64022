"""``roost image``: machines as images, so that the next one starts with its set-up done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from roost.cli.options import Name, json_option, name_argument, place_options, yes_options
from roost.cli.output import say, table, write_json
from roost.cli.terminal import session as open_session
from roost.errors import NeedsConfirmationError, NotFoundError, UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from roost.cost.rates import Section
    from roost.model.resources import Instance, State
    from roost.providers.aws.images.bake import Bakery
    from roost.providers.aws.images.baked import BakedImage, Shelf
    from roost.providers.provider import Baker
    from roost.session import Session
    from roost.spec import Spec

FIRST = ("desktop", "head", "seat", "worker")
"""Of which role the machine is that is baked, if none is named."""


class ImageName(Name):
    """The name of an image."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises UsageError where it is no name for one."""
        del ctx
        if isinstance(param, click.Argument):
            return _image_name(value, "roost image ls   (shows every image)")
        return _image_name(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Only AWS knows the images, and it is not asked for a completion."""
        del ctx, param, incomplete
        return []


@click.group("image")
def command() -> None:
    """Make images of machines, so that the next ones start with their set-up done.

    `roost up` starts from an image by itself where one holds what the file wants installed. An
    image costs what a snapshot of its disk costs, until `roost image rm`.

    \b
    Examples:
      roost image bake scipion
      roost image ls
      roost image copy scipion --region us-east-1
    """


# --- bake ----------------------------------------------------------------------------------------


@command.command("bake")
@name_argument
@click.option("--node", metavar="NODE", help="Which of its instances, if not the first.")
@click.option(
    "--as",
    "image",
    type=ImageName(),
    metavar="IMAGE",
    help="The image's name, if not the machine's.",
)
@place_options
@json_option
@yes_options
def bake(
    name: str,
    node: str | None,
    image: str | None,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Make an image of a machine, with nothing personal in it.

    The machine is stopped while its disk is copied, and started again if it ran; nothing on it is
    changed. A small helper made from the copy, which nobody can reach, erases licences, keys,
    histories and who may log in; only then the image is made, and helper and copy go. Data volumes
    are not in it. An older image of the same name goes when the new one is completed. Killed
    anywhere, the same command goes on.

    \b
    Examples:
      roost image bake scipion
      roost image bake ndvi --node worker-1 --as ndvi-worker --yes
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.resolve import held, locate, recorded
    from roost.providers.provider import need

    cloud = locate(session, name)
    baker = need(cloud.can.images, "make an image", cloud)
    with held(session, cloud, name):
        spec, state = recorded(cloud, name)
        instance = _instance(state, node)
        bakery = _bakery(baker, spec, instance, _image_name(image or _default(name, instance)))
        _confirm(session, bakery, state, instance)
        made = bakery.bake()
    _show(made, cloud.region, as_json)


def _instance(state: State, node: str | None) -> Instance:
    """The one that was named, or the first. Raises NotFoundError, UsageError."""
    there = [i for i in state.instances if i.state != "deleting"]
    if not there:
        raise NotFoundError(
            f"{state.name} has no machine now, so there is nothing to make an image of",
            exists=state.conditions,
            next=command_line("roost", "up", state.name),
        )
    found = sorted(there, key=lambda i: FIRST.index(i.role))[0]
    if node is not None:
        named = [i for i in there if i.name == node]
        if not named:
            names = ", ".join(i.name for i in there)
            raise NotFoundError(f"{state.name} has no instance {node} (there are: {names})")
        found = named[0]
    if found.shape.spot:
        raise UsageError(
            f"{found.name} is a spot machine, which cannot be stopped",
            next="spot = false in the file, for as long as it takes to make the image",
        )
    return found


def _default(name: str, instance: Instance) -> str:
    """Workers install other things than their head, so theirs is another image."""
    return f"{name}-worker" if instance.role == "worker" else name


def _image_name(image: str, next: str = "--as my-image") -> str:  # noqa: A002
    from roost.home import NAME_RULE, SHOWN, is_name

    if not is_name(image):
        raise UsageError(f'"{image[:SHOWN]}" is no name for an image ({NAME_RULE})', next=next)
    return image


def _bakery(baker: Baker, spec: Spec, instance: Instance, image: str) -> Bakery:
    from roost.providers.aws.images.steps import Job
    from roost.recipes.digest import recipe_digest, system_of

    job = Job(
        image=image,
        instance=instance.id,
        made_from=f"{spec.name} {instance.name}",
        recipe=recipe_digest(spec, instance.role),
        system=system_of(spec, instance.role),
        users=spec.tags,
        aws=spec.aws,
    )
    bakery: Bakery = baker.bakery(job, say)
    return bakery


def _confirm(session: Session, bakery: Bakery, state: State, instance: Instance) -> None:
    """A machine that runs is stopped only after a yes; it may be copied already."""

    if instance.state not in ("running", "pending") or bakery.look().sources:
        return
    refused = NeedsConfirmationError(
        f"{instance.name} is {instance.state}, and has to be stopped while its disk is copied",
        exists=state.conditions,
        next=command_line("roost", "image", "bake", state.name, "--yes"),
    )
    question = f"Stop {instance.name}, and start it again when its disk is copied?"
    session.consent.ask(question, refused)


# --- ls ------------------------------------------------------------------------------------------


def where(function: Callable[..., Any]) -> Callable[..., Any]:
    """--region and --profile."""
    for option, text in (
        ("--profile", "The profile of your AWS credentials."),
        ("--region", "The AWS region that it is in; without it, all that roost has used."),
    ):
        function = click.option(option, metavar=option[2:].upper(), help=text)(function)
    return function


@command.command("ls")
@where
@json_option
def list_(region: str | None, profile: str | None, as_json: bool) -> None:
    """List the baked images, and what each of them costs a month.

    \b
    Examples:
      roost image ls
      roost image ls --region us-east-1 --json
    """
    shelves = _shelves(region, profile)
    found = [(one, shelf.region) for shelf in shelves for one in shelf.all()]
    for shelf in shelves:
        for half in shelf.half_made():
            say(f"half made in {shelf.region}: {half}; `roost image bake` goes on with it")
    if as_json:
        write_json([_as_json(one, place) for one, place in found])
    elif found:
        click.echo(_table(found))
        say("what is stored is at most its size; prices without tax")
    else:
        say(f"no baked image is in {', '.join(shelf.region for shelf in shelves)}")


def _shelves(region: str | None, profile: str | None) -> tuple[Shelf, ...]:
    """Return the images of each region to look in. Raises UsageError where there is none."""
    from roost.app.resolve import clouds

    among = clouds(open_session(Place(None, region, profile)))
    found = tuple(cloud.can.images.shelf() for cloud in among if cloud.can.images is not None)
    if not found:
        raise UsageError("which AWS region?", next="--region eu-central-1")
    return found


def _found(name: str, region: str | None, profile: str | None) -> tuple[Shelf, BakedImage]:
    """The one image of that name. Raises NotFoundError, or UsageError where two regions have it."""
    from roost.providers.aws.images.baked import only

    images = {shelf: shelf.all() for shelf in _shelves(region, profile)}
    having = [shelf for shelf, found in images.items() if any(i.name == name for i in found)]
    if len(having) > 1:
        command = click.get_current_context().command_path
        raise UsageError(
            f"image {name} is in {' and in '.join(shelf.region for shelf in having)}",
            next=command_line(*command.split(), name, "...", _region_option(), having[0].region),
        )
    among = having or list(images)
    found = [image for shelf in among for image in images[shelf]]
    return among[0], only(found, name, ", ".join(shelf.region for shelf in among))


def _region_option() -> str:
    return "--from" if click.get_current_context().info_name == "copy" else "--region"


# --- copy, share, rm -----------------------------------------------------------------------------


@command.command("copy")
@click.argument("image", type=ImageName())
@click.option("--region", required=True, metavar="REGION", help="Where the copy goes.")
@click.option("--from", "source", metavar="REGION", help="Where the image is, if in several.")
@click.option(
    "--as", "name", type=ImageName(), metavar="IMAGE", help="The copy's name, if another one."
)
@click.option("--key", metavar="KEY", help="Encrypted by this KMS key (id, ARN or alias).")
@click.option("--profile", metavar="PROFILE", help="The profile of your AWS credentials.")
@json_option
def copy(
    image: str,
    region: str,
    source: str | None,
    name: str | None,
    key: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Copy an image to another region (or here, with another key), and wait until it is there.

    AWS charges what is sent between regions.

    \b
    Examples:
      roost image copy scipion --region us-east-1
      roost image copy scipion --as scipion-shared --region eu-central-1 --key alias/our-key
    """
    shelf, found = _found(image, source, profile)
    wanted = _image_name(name or image)
    if shelf.region == region and wanted == image:
        raise UsageError(
            f"image {image} is in {region} already", next="--as ANOTHER-NAME, or another --region"
        )
    (target,) = _shelves(region, profile)
    say(f"copying image {image} from {shelf.region} to {region}")
    _show(target.copy(found, shelf.region, wanted, key), region, as_json)


@command.command("share")
@click.argument("image", type=ImageName())
@click.argument("account", metavar="ACCOUNT")
@click.option("--remove", is_flag=True, help="No longer.")
@where
@json_option
def share(
    image: str,
    account: str,
    remove: bool,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Let another AWS account start machines from an image; ACCOUNT is its number of 12 digits.

    Images are encrypted with your account's own key, and AWS lets nobody else use that one: copy
    the image with a key that you made first (`roost image copy --key`).

    \b
    Examples:
      roost image share scipion-shared 111122223333
      roost image share scipion-shared 111122223333 --remove
    """
    if not re.fullmatch(r"\d{12}", account):
        raise UsageError(f'"{account}" is no AWS account: that is a number of 12 digits')
    shelf, found = _found(image, region, profile)
    shelf.share(found, account, remove=remove)
    if as_json:
        write_json(
            {
                "name": found.name,
                "id": found.id,
                "region": shelf.region,
                "account": account,
                "shared": not remove,
            }
        )
        return
    how = "is no longer shared with" if remove else "is shared with"
    say(f"image {found.name} ({found.id}) in {shelf.region} {how} {account}")


@command.command("rm")
@click.argument("image", type=ImageName())
@where
@json_option
@yes_options
def remove(
    image: str,
    region: str | None,
    profile: str | None,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Delete an image and its snapshot, once you have typed its name.

    Machines that were started from it go on; the next ones set themselves up again.

    \b
    Examples:
      roost image rm scipion
      roost image rm scipion --region us-east-1 --yes
    """
    session = open_session(Place(None, region, profile), yes=yes, no_input=no_input)

    shelf, found = _found(image, region, profile)
    if not yes:
        refused = NeedsConfirmationError(
            f"deleting image {image} in {shelf.region} needs a yes",
            next=command_line("roost", "image", "rm", image, "--region", shelf.region, "--yes"),
        )
        warning = f"image {found.name} ({found.id}, made {found.made.date()}) will be deleted"
        session.consent.type_name(image, warning, refused)
    for one in shelf.all():
        if one.name == image:  # an older one of that name, too
            shelf.remove(one)
    if as_json:
        write_json({"name": found.name, "id": found.id, "region": shelf.region, "deleted": True})
        return
    say(f"deleted: image {found.name} ({found.id}) in {shelf.region}")
    say("machines that were started from it go on; the next ones set themselves up again")


# --- how an image is shown -----------------------------------------------------------------------


def _show(image: BakedImage, region: str, as_json: bool) -> None:
    if as_json:
        write_json(_as_json(image, region))
        return
    click.echo(_table([(image, region)]))
    say(
        "`roost up` starts from it where it holds what a file wants; to end it: "
        + command_line("roost", "image", "rm", image.name)
    )


def _table(found: Iterable[tuple[BakedImage, str]]) -> str:
    header = ("IMAGE", "REGION", "STATE", "SYSTEM", "ARCH", "SIZE", "MADE", "FROM", "A MONTH")
    rows = [
        (
            one.name,
            region,
            one.state,
            one.system,
            one.arch,
            f"{one.size_gib:g}GB",
            str(one.made.date()),
            one.made_from,
            str(_monthly(one, region).amount),
        )
        for one, region in found
    ]
    return table(header, rows, frozenset({5, 8}))


def _monthly(image: BakedImage, region: str) -> Section:
    """What it costs at most: its snapshot is of all that can be on its disk."""
    from roost.app.prices import todays_book
    from roost.cost.bill import Snapshots
    from roost.cost.inventory import Found, monthly

    found = Found(
        kind="image",
        ids=(image.id,),
        what=f"image {image.name}",
        region=region,
        items=(Snapshots(int(image.size_gib), region),),
    )
    return monthly(found, todays_book())


def _as_json(image: BakedImage, region: str) -> dict[str, Any]:
    from roost.cli.text.money import amount_json

    return {
        "name": image.name,
        "id": image.id,
        "region": region,
        "state": image.state,
        "arch": image.arch,
        "system": image.system,
        "recipe": image.recipe,
        "made_from": image.made_from,
        "size_gib": image.size_gib,
        "made": image.made,
        "per_month": amount_json(_monthly(image, region).amount),
    }
