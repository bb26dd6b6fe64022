"""The limits of a file on the user's own machine: a Dask cluster of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.errors import UsageError
from roost.model.resources import Shape
from roost.providers.rules import Launch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from roost.model.host import Host
    from roost.model.resources import Role
    from roost.providers.rules import Types
    from roost.reach import Reach
    from roost.spec import Spec
    from roost.spec.machine import Machine

SHARE = 0.8
"""The part of the host's memory that the workers may use between them."""


class LocalRules:
    """The user's own machine: nothing is rented, and nothing has a type, a disk or a region."""

    name = "local"
    title = "your own machine"
    rents = False
    needs_table = ""
    reaches: tuple[Reach, ...] = ("public",)
    most_rules = None
    launch = Launch()
    reserved_tags = ()
    types = None
    disks = None
    regions = None

    def types_for(self, tables: Collection[str]) -> Types | None:
        """Return those of the provider whose table the file has: it is meant to run there later."""
        from roost.providers.rules import every_rules

        for rules in every_rules():
            if rules.name in tables and rules.types is not None:
                return rules.types
        return None

    def runs(self, kind: str, scheduler: str = "") -> bool:
        """Tell whether processes can be this: only a Dask cluster needs no machines of its own."""
        return kind == "cluster" and scheduler in ("", "dask")

    def check_image(self, image: str) -> None:
        """Accept any: processes have no image."""

    def login_user(self, image: str) -> str:
        """Return nobody: there is no login."""
        del image
        return ""

    def shape(self, spec: Spec, machine: Machine, role: Role, host: Host) -> Shape:
        """Return a process: a worker gets its fair share of the memory."""
        del machine
        if spec.kind != "cluster" or not self.runs(spec.kind, spec.scheduler):
            what = f"{spec.kind} with slurm" if spec.kind == "cluster" else spec.kind
            raise UsageError(
                f"a {what} needs machines of its own; your own machine can be a Dask cluster",
                next="roost plan FILE --cloud aws",
            )
        if role == "head":
            return Shape(type="process", cpus=1, memory_gib=0)
        threads = spec.local.threads
        most = max(spec.workers.count, spec.workers.max or 0)
        share = host.memory_gib * SHARE / max(host.cpus, most * threads)
        memory = spec.local.memory or max(1.0, round(share * threads, 1))
        return Shape(type="process", cpus=threads, memory_gib=memory)

    def set_up(self, spec: Spec) -> Mapping[str, Any]:
        """Return what every process works with: threads, memory, the folder, Dask's options."""
        assert spec.kind == "cluster"
        options = {} if spec.dask is None else {"dask": spec.dask.model_dump(mode="json")}
        return {
            **options,
            "environment": "",  # a link, which leads to another one while all of it runs
            # Not the shape: a worker's share of the memory follows the number of workers.
            "local": spec.local.model_dump(mode="json"),
            "project": str(spec.environment.project or spec.folder),
        }

    def price_region(self, spec: Spec) -> None:
        """Return None: it has no prices."""
        del spec

    def site_prices(self, spec: Spec | None) -> None:
        """Return None: a file brings no prices."""
        del spec

    def place(self, spec: Spec) -> str:
        """Return ``"your own machine"``."""
        del spec
        return self.title


def rules() -> LocalRules:
    """Return the rules, for the registry."""
    return LocalRules()
