"""An icon on the desktop, and in its menu, that starts a program without a question. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from roost.recipes.programs import program
from roost.recipes.step import Command, File

TRUST = "/usr/lib/roost/icon-trust"
PACKAGES = ("gvfs", "libglib2.0-bin", "dbus")


@dataclass(frozen=True, slots=True)
class Icon:
    """The desktop entry ``entry``, as ``name`` (``"PixInsight.desktop"``)."""

    name: str
    entry: str

    @property
    def files(self) -> tuple[File, ...]:
        """The entry in everybody's menu, and on the user's desktop."""
        return (
            File(TRUST, program("icon-trust"), "0755"),
            File(f"/usr/local/share/applications/{self.name}", self.entry),
            File(f"~/Desktop/{self.name}", self.entry, "0755", "user"),
        )

    @property
    def command(self) -> Command:
        """The command that makes the desktop trust the icon and start it without a question."""
        return Command(argv=(TRUST, self.name), user="user", seconds=60)
