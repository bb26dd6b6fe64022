"""The use of images that are made: list, find, copy, share and delete them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.prices import todays_book
from roost.cost.rates import charge
from roost.errors import NeedsConfirmationError, NotFoundError, UsageError, command_line
from roost.images.bake import image_name
from roost.model.images import BakedImage
from roost.providers.provider import need

if TYPE_CHECKING:
    from roost.providers.images import Images
    from roost.session import Session


def libraries(session: Session, what: str) -> tuple[Images, ...]:
    """Return the images of each place to look in.

    Raises UsageError where the cloud that was named cannot do ``what``, or no cloud here can.
    """
    clouds = resolve.clouds(session)
    if session.place.cloud is None:
        clouds = tuple(cloud for cloud in clouds if cloud.can.images is not None)
    if not clouds:
        raise UsageError(
            f"{what}: no region of a cloud that keeps images is known here",
            next="--region eu-central-1",
        )
    return tuple(need(cloud.can.images, what, cloud) for cloud in clouds)


def find(
    session: Session, name: str, what: str, option: str = "--region"
) -> tuple[Images, BakedImage]:
    """Return the newest completed image of that name, and the images of its place.

    Raises NotFoundError, or UsageError where two regions have it: ``option`` chooses one.
    """
    images = {library: library.all() for library in libraries(session, what)}
    having = [one for one, listed in images.items() if any(i.name == name for i in listed)]
    if len(having) > 1:
        raise UsageError(
            f"image {name} is in {' and in '.join(library.region for library in having)}",
            next=command_line(*session.command.split(), name, "...", option, having[0].region),
        )
    among = having or list(images)
    for library in among:
        for image in images[library]:
            if image.name == name and image.state == "completed":
                return library, image
    regions = ", ".join(library.region for library in among)
    names = ", ".join(sorted({i.name for library in among for i in images[library]})) or "none"
    raise NotFoundError(
        f"no baked image {name} is in {regions}. There are: {names}", next="roost image ls"
    )


def copy(
    session: Session, name: str, region: str, *, new: str | None = None, key: str | None = None
) -> BakedImage:
    """Copy an image to a region, as ``new``, after a yes to its price, and wait until it is there.

    Raises NeedsConfirmationError, UsageError, NotFoundError, CloudError.
    """
    library, image = find(session, name, "copy an image", "--from")
    wanted = image_name(new or name)
    if library.region == region and wanted == name:
        raise UsageError(
            f"image {name} is in {region} already", next="--as ANOTHER-NAME, or another --region"
        )
    there = replace(session, place=replace(session.place, region=region))
    target, *others = libraries(there, "copy an image")
    if others:
        places = (one.region for one in (target, *others))
        raise UsageError(
            f"{region} is several places: {', '.join(places)}",
            next=command_line("roost", "image", "copy", name, "--region", target.region),
        )
    target.check_copy(image, wanted)
    way = f"image {name} from {library.region} to {region}"
    options = ("--region", region, "--as", wanted, *(("--key", key) if key else ()))
    price = _price_of_copy(image, region)
    session.consent.ask(
        f"Copy {way}? It {price}.",
        NeedsConfirmationError(
            f"copying {way} needs a yes: it {price}",
            next=command_line("roost", "image", "copy", name, *options, "--yes"),
        ),
    )
    session.say(f"copying {way}")
    return target.copy(image, wanted, key)


def _price_of_copy(image: BakedImage, region: str) -> str:
    """Return what a copy costs at most, for people."""
    (line,) = charge(
        "copy",
        "full",
        Decimal(str(image.size_gib)),
        todays_book().snapshot(region, "standard"),
        at_most=True,
    )
    sent = "" if image.region == region else ", and the sending between regions once"
    return f"costs {line.amount} a month, until it is deleted{sent}"


def share(session: Session, name: str, account: str, *, remove: bool = False) -> BakedImage:
    """Let another account start machines from an image, or no longer."""
    for library in libraries(session, "share an image"):
        library.check_account(account)
    library, image = find(session, name, "share an image")
    library.share(image, account, remove=remove)
    return image


def remove(session: Session, name: str, *, yes: bool) -> BakedImage:
    """Delete an image, and older ones of its name, once the name was typed or there is a yes."""
    library, image = find(session, name, "delete an image")
    if not yes:
        refused = NeedsConfirmationError(
            f"deleting image {name} in {library.region} needs a yes",
            next=command_line("roost", "image", "rm", name, "--region", library.region, "--yes"),
        )
        warning = f"image {image.name} ({image.id}, made {image.made.date()}) will be deleted"
        session.consent.type_name(name, warning, refused)
    for one in library.all():
        if one.name == name:
            library.remove(one)
    return image
