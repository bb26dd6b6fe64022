"""What is handed over to each machine of a name, from its spec. Pure.

The base comes with the launch, in user-data; this comes by ssh after the boot: it may be long, and
it holds what only the name's own machines may know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from roost.recipes.base import Context, UploadSource
from roost.recipes.step import Step, digest

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The steps of one role's machines. ``secret_generators`` are programs that make the
    ``shared`` secrets, on the head, where they are not made yet."""

    steps: tuple[Step, ...]
    secret_generators: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Changes with whatever a machine would do."""
        return digest([step.to_json() for step in self.steps])

    @property
    def uploads(self) -> frozenset[str]:
        """The checksums of what the steps need."""
        return frozenset(one.sha256 for step in self.steps for one in step.uploads)

    def document(self) -> str:
        """The file that the machine reads."""
        steps = [step.to_json() for step in self.steps]
        return json.dumps({"digest": self.digest, "steps": steps}, indent=1) + "\n"


def handover_of(spec: Spec, role: Role, context: Context) -> Handover:
    """What machines of ``role`` get."""
    return Handover(
        steps=steps_of(spec, role, context),
        secret_generators=_makers(spec) if role == "head" else {},
        shared=_shared(spec) if role == "head" else (),
    )


def steps_of(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """All steps, in order."""
    from roost.recipes import sync

    return (*_of_kind(spec, role, context), *sync.steps(spec, role))


def _of_kind(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    if spec.kind == "desktop":
        from roost.recipes.apps import pixinsight, scipion
        from roost.recipes.desktop import desktop

        software = (*pixinsight.steps(spec, context), *scipion.steps(spec, context))
        return (*desktop.steps(spec), *software)
    if spec.kind == "cluster":
        from roost.recipes.apps import languages
        from roost.recipes.dask import remote
        from roost.recipes.slurm import shared, slurm

        common = (*shared.steps(spec, role), *languages.steps(spec, role, context.uploads))
        if spec.scheduler == "slurm":
            return (*common, *slurm.steps(spec, role, context.workers))
        return (*common, *remote.steps(spec, role, context.uploads))
    return ()


def uploads_of(spec: Spec) -> dict[str, UploadSource]:
    """What must be brought, by key."""
    if spec.kind == "desktop":
        from roost.recipes.apps import pixinsight

        return {key: UploadSource(path=path) for key, path in pixinsight.uploads(spec).items()}
    if spec.kind == "cluster" and spec.scheduler == "dask":
        from roost.recipes.dask import remote

        return remote.uploads(spec)
    from roost.recipes.apps import languages

    return languages.uploads(spec)


def secrets_of(spec: Spec, role: Role) -> dict[str, Path]:
    """The user's own secrets that a machine needs, by name: files of this computer."""
    if role != "desktop":
        return {}
    from roost.recipes.apps import pixinsight

    return pixinsight.secrets(spec)


def _makers(spec: Spec) -> dict[str, str]:
    from roost.recipes.dask import remote
    from roost.recipes.slurm import slurm

    dask = spec.kind == "cluster" and spec.scheduler == "dask"
    return remote.secret_generators() if dask else slurm.secret_generators(spec)


def _shared(spec: Spec) -> tuple[str, ...]:
    from roost.recipes.dask import remote
    from roost.recipes.slurm import slurm

    dask = spec.kind == "cluster" and spec.scheduler == "dask"
    return remote.SHARED if dask else slurm.SHARED
