"""The number of workers as it is typed: ``4``, or a range to follow the work in, ``0..8``."""

from __future__ import annotations

import re
from typing import Any

import click

from roost.notebook.dask.ranges import MOST


class Workers(click.ParamType):  # type: ignore[type-arg]
    """A number of workers, or (least, most) of a range; ``0..`` has no end of its own."""

    name = "workers"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | tuple[int, int]:
        """Return what was typed. Fails where it is neither."""
        found = re.fullmatch(r"(\d{1,5})(\.\.(\d{1,5})?)?", str(value))
        if found is None:
            self.fail(f"{value!r} is neither a number (4) nor a range (0..8)", param, ctx)
        least = int(found[1])
        most = least if found[2] is None else int(found[3] or MOST)
        if not least <= most <= MOST:
            self.fail(f"{value!r} is not within 0 and {MOST}, the smaller number first", param, ctx)
        return least if found[2] is None else (least, most)
