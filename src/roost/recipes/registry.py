"""The hand-over to each machine of a name, from its spec. Pure.

The base comes with the launch, in user-data; this comes by ssh after the boot: it may be long, and
it holds what only the name's own machines may know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roost.model.resources import GATEWAY
from roost.recipes.base import Context, Recipe, UploadSource
from roost.recipes.programs import program
from roost.recipes.step import Step, digest

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

DESKTOP = (
    *("people", "variables", "gpu", "desktop.desktop", "apps.pixinsight", "apps.scipion"),
    *("setup", "sync"),
)
RECIPES = {
    ("desktop", ""): DESKTOP,
    ("cluster", "dask"): (
        "people",
        "variables",
        "reports",
        "gpu",
        "slurm.shared",
        "apps.languages",
        "setup",
        "dask.remote",
        "sync",
    ),
    ("cluster", "slurm"): (
        "people",
        "variables",
        "reports",
        "gpu",
        "slurm.shared",
        "apps.languages",
        "setup",
        "slurm.slurm",
        "sync",
    ),
    ("classroom", ""): DESKTOP,
    ("gateway", ""): ("people", "gateway"),
}
"""Modules with a ``RECIPE`` by kind and scheduler, in the order of their steps. A gateway's are the
same for all kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The steps of one role's machines. ``secret_generators`` are programs that make the
    ``shared`` secrets, on the head, where they are not made yet. ``limits`` are those of the file
    (idle, end, budget); None leaves a machine's as they are. ``right`` is the id of the right on
    itself that the machine has from now on."""

    steps: tuple[Step, ...]
    secret_generators: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    limits: Mapping[str, Any] | None = None
    right: str = ""

    @property
    def digest(self) -> str:
        """The digest of the steps: it changes with whatever a machine would do."""
        return digest([step.to_json() for step in self.steps])

    @property
    def uploads(self) -> frozenset[str]:
        """The checksums of what the steps need."""
        return frozenset(one.sha256 for step in self.steps for one in step.uploads)

    def document(self) -> str:
        """Return the file that the machine reads."""
        steps = [step.to_json() for step in self.steps]
        more: dict[str, Any] = {} if self.limits is None else {"limits": self.limits}
        more |= {"right": self.right} if self.right else {}
        return json.dumps({"digest": self.digest, **more, "steps": steps}, indent=1) + "\n"


def recipes(kind: str, scheduler: str = "") -> tuple[Recipe, ...]:
    """Return the recipes of a kind of name, in order."""
    names = RECIPES[kind, scheduler]
    return tuple(import_module(f"roost.recipes.{name}").RECIPE for name in names)


def handover_of(spec: Spec, role: Role, context: Context) -> Handover:
    """Return all that machines of ``role`` get."""
    steps, given = steps_of(spec, role, context), _recipes(spec)
    if role != "head":
        return Handover(steps=steps)
    generators = {name: file for one in given for name, file in one.secret_generators.items()}
    return Handover(
        steps=steps,
        secret_generators={name: program(file) for name, file in generators.items()},
        shared=tuple(name for one in given for name in one.shared),
    )


def steps_of(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """Return all steps, in order."""
    given = recipes("gateway") if role == GATEWAY else _recipes(spec)
    return tuple(step for one in given for step in one.steps(spec, role, context))


def uploads_of(spec: Spec) -> dict[str, UploadSource]:
    """Return all that must be uploaded, by key."""
    return {key: source for one in _recipes(spec) for key, source in one.uploads(spec).items()}


def secrets_of(spec: Spec) -> dict[str, Path]:
    """Return the user's own secrets that a machine needs, by name: files of this computer."""
    return {name: file for one in _recipes(spec) for name, file in one.secrets(spec).items()}


def _recipes(spec: Spec) -> tuple[Recipe, ...]:
    return recipes(spec.kind, spec.scheduler if spec.kind == "cluster" else "")
