"""How many examples Hypothesis makes of a law that takes long."""

from __future__ import annotations

from math import ceil

from tests.sampling import the_sample

SHARE = 3


def examples(number: int) -> int:
    """A third of the number, other ones in each run; all of it with ``ROOST_SWEEP=full``."""
    return number if the_sample().full else ceil(number / SHARE)
