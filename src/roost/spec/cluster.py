"""A cluster: a head and workers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from roost.providers.rules import OWN_MACHINE, clouds_for
from roost.spec.common import CloudName, Common
from roost.spec.dask import Dask
from roost.spec.environment import Environment
from roost.spec.local import Local
from roost.spec.machine import Machine
from roost.spec.schedule import Usd
from roost.spec.table import Table, around, choices, did_you_mean, quoted, wrong
from roost.spec.values import Mount, Text

MOST_WORKERS = 10_000
MOST_PRICE = 1_000
Market = bool | Literal["first"]
"""Spot machines; on demand; or the first where there is room, and else the second."""


class Followed(Table):
    """The range in which the number of rented workers follows the work, and who set it.

    It is in records only: `roost scale NAME 0..8` and `max` of a file write it.
    """

    minimum: int = Field(ge=0, le=MOST_WORKERS)
    maximum: int = Field(ge=0, le=MOST_WORKERS)
    by: Text = Field(max_length=100)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise wrong("minimum is above maximum", at=("minimum",))
        return self


class Workers(Machine):
    """The machines that do the work; all alike."""

    count: int = Field(2, ge=0, le=MOST_WORKERS, description="How many.")
    types: tuple[Text, ...] = Field(
        (),
        description="Exact names in the order in which they are tried, instead of `type`: the "
        "next one where the cloud has no room for the one before.",
        examples=[["m7i.xlarge", "m6i.xlarge"]],
    )
    min: int | None = Field(
        None,
        ge=0,
        description="The fewest workers: with these `roost up` succeeds where the cloud has no "
        "room for more (by default half of them); workers that follow the work are never fewer.",
    )
    max: int | None = Field(
        None,
        ge=1,
        le=MOST_WORKERS,
        description="The most workers. With it their number follows the work between `min` (or 0) "
        "and this, and begins with `count`: on your own machine by itself, on rented ones while "
        "`roost follow` runs.",
    )
    spot: Annotated[Market, WithJsonSchema({"enum": [True, False, "first"]})] = Field(
        False,
        description='Spot machines: cheaper, and the cloud may take them back; "first": spot '
        "where there is room, on-demand where there is none.",
    )
    max_price: Usd | None = Field(
        None,
        gt=0,
        le=MOST_PRICE,
        exclude_if=lambda found: found is None,  # records of before have no such key
        description="US dollars an hour for one spot machine, at most: none is rented above it. "
        "Without it the on-demand price is the most.",
        examples=[0.05],
    )
    follow: SkipJsonSchema[Followed | None] = Field(None, exclude_if=lambda found: found is None)

    @field_validator("follow")
    @classmethod
    def _only_in_records(cls, found: Followed | None, info: ValidationInfo) -> Followed | None:
        here = around(info)
        if found is not None and here is not None and not here.recorded:
            raise wrong("no key of a file", hint="max = 8, or: roost scale NAME 0..8")
        return found

    @field_validator("spot", mode="wrap")
    @classmethod
    def _one_of_three(cls, found: object, handler: ValidatorFunctionWrapHandler) -> Market:
        try:
            checked: Market = handler(found)
        except ValidationError as error:
            raise wrong("not one of the choices", allowed='true, false, "first"') from error
        return checked

    @field_validator("types")
    @classmethod
    def _known_types(cls, found: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        here = around(info)
        for number, one in enumerate(found):
            if one in found[:number]:
                raise wrong("named twice", at=(number,))
            if here is not None and here.types is not None:
                here.types.check(one, here.region, at=(number,))
        if here is not None and here.types is not None:
            here.types.check_alike(found)
        return found

    @property
    def exact(self) -> tuple[str, ...]:
        """The exact types to try, in order; none where the file says what they must have."""
        return self.types or super().exact

    @property
    def on_spot(self) -> bool:
        """True if they are requested as spot machines."""
        return self.spot is not False

    @property
    def quorum(self) -> int:
        """With how many the work can begin: ``min``, or half of them (rounded up)."""
        return self.min if self.min is not None else (self.count + 1) // 2

    @model_validator(mode="after")
    def _one_key_for_types(self) -> Self:
        if self.type is not None and self.types:
            what = '"type" and "types" say the same'
            raise wrong(what, hint="keep one of the two", at=("types",))
        return self

    @model_validator(mode="after")
    def _price_of_spot(self) -> Self:
        if self.max_price is not None and not self.on_spot:
            what = "only spot machines have a highest price"
            raise wrong(what, hint="spot = true", at=("max_price",))
        return self

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
    """The command of ``roost run NAME``."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="The program and its arguments, in the project's folder and environment.",
        examples=[["python", "main.py"]],
    )


class Cluster(Common):
    """A head, workers, and a scheduler that gives them work."""

    kind: Literal["cluster"] = Field(description="What it is.", examples=["cluster"])
    cloud: CloudName = Field(
        OWN_MACHINE,
        description="Where it runs: your own machine, AWS, or an OpenStack site.",
        json_schema_extra=choices(lambda: clouds_for("cluster")),
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
        Jupyter(),
        validate_default=True,
        description="JupyterLab on the head of a Dask cluster: whether, and what it opens.",
    )
    dask: Dask | None = Field(
        None,
        exclude_if=lambda found: found is None,  # records of before have no such key
        description="How Dask runs on all of them.",
    )
    run: Run | None = Field(None, description="What `roost run` does.")

    @field_validator("scheduler")
    @classmethod
    def _able_here(
        cls, found: Literal["dask", "slurm"], info: ValidationInfo
    ) -> Literal["dask", "slurm"]:
        here = around(info)
        rules = here.rules if here is not None else None
        if rules is not None and not rules.runs("cluster", found):
            allowed = f'"dask", or cloud = {quoted(clouds_for("cluster", found), " or ")}'
            raise wrong(f"{found.capitalize()} needs machines of its own", allowed=allowed)
        return found

    @field_validator("dask")
    @classmethod
    def _no_other_scheduler(cls, found: Dask | None, info: ValidationInfo) -> Dask | None:
        if found is not None and info.data.get("scheduler") == "slurm":
            raise wrong("its scheduler is Slurm", hint='leave it out, or scheduler = "dask"')
        return found

    @field_validator("jupyter")
    @classmethod
    def _beside_dask(cls, found: Jupyter, info: ValidationInfo) -> Jupyter:
        """Switch JupyterLab off for Slurm. Raises where the file asks for both."""
        if info.data.get("scheduler") != "slurm" or not found.enabled:
            return found
        here = around(info)
        if "enabled" in found.model_fields_set and (here is None or not here.recorded):
            raise wrong(
                "JupyterLab comes with Dask only",
                allowed='false, or scheduler = "dask"',
                at=("enabled",),
            )
        return found.model_copy(update={"enabled": False})

    def with_workers(self, **changed: Any) -> Cluster:
        """Return the same with these keys of ``[workers]`` changed; they are not checked."""
        return self.model_copy(update={"workers": self.workers.model_copy(update=changed)})
