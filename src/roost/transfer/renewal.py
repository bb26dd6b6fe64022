"""Credentials that expire while a folder is watched: new ones are asked for until there are some.

Whoever signs in again (``aws sso login``), or writes new keys to the files below ``~/.aws``, need
not begin the watch again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from roost.errors import CredentialsError
from roost.transfer.context import Run
from roost.transfer.s3.config import Where, where

FIRST, LONGEST = 1.0, 60.0
"""Seconds until credentials are asked for again; each wait is twice the one before."""


@dataclass(slots=True)
class Renewal:
    """The asking for new credentials. ``warn`` hears of it once for each time that they expire."""

    run: Run
    warn: Callable[[str], None]
    wait: float = 0.0

    def after(self, error: CredentialsError) -> None:
        """Wait, and take the credentials that there are then. Raises the error if none can come."""
        old = self.run.bucket.client.where
        if not old.renewable:
            raise error
        if not self.wait:
            self.warn(f"{error.what}: waiting for new credentials (sign in again: aws sso login)")
        self.wait = min(max(FIRST, 2 * self.wait), LONGEST)
        self.run.stop.wait(self.wait)
        try:
            self.run.bucket.use(_now(old))
        except CredentialsError:
            return  # the next try finds out

    def succeeded(self) -> None:
        """Note that the credentials are good."""
        if self.wait:
            self.wait = 0.0
            self.warn("there are new credentials; going on")


def _now(old: Where) -> Where:
    """Return the same S3 with the credentials of this moment."""
    new = where(old.profile if old.by_option else None)
    return replace(old, keys=new.keys, ask_botocore=new.ask_botocore)
