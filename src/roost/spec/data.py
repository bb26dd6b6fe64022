"""Data that comes to the machine, and results that leave it."""

from __future__ import annotations

from pydantic import Field

from roost.spec.table import Table
from roost.spec.values import Bucket, Mount


class Pull(Table):
    """From S3 to a folder of the machine."""

    source: Bucket = Field(alias="from", description="Where the data is in S3.")
    target: Mount = Field(alias="to", description="The folder that it goes to.")


class Push(Table):
    """From a folder of the machine to S3."""

    source: Mount = Field(alias="from", description="The folder with the results.")
    target: Bucket = Field(alias="to", description="Where they go to in S3.")


class Data(Table):
    """The files to copy, and to check one by one."""

    pull: tuple[Pull, ...] = Field((), description="Copied to the machine by `roost pull`.")
    push: tuple[Push, ...] = Field((), description="Copied from the machine by `roost push`.")
