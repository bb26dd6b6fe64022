"""Images of machines for the next ones to start from, and what is there while one is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from roost.model.resources import CopyState, InstanceState

if TYPE_CHECKING:
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class BakedImage:
    """One baked image. ``origin`` is what it was made or copied from; ``made_from`` for people.

    ``of`` is the name whose machine it was made of, where the cloud's rights go by that.
    ``size_gib`` is the disk's size: what is stored is that at most. ``users`` are the user's tags.
    """

    name: str
    id: str
    region: str
    state: CopyState
    arch: str
    system: str
    recipe: str
    made_from: str
    root_device: str
    size_gib: float
    made: datetime
    origin: str = ""
    of: str = ""
    snapshots: tuple[str, ...] = ()
    encrypted: bool = True
    users: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeRequest:
    """The order to bake: ``image`` is the name it gets, ``instance`` the machine's id.

    ``made_from`` says for people which machine that is; ``recipe`` is the digest of what it
    installed, ``system`` what it started from, ``spec`` the file that it was made by.
    """

    image: str
    instance: str
    made_from: str
    recipe: str
    system: str
    spec: Spec


# --- what is there while an image is made --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMachine:
    """The machine of which an image is made; ``restart``: it ran, and is to run again."""

    id: str
    state: InstanceState
    restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskImage:
    """An image. ``origin`` is what it was made of: the source's machine, or a baked one's source.

    ``taken`` is in seconds since 1970.
    """

    id: str
    baked: bool
    state: CopyState
    origin: str
    taken: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """The machine that cleans. ``verdict``: ``"clean"``, ``"failed: why"``, or nothing yet.

    ``origin`` is the source that it was started from; ``started`` in seconds since 1970;
    ``console`` all that it has written there.
    """

    id: str
    state: InstanceState
    origin: str
    started: float
    verdict: str = ""
    console: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeState:
    """All that one look at an image's making saw, ``now``, in seconds since 1970.

    ``orphans`` are snapshots without their image; ``notes`` are for whoever watches.
    """

    machine: SourceMachine | None = None
    images: tuple[DiskImage, ...] = ()
    helpers: tuple[Helper, ...] = ()
    firewalls: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    now: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[DiskImage, ...]:
        """Return the copies of machines, the newest first."""
        copies = (image for image in self.images if not image.baked)
        return tuple(sorted(copies, key=lambda image: (-image.taken, image.id)))

    @property
    def baked(self) -> tuple[DiskImage, ...]:
        """Return the images, made or in the making."""
        return tuple(image for image in self.images if image.baked)

    @property
    def result(self) -> DiskImage | None:
        """Return the image that is made of a source which is still there."""
        origins = {source.id for source in self.sources}
        made = [image for image in self.baked if image.origin in origins]
        return next((i for i in made if i.state == "completed"), made[0] if made else None)

    @property
    def finished(self) -> str:
        """Return the id of the image, once it is completed; empty until then."""
        result = self.result
        return result.id if result is not None and result.state == "completed" else ""


Verb = Literal[
    "mark-restart",  # write on the machine that it is to be started again
    "stop",
    "start",
    "unmark-restart",
    "copy-disk",  # the machine's disk: the source
    "create-firewall",  # the helper's, through which nothing enters
    "launch-helper",  # from the source
    "create-image",  # of the helper's disk
    "terminate-helpers",
    "delete-firewalls",
    "delete-images",  # with their snapshots
    "delete-snapshots",  # those whose image is gone
]
WORDS: dict[Verb, str] = {
    "mark-restart": "remember to start it again",
    "stop": "stop the machine",
    "start": "start the machine again",
    "unmark-restart": "it runs again",
    "copy-disk": "copy the machine's disk",
    "create-firewall": "make a firewall that lets nothing in",
    "launch-helper": "start a helper from the copy",
    "create-image": "make the image of the cleaned copy",
    "terminate-helpers": "delete the helper",
    "delete-firewalls": "delete its firewall",
    "delete-images": "delete what is not needed any more",
    "delete-snapshots": "delete what is left of it",
}


@dataclass(frozen=True, slots=True)
class BakeStep:
    """One thing to do, to what (ids), and why, for people."""

    verb: Verb
    ids: tuple[str, ...] = ()
    reason: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return WORDS[self.verb]

    @property
    def explanation(self) -> str:
        """Return what is done, and why."""
        return f"{self}: {self.reason}"
