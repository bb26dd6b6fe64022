"""The command line as a front end: a Reporter and a Consent on this terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from roost.cli.options import TAKE_OVER
from roost.cli.output import interactive, say
from roost.errors import NeedsConfirmationError
from roost.model.place import NOWHERE, Place
from roost.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.model.resources import State
    from roost.provision.machines import News
    from roost.reconcile.loop import Progress
    from roost.transfer.job import Outcome, Transfer
    from roost.transfer.job import Progress as Transferred


class Terminal:
    """The Reporter and the Consent of a terminal: report on stderr, ask where a person is there.

    ``yes`` answers every question but the typing of a name; ``no_input`` asks nothing; ``quiet``
    tells only what is not in order.
    """

    def __init__(self, *, yes: bool = False, no_input: bool = False, quiet: bool = False) -> None:
        self.yes, self.no_input, self.quiet = yes, no_input, quiet

    def say(self, text: str) -> None:
        """Tell one line."""
        if not self.quiet:
            say(text)

    def warn(self, text: str) -> None:
        """Tell one line, even if quiet."""
        say(text)

    def steps(
        self, title: str, total: int, done: Callable[[State], int]
    ) -> AbstractContextManager[Callable[[Progress], None]]:
        """Show a reconcile loop: a bar, or a line for each step."""
        from roost.cli.progress import watching

        return watching(title, total, done)

    def machines(self, title: str, total: int) -> AbstractContextManager[Callable[[News], None]]:
        """Show how far machines are with their set-up."""
        from roost.cli.progress import following

        return following(title, total)

    def transfers(self) -> AbstractContextManager[Callable[[str, str, Transferred], None]]:
        """Show copies of data."""
        from roost.cli.text.sync import transferring

        return transferring(quiet=self.quiet)

    def transfer_plan(self, transfer: Transfer, plan: Outcome) -> None:
        """Show what one copy of data will do and cost."""
        from roost.cli.text.sync import show_plan

        show_plan(transfer, plan, quiet=self.quiet)

    def ask(self, question: str, refused: NeedsConfirmationError) -> None:
        """Get a yes, from the option or from the person at the terminal."""
        if self.yes:
            return
        if self.no_input or not interactive():
            raise refused
        if not click.confirm(question, err=True):
            raise NeedsConfirmationError("cancelled; nothing was changed")

    def type_name(
        self, word: str, warning: str, refused: NeedsConfirmationError, *, in_file: bool = False
    ) -> None:
        """Get the name of what will be destroyed typed; a yes is enough for what the file says."""
        if in_file and self.yes:
            return
        if self.no_input or not interactive():
            raise refused
        say(warning)
        typed = click.prompt(f"Type its name ({word}) to continue", err=True, default="")
        if typed.strip() != word:
            raise NeedsConfirmationError(
                f'you typed "{typed.strip()}", not {word}: cancelled; nothing was changed'
            )


def session(
    place: Place = NOWHERE, *, yes: bool = False, no_input: bool = False, quiet: bool = False
) -> Session:
    """Return the session of the running command."""
    terminal = Terminal(yes=yes, no_input=no_input, quiet=quiet)
    context = click.get_current_context(silent=True)
    command = context.command_path if context else "roost up"
    return Session(
        reporter=terminal,
        consent=terminal,
        place=place,
        command=command,
        take_over=bool(context and context.meta.get(TAKE_OVER)),
    )
