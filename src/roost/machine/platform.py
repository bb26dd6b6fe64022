"""The differences between clouds on a machine, behind one object.

``"platform"`` of the machine's facts names the module of ``platforms`` that has it, as its class
``Platform``. A machine that an older roost launched has no such word, and is EC2's.
A second cloud is a second module, short, because user-data is; udev's rule (``90-roost.rules``)
must know the names of its disks too.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from roost.machine.common import Machine


class Platform(Protocol):
    """One cloud's answers."""

    def launch_index(self) -> int:
        """Return this machine's number in its launch, from 0. Raises OSError without an answer.

        OpenStack: ``launch_index`` of the metadata service's ``meta_data.json``.
        """

    def device(self, machine: Machine, wanted: str) -> str | None:
        """Return the path of a volume's device (``wanted`` in the facts); None until it is there.

        OpenStack: ``wanted`` is the volume's id, whose first 20 characters are its disk's serial.
        """

    def stop(self) -> None:
        """Switch this machine off, so that its cloud counts it as stopped.

        OpenStack: a server that is off may cost as much as one that runs; only its provider can
        shelve it.
        """


def platform_of(machine: Machine) -> Platform:
    """Return the object of this machine's cloud."""
    name = machine.facts.get("platform", "ec2")
    found: Platform = import_module(f"roost.machine.platforms.{name}").Platform()
    return found
