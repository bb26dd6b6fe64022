"""What a cloud's module has to answer on a machine. No machine needs this file."""

from __future__ import annotations

from typing import Protocol

from roost.machine.common import Machine


class Platform(Protocol):
    """One cloud's answers."""

    def launch_index(self) -> int:
        """Return this machine's number in its launch, from 0. Raises OSError without an answer."""

    def device(self, machine: Machine, wanted: str) -> str | None:
        """Return the path of a volume's device (``wanted`` in the facts); None until it is there.

        ``wanted`` is EC2's name of the device, and on OpenStack a slot: the server's metadata
        names the volume of each.
        """

    def stop(self) -> None:
        """Switch this machine off, so that its cloud counts it as stopped."""

    def trouble(self) -> str:
        """Return why ``stop`` would not end what this machine costs, though it should; or "".

        It is asked for once, at the end of a hand-over.
        """
