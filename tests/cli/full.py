"""A cloud in memory that has room only where a test says so, and what the tests ask of it."""

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import cast

from roost.cost.ledger import Ledger
from roost.cost.spent import There
from roost.errors import CapacityError
from roost.model.resources import State
from roost.model.steps import Reboot, Start, Step
from roost.providers.fake.cloud import FakeCloud
from roost.providers.machine_rights import MachineRights
from roost.providers.provider import Capabilities, Shell
from tests.cli.calling import Ran

NOWHERE = "m7i.2xlarge"
"""A type that there is, and of which this cloud has none where a test says so."""


OWN_MACHINE = Capabilities(shell=cast("Shell", SimpleNamespace(page=lambda _: None)))
"""It rents nothing, and is reached without a connection."""


class Full(FakeCloud):
    """As on EC2, starting needs room too, and what runs has an address; it notes restarts.

    A fixed address of ``seat-3`` is 203.0.113.3; of a machine without a number, 203.0.113.0.
    """

    restarted: tuple[str, ...] = ()
    rights: MachineRights | None = None

    @property
    def can(self) -> Capabilities:
        own = super().can
        return replace(own, history=self, machine_rights=self.rights) if own.rents else own

    def history(self, name: str, moment: datetime) -> tuple[Ledger, There]:
        del name
        return Ledger(), There((), began=int(moment.timestamp()), now=int(moment.timestamp()))

    def observe(self, name: str) -> State:
        seen = super().observe(name)
        up = (
            replace(i, address="192.0.2.7") if i.state == "running" else i for i in seen.instances
        )
        fixed = (
            replace(a, ip=f"203.0.113.{''.join(filter(str.isdigit, a.name)) or 0}")
            for a in seen.addresses
        )
        return replace(seen, instances=tuple(up), addresses=tuple(fixed))

    def apply(self, name: str, step: Step) -> None:
        if isinstance(step, Reboot):
            self.restarted += step.names
        if isinstance(step, Start):
            types = {i.name: i.shape.type for i in self.observe(name).instances}
            if any(self.weather.capacity.get(types[one]) == 0 for one in step.names):
                raise CapacityError(f"InsufficientInstanceCapacity: {types[step.names[0]]}")
        super().apply(name, step)


def done(told: Ran) -> str:
    assert told.code == 0, told.err
    return told.err


def machines(state: State) -> dict[str, tuple[str, str]]:
    return {i.name: (i.shape.type, i.state) for i in state.instances}


def ids(state: State) -> dict[str, str]:
    return {i.name: i.id for i in state.instances}
