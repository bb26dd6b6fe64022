"""The session of a use case: its clouds and region, its reporter, and its consent.

The use cases print nothing and ask nothing by themselves. A front end (the command line, a page,
Python) makes a Session with its own Reporter and Consent.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from roost.model.place import NOWHERE, Place

if TYPE_CHECKING:
    from roost.errors import NeedsConfirmationError
    from roost.model.resources import State
    from roost.provision.machines import News
    from roost.reconcile.loop import Progress
    from roost.transfer.job import Outcome, Transfer
    from roost.transfer.job import Progress as Transferred


class Reporter(Protocol):
    """The receiver of progress and messages. Nothing that it does may end the work."""

    def say(self, text: str) -> None:
        """Tell one line."""
        ...

    def warn(self, text: str) -> None:
        """Report one line, also where only problems are shown."""
        ...

    def steps(
        self, title: str, total: int, done: Callable[[State], int]
    ) -> AbstractContextManager[Callable[[Progress], None]]:
        """Show a reconcile loop; it is complete when ``done`` of the state gives ``total``."""
        ...

    def machines(self, title: str, total: int) -> AbstractContextManager[Callable[[News], None]]:
        """Show how far ``total`` machines are with their set-up; called by many threads."""
        ...

    def transfers(self) -> AbstractContextManager[Callable[[str, str, Transferred], None]]:
        """Show copies of data; yield a function of a key, a prefix and that copy's progress."""
        ...

    def transfer_plan(self, transfer: Transfer, plan: Outcome) -> None:
        """Show what one copy of data will do and cost, before it is done."""
        ...


class Consent(Protocol):
    """The person to ask before money is spent or data is lost."""

    def ask(self, question: str, refused: NeedsConfirmationError) -> None:
        """Get a yes. Raises ``refused`` if no person can be asked, NeedsConfirmationError for no.

        ``refused`` says what exists and which command says yes without a question.
        """
        ...

    def type_name(
        self, word: str, warning: str, refused: NeedsConfirmationError, *, in_file: bool = False
    ) -> None:
        """Get ``word`` typed, the name of what will be destroyed. A general yes is not enough,
        unless it is ``in_file``: the user's own file says that it goes.

        Raises ``refused`` where no person can be asked, NeedsConfirmationError for another word.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command of one user. ``command`` is what was typed, for locks and for hints.

    ``take_over``: what is another's may be changed, and is this user's then.
    """

    reporter: Reporter
    consent: Consent
    place: Place = NOWHERE
    command: str = "roost"
    take_over: bool = False

    def say(self, text: str) -> None:
        """Tell one line."""
        self.reporter.say(text)

    def warn(self, text: str) -> None:
        """Tell one line of what is not in order."""
        self.reporter.warn(text)
