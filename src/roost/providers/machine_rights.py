"""Limited rights of machines on themselves: a capability of clouds where "off" costs money too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from roost.model.resources import Instance, State
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRight:
    """The right of one machine: its id, which is no secret, and the files that are brought to it.

    No files: what it has is good, or there is none.
    """

    id: str = ""
    secrets: Mapping[str, bytes] = field(default_factory=dict)


class RightsHandout(Protocol):
    """The rights of the machines of one name, during one hand-over; asked by many threads."""

    def right(self, instance: Instance, held: str) -> MachineRight:
        """Return the right of a machine, which has that of the id ``held``; "" for none."""
        ...

    def end(self, ready: frozenset[str]) -> tuple[str, ...]:
        """Delete what is replaced, where ``ready`` machines have theirs; return notes for the user.

        A machine without a right is no failure: its guard powers it off.
        """
        ...


class MachineRights(Protocol):
    """Limited rights of machines on themselves, with which their guards end what they cost.

    Only where a machine that has switched itself off goes on costing.
    """

    def begin(self, spec: Spec, state: State) -> RightsHandout:
        """Begin to hand them out to the machines of a name; nothing is asked or made yet."""
        ...
