"""The file's ``[dask]`` table: how scheduler and workers run."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from roost.spec.setup import MOST_STEPS
from roost.spec.table import Table, around, wrong
from roost.spec.values import Span, Text, matching

MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\.py)?"
MOST_PROCESSES = 256
OURS = ("scheduler-address", "distributed.comm.require-encryption", "distributed.comm.tls")
"""What roost says of each cluster: its address, and its certificate."""

Resource = Annotated[
    str, AfterValidator(matching(r"[\w.-]+", "not the name of a resource", "letters and digits"))
]
Module = Annotated[
    str, AfterValidator(matching(MODULE, "not a module", '"package.module", or "file.py"'))
]


def _processes(found: Any) -> int | str:
    if found == "cpus" or (type(found) is int and 1 <= found <= MOST_PROCESSES):
        return found  # type: ignore[no-any-return]
    raise wrong("not a number of processes", allowed=f'1 to {MOST_PROCESSES}, or "cpus"')


Processes = Annotated[
    int | str,
    PlainValidator(_processes),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_PROCESSES}, {"const": "cpus"}]}
    ),
]


def _flat(config: dict[str, Any], before: str = "") -> list[str]:
    """Return all keys with dots, and ``_`` as ``-``: Dask takes both."""
    found: list[str] = []
    for key, value in config.items():
        name = f"{before}{key}".replace("_", "-")
        found += _flat(value, f"{name}.") if isinstance(value, dict) else [name]
    return found


def _config(found: dict[str, Any]) -> dict[str, Any]:
    for key in _flat(found):
        if any(key == one or key.startswith(f"{one}.") for one in OURS):
            raise wrong(f'"{key}" is roost\'s own: each cluster has its certificate')
    return found


class Dask(Table):
    """What differs from Dask's own defaults, on every machine of the cluster."""

    config: Annotated[dict[str, Any], AfterValidator(_config)] = Field(
        {},
        description="Dask's configuration, for scheduler, workers and notebooks; keys with dots or "
        "in tables.",
        examples=[{"distributed.scheduler.work-stealing": False}],
    )
    processes: Processes | None = Field(
        None,
        description="Worker processes on each rented machine, which share its CPUs and memory: "
        'several where Python itself is the work; "cpus": one for each CPU. One by default.',
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Threads of each process on rented machines; their share of the CPUs by "
        "default.",
    )
    resources: dict[Resource, float] = Field(
        {}, description="What each worker has for tasks that ask for it.", examples=[{"GPU": 1}]
    )
    preload: tuple[Module, ...] = Field(
        (),
        max_length=MOST_STEPS,
        description="Modules that each worker imports at its start, also the project's own; their "
        "`dask_setup(worker)` is called.",
    )
    nanny: bool = Field(
        True,
        description="false: no process beside each worker that restarts it when it takes too much "
        "memory.",
    )
    spill: bool = Field(
        True, description="false: workers move nothing from memory to disk when it gets full."
    )
    worker_class: Text | None = Field(
        None,
        description="Another class of worker, of an installed package.",
        examples=["my_package.MyWorker"],
    )
    idle_timeout: Span | None = Field(
        None,
        description="On your own machine: stop after this long without a client and without a "
        "task. Rented machines have `idle` in [schedule].",
    )

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        if not self.nanny and self.processes not in (None, 1):
            what = "Dask starts several workers on a machine with their nannies only"
            raise wrong(what, hint="nanny = true, or processes = 1", at=("nanny",))
        if self.worker_class and not re.fullmatch(r"\w+(\.\w+)+", self.worker_class):
            raise wrong("not a class", allowed='"package.Class"', at=("worker_class",))
        if self.worker_class and self.worker_class.endswith("CUDAWorker"):
            what = "it is no class of a worker, but a program that begins one for each GPU"
            hint = 'resources = { GPU = 1 }, and client.submit(..., resources={"GPU": 1})'
            raise wrong(what, hint=hint, at=("worker_class",))
        here = around(info)
        if here is None or here.rules is None or here.recorded:
            return self
        return self._checked_on(rents=here.rules.rents)

    def _checked_on(self, *, rents: bool) -> Self:
        """Refuse what the file's cloud has another key for."""
        if rents and self.idle_timeout is not None:
            hint = '[schedule] idle = "30m"'
            raise wrong("rented machines stop by another key", hint=hint, at=("idle_timeout",))
        for key, other in (("processes", "[workers] count"), ("threads", "[local] threads")):
            if not rents and getattr(self, key) is not None:
                what = "each worker of your own machine is a process of its own"
                raise wrong(what, hint=f"{other} says it there", at=(key,))
        return self
