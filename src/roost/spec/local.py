"""The file's ``[local]`` table: the share of your own machine."""

from __future__ import annotations

from pydantic import Field

from roost.spec.table import Table
from roost.spec.values import Size


class Local(Table):
    """Each worker is a process of its own."""

    threads: int = Field(1, ge=1, le=256, description="Threads of each worker.")
    memory: Size | None = Field(
        None, description="Memory of each worker; by default all get a fair share of 80 %."
    )
