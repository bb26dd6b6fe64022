"""The differences between clouds on a machine, behind one object (``platforms/protocol.py``).

``"platform"`` of the machine's facts names the module of ``platforms`` that has it, as its class
``Platform``. A machine that an older roost launched has no such word, and is EC2's.
Another cloud is another module, short, because user-data is; udev's rule (``90-roost.rules``)
must know the names of its disks too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from roost.machine.common import Machine

if TYPE_CHECKING:
    from roost.machine.platforms.protocol import Platform


def platform_of(machine: Machine) -> Platform:
    """Return the object of this machine's cloud."""
    name = machine.facts.get("platform", "ec2")
    return import_module(f"roost.machine.platforms.{name}").Platform()  # type: ignore[no-any-return]
