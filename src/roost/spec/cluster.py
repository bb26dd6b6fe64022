"""A cluster: a head and workers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from roost.spec.common import CloudName, Common
from roost.spec.environment import Environment
from roost.spec.local import Local
from roost.spec.machine import Machine
from roost.spec.table import Table, around, did_you_mean, wrong
from roost.spec.values import Mount, Text

MOST_WORKERS = 10_000


class Workers(Machine):
    """The machines that do the work; all alike."""

    count: int = Field(2, ge=0, le=MOST_WORKERS, description="How many.")
    min: int | None = Field(None, ge=0, description="Fewest, when they follow the work.")
    max: int | None = Field(
        None, ge=1, le=MOST_WORKERS, description="Most, when they follow the work."
    )
    spot: bool = Field(
        False, description="Spot machines: cheaper, and the cloud may take them back."
    )

    @property
    def on_spot(self) -> bool:
        """Whether they are asked for as spot machines."""
        return self.spot

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        least = self.min if self.min is not None else 0
        most = self.max if self.max is not None else MOST_WORKERS
        if least > most:
            raise wrong(f"min {least} is above max {most}", at=("min",))
        if not least <= self.count <= most:
            given = "count" in self.model_fields_set
            raise wrong(
                "not between min and max" if given else f"is {self.count} by default",
                allowed=f"{least} to {most}, as min and max say",
                at=("count",),
            )
        return self


class Jupyter(Table):
    """JupyterLab on the head."""

    enabled: bool = Field(True, description="false: no JupyterLab.")
    notebook: Text | None = Field(
        None, description="The notebook that the browser opens, in the environment's project."
    )
    port: int | None = Field(
        None, ge=1024, le=65535, description="Always this port; any free one otherwise."
    )

    @field_validator("notebook")
    @classmethod
    def _there(cls, found: str | None, info: ValidationInfo) -> str | None:
        here = around(info)
        if found is None or here is None or here.recorded:
            return found
        root = here.project or here.folder
        if os.path.isdir(root):  # if not, that is said of the project
            _check_notebook(root, found)
        return found


def _check_notebook(root: Path, name: str) -> None:
    path = Path(os.path.realpath(root / name.replace("\0", "")))
    if not path.is_relative_to(os.path.realpath(root)):
        raise wrong("outside of the project", allowed=f"a notebook below {root}")
    if not os.path.isfile(path):
        known = sorted(found.name for found in root.glob("*.ipynb"))
        hint = did_you_mean(name, known) or (f"there are: {', '.join(known)}" if known else "")
        raise wrong(f"no such notebook in {root}", hint=hint)


class Run(Table):
    """What ``roost run NAME`` does."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="The program and its arguments, in the project's folder and environment.",
        examples=[["python", "main.py"]],
    )


class Cluster(Common):
    """A head, workers, and a scheduler that gives them work."""

    kind: Literal["cluster"] = Field(description="What it is.", examples=["cluster"])
    cloud: CloudName = Field(
        "local", description="Where it runs: your own machine, AWS, or an OpenStack site."
    )
    local: Local = Field(Local(), description="How much of your own machine.")
    scheduler: Literal["dask", "slurm"] = Field("dask", description="What gives out the work.")
    head: Machine = Field(Machine(), description="The machine with scheduler and JupyterLab.")
    workers: Workers = Field(Workers(), description="The machines that do the work.")
    environment: Environment = Field(
        default_factory=Environment, description="The software on all of them."
    )
    shared: Mount | None = Field(None, description="A folder that all machines share.")
    jupyter: Jupyter = Field(
        Jupyter(), description="JupyterLab on the head: whether, and what it opens."
    )
    run: Run | None = Field(None, description="What `roost run` does.")

    @field_validator("scheduler")
    @classmethod
    def _able_here(
        cls, found: Literal["dask", "slurm"], info: ValidationInfo
    ) -> Literal["dask", "slurm"]:
        here = around(info)
        if found == "slurm" and here is not None and here.cloud == "local":
            raise wrong(
                "Slurm needs machines of its own",
                allowed='"dask", or cloud = "aws" or "openstack"',
            )
        return found
