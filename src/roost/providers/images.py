"""The interface of a cloud's images of machines, and of their making: a capability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from roost.model.images import BakedImage, BakeRequest, BakeState, BakeStep


class ImageBuild(Protocol):
    """One image that is being made: the reconcile loop observes and changes it."""

    def observe(self, name: str) -> BakeState:
        """Return all that was made for the image so far. Raises AccessError, CloudError."""
        ...

    def apply(self, name: str, step: BakeStep) -> None:
        """Do one step. Safe to call again after a kill at any point."""
        ...

    def wait(self, name: str, since: float) -> None:
        """Come back when something may have changed; ``since`` is seconds waited so far."""
        ...

    def result(self, image: str) -> BakedImage:
        """Return the image of that id, as the last look saw it."""
        ...


class Images(Protocol):
    """The images of machines, and their making: see ``roost/images/``."""

    @property
    def region(self) -> str:
        """The region of these images."""
        ...

    def build(self, request: BakeRequest, *, whole: bool = False) -> ImageBuild:
        """Open one image in the making; ``whole``: each look sees all of it, to clean up."""
        ...

    def all(self) -> tuple[BakedImage, ...]:
        """Return every image, by name and then the newest first. Raises RoostError."""
        ...

    def unfinished(self) -> tuple[str, ...]:
        """Return the images that a killed roost left unfinished."""
        ...

    def check_copy(self, image: BakedImage, name: str) -> None:
        """Raise UsageError where no image of another region can be copied here."""
        ...

    def copy(self, image: BakedImage, name: str, key: str | None) -> BakedImage:
        """Copy an image of any region here, and wait; older ones of ``name`` go.

        ``key`` encrypts it, else the account's own. Raises CloudError where the copy fails.
        """
        ...

    def check_account(self, account: str) -> None:
        """Raise UsageError where this can be no account."""
        ...

    def share(self, image: BakedImage, account: str, *, remove: bool = False) -> None:
        """Let another account start machines from it, or end that. Raises UsageError."""
        ...

    def remove(self, image: BakedImage) -> None:
        """Delete it, with its snapshots."""
        ...
