"""What stops the machines of a name: by the file, and as each machine says itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from roost.model.limits import Limits
from roost.model.resources import STATELESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.model.resources import State
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """What stops one machine: as its file says, and as it says itself (None: it did not answer)."""

    node: str
    file: Limits
    machine: Limits | None = None

    @property
    def enforced(self) -> Limits:
        """The limits that hold, as far as they are known."""
        return self.machine or self.file

    @property
    def differ(self) -> bool:
        """True if the machine enforces something else than its file says."""
        mine, file = self.enforced, self.file
        return (mine.idle_s, mine.end, mine.budget_usd) != (file.idle_s, file.end, file.budget_usd)


def stops_of(spec: Spec, state: State, told: Mapping[str, Limits]) -> tuple[Stops, ...]:
    """Return what stops each machine that decides for itself; workers follow their head,
    and a gateway all others."""
    from roost.recipes.rented import limits_of

    roles = {i.role for i in state.instances if i.role not in STATELESS}
    files, runs = {}, set()
    for role in roles:
        raw = limits_of(spec, role, {i.role: i.shape.type for i in state.instances})
        runs |= {role} if raw.get("run") else set()
        files[role] = Limits(
            idle_s=raw["idle"],
            end=datetime.fromisoformat(raw["end"]) if raw["end"] else None,
            budget_usd=raw["budget"]["usd"] if raw["budget"] else None,
            budget_unit=raw["budget"].get("unit") if raw["budget"] else None,
        )
    return tuple(
        Stops(
            node=i.name,
            file=_as_it_runs(files[i.role], told.get(i.name)) if i.role in runs else files[i.role],
            machine=told.get(i.name),
        )
        for i in state.instances
        if i.role in roles
    )


def _as_it_runs(file: Limits, machine: Limits | None) -> Limits:
    """Return the file's limits where it counts from the start: only the machine knows that."""
    return replace(file, end=machine.end) if machine is not None else file
