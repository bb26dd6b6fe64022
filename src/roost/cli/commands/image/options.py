"""Options of several commands of `roost image`."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from roost.cli.options import Name


class ImageName(Name):
    """The name of an image."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of an image. Raises UsageError where it cannot be one."""
        del ctx
        from roost.images.bake import image_name

        if isinstance(param, click.Argument):
            return image_name(value, "roost image ls   (shows every image)")
        return image_name(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete nothing: only the cloud knows the images, which takes too long."""
        del ctx, param, incomplete
        return []


image_argument = click.argument("image", type=ImageName())
"""IMAGE: the name of one that exists."""
