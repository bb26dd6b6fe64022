"""Baked images: machines whose set-up is done, and nothing personal in them.

They carry the tag ``~images`` instead of a name, and the digest of what is installed in them, by
which a launch finds the one that fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from roost.errors import CloudError, UsageError, command_line
from roost.model.images import BakedImage
from roost.model.resources import GATEWAY
from roost.providers.aws import tags
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import code_of, translated
from roost.providers.aws.images.lookup import is_own
from roost.providers.aws.parse import IMAGE_STATES

if TYPE_CHECKING:
    from roost.model.images import BakeRequest
    from roost.model.resources import Instance
    from roost.providers.aws.cache import Memory
    from roost.providers.aws.images.build import Ec2ImageBuild

BAKED, COPY, HELPER = "baked", "source image", "helper"
"""What is the image itself, the copy of the machine's disk, and what cleans it."""
NOT_SHARABLE = ("OperationNotPermitted", "InvalidParameter", "InvalidParameterCombination")
"""What EC2 says where a snapshot is encrypted with the key that AWS manages for the account."""
PAUSE = 5.0
MOST_HOURS = 6
"""A copy of a large disk to another continent takes hours."""


# --- looking -------------------------------------------------------------------------------------


def filters(name: str | None = None) -> list[dict[str, Any]]:
    """Return the filters for all of an image's making, or for all images."""
    every = [{"Name": f"tag:{tags.NAME}", "Values": [tags.IMAGES]}]
    return every + ([{"Name": f"tag:{tags.NODE}", "Values": [name]}] if name else [])


def describe(calls: Calls) -> tuple[BakedImage, ...]:
    """Return the baked images of this region. One call."""
    answer = calls.every("describe_images", "Images", Owners=["self"], Filters=filters())
    return baked_images(answer, calls.region)


def baked_images(described: Iterable[Mapping[str, Any]], region: str) -> tuple[BakedImage, ...]:
    """Return the baked ones of what EC2 describes, by name and then the newest first. Pure."""
    tagged_images = ((image, tags.read(image["Tags"])) for image in described)
    baked = [_parse(image, held, region) for image, held in tagged_images if is_baked(held)]
    return tuple(sorted(baked, key=lambda i: (i.name, -i.made.timestamp(), i.id)))


def is_baked(held: Mapping[str, str]) -> bool:
    """Tell whether these are the tags of a baked image."""
    return held.get(tags.NAME) == tags.IMAGES and held.get(tags.ROLE) == BAKED


def _parse(one: Mapping[str, Any], held: Mapping[str, str], region: str) -> BakedImage:
    disks = [m["Ebs"] for m in one.get("BlockDeviceMappings", ()) if "Ebs" in m]
    made = datetime.fromisoformat(one["CreationDate"])
    return BakedImage(
        name=held[tags.NODE],
        id=one["ImageId"],
        region=region,
        state=IMAGE_STATES.get(one["State"], "unknown"),
        arch=one.get("Architecture", "x86_64"),
        system=held.get(tags.SYSTEM, ""),
        recipe=held.get(tags.RECIPE, ""),
        made_from=held.get(tags.MADE_FROM, ""),
        root_device=one["RootDeviceName"],
        size_gib=float(sum(disk.get("VolumeSize", 0) for disk in disks)),
        made=made if made.tzinfo else made.replace(tzinfo=UTC),
        origin=held.get(tags.SOURCE, ""),
        of=held.get(tags.OF, ""),
        snapshots=tuple(disk["SnapshotId"] for disk in disks if "SnapshotId" in disk),
        encrypted=all(disk.get("Encrypted", False) for disk in disks),
        users=tuple((k, v) for k, v in held.items() if k != tags.TITLE and not _ours(k)),
    )


def _ours(key: str) -> bool:
    return key == tags.NAME or key.startswith(f"{tags.NAME}:")


def tagged(name: str, more: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of anything that has to do with the image ``name``."""
    return {**tags.tags(tags.IMAGES, name, more, users), tags.TITLE: f"roost image {name}"}


# --- a launch ------------------------------------------------------------------------------------


def for_launch(calls: Calls, memory: Memory, first: Instance) -> tuple[str, str] | None:
    """Return the AMI for a launch instead of its system's, and its root device; or None.

    Nothing is asked where the region has no baked images, or the launch has an AMI of its own
    (one that was parked, or that the file names), or is a gateway, which needs none.
    """
    own = is_own(first.shape.image) or first.role == GATEWAY
    if memory.baked == () or memory.record is None or own:
        return None
    if memory.baked is None:
        memory.baked = describe(calls)
    image = best(memory.baked, first, _digest(memory.record, first))
    if image is None:
        return None
    note = f"{first.role}: starts from image {image.name}, made {image.made.date()}"
    memory.note(note)
    return image.id, image.root_device


def best(images: Iterable[BakedImage], first: Instance, digest: str) -> BakedImage | None:
    """Return the newest image with what the machine would install that fits its disk. Pure."""
    fit = [
        one
        for one in images
        if one.state == "completed"
        and one.recipe == digest
        and one.arch == first.shape.arch
        and one.size_gib <= first.shape.disk_gib
    ]
    return max(fit, key=lambda one: (one.made, one.id), default=None)


def _digest(record: str, first: Instance) -> str:
    from roost.recipes.digest import recipe_digest
    from roost.spec import from_json

    return recipe_digest(from_json(record), first.role)


# --- copy, share, remove -------------------------------------------------------------------------


def copy_image(image: BakedImage, name: str, key: str | None) -> dict[str, Any]:
    """Return CopyImage, asked in the region it goes to. Encrypted, by ``key`` or the account's own.

    An image's name is unique, so that the same wish makes one only.
    """
    origin = {
        tags.ROLE: BAKED,
        tags.RECIPE: image.recipe,
        tags.SYSTEM: image.system,
        tags.MADE_FROM: image.made_from,
        tags.SOURCE: image.id,
        tags.OF: image.of,
    }
    held = tagged(name, origin, dict(image.users))
    asked: dict[str, Any] = {
        "Name": f"roost image {name} {image.id}",
        "Description": f"roost: image {name}",
        "SourceImageId": image.id,
        "SourceRegion": image.region,
        "Encrypted": True,
        "CopyImageTags": False,
        "TagSpecifications": [
            tags.specification("image", held),
            tags.specification("snapshot", held),
        ],
    }
    return {**asked, "KmsKeyId": key} if key else asked


@dataclass(frozen=True, slots=True, eq=False)
class AwsImages:
    """Fulfils ``roost.providers.provider.Images`` in one region."""

    calls: Calls
    region: str
    sleep: Callable[[float], None]
    wall: Callable[[], datetime]

    def build(self, request: BakeRequest, *, whole: bool = False) -> Ec2ImageBuild:
        """Open one image in the making; ``whole``: each look sees all of it, to clean up."""
        from roost.providers.aws.images.build import Ec2ImageBuild
        from roost.providers.aws.images.steps import BakeSteps

        return Ec2ImageBuild(BakeSteps(self.calls, request), self.sleep, self.wall, whole)

    def all(self) -> tuple[BakedImage, ...]:
        """Return every baked image. Raises RoostError."""
        with translated(f"list the images in {self.region}"):
            return describe(self.calls)

    def unfinished(self) -> tuple[str, ...]:
        """Return the images that a killed roost left unfinished."""
        copies = [*filters(), {"Name": f"tag:{tags.ROLE}", "Values": [COPY]}]
        with translated(f"list the images in {self.region}"):
            answer = self.calls.every("describe_images", "Images", Owners=["self"], Filters=copies)
        held = [tags.read(one["Tags"]) for one in answer]
        return tuple(sorted(f"{one[tags.NODE]} (of {one[tags.MADE_FROM]})" for one in held))

    def copy(self, image: BakedImage, name: str, key: str | None) -> BakedImage:
        """Copy an image of any region into this one, and wait until it is completed.

        Older images of the same name go then. Raises CloudError where the copy fails.
        """
        asked = copy_image(image, name, key)
        with translated(f"copy image {image.name} to {self.region}"):
            self.calls.unless_there(self.calls.ec2.copy_image, **asked)
        copied = self._completed(image, name)
        for one in self.all():
            if one.name == name and one.id not in (copied.id, image.id) and one.made <= copied.made:
                self.remove(one)
        return copied

    def _completed(self, image: BakedImage, name: str) -> BakedImage:
        for _ in range(int(MOST_HOURS * 3600 / PAUSE)):
            copies = [i for i in self.all() if i.name == name and i.origin == image.id]
            failed = [i for i in copies if i.state == "failed"]
            for one in copies:
                if one.state == "completed":
                    return one
            if failed:
                self.remove(failed[0])
                raise CloudError(
                    f"the copy of image {image.name} to {self.region} failed",
                    next="the same command tries again",
                )
            self.sleep(PAUSE)
        raise CloudError(
            f"image {name} is still being copied to {self.region}", next="roost image ls   (later)"
        )

    def check_copy(self, image: BakedImage, name: str) -> None:
        """Accept any: EC2 copies between all regions."""

    def check_account(self, account: str) -> None:
        """Raise UsageError where this can be no account."""
        if not re.fullmatch(r"\d{12}", account):
            raise UsageError(f'"{account}" is no AWS account: that is a number of 12 digits')

    def share(self, image: BakedImage, account: str, *, remove: bool = False) -> None:
        """Let another account start machines from it, or end that.

        Raises UsageError where its key is AWS's own for this account: nobody else can use that.
        """
        verb = "remove" if remove else "add"
        ec2 = self.calls.ec2
        with translated(f"share image {image.name}"):
            try:
                for snapshot in image.snapshots:
                    ec2.modify_snapshot_attribute(
                        SnapshotId=snapshot,
                        Attribute="createVolumePermission",
                        OperationType=verb,
                        UserIds=[account],
                    )
                ec2.modify_image_attribute(
                    ImageId=image.id, LaunchPermission={verb.capitalize(): [{"UserId": account}]}
                )
            except ec2.exceptions.ClientError as error:
                if code_of(error) not in NOT_SHARABLE or not image.encrypted:
                    raise
                said = error.response["Error"].get("Message", "")
                raise self._not_sharable(image, said) from error

    def _not_sharable(self, image: BakedImage, said: str) -> UsageError:
        return UsageError(
            f"image {image.name} cannot be shared: its disk is encrypted with the key that AWS"
            f" manages for your account, and nobody else can use that one ({said})",
            next=command_line(
                *("roost", "image", "copy", image.name, "--as", f"{image.name}-shared"),
                *("--region", self.region, "--key", "alias/KEY"),
            )
            + "   (a key of your own, whose policy lets the other account use it)",
        )

    def remove(self, image: BakedImage) -> None:
        """Deregister it; its snapshots go with it."""
        with translated(f"delete image {image.name}"):
            self.calls.unless_gone(
                self.calls.ec2.deregister_image, ImageId=image.id, DeleteAssociatedSnapshots=True
            )
