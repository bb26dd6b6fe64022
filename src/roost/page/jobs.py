"""What was begun on the page: each verb in a thread, with its progress and its questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING

from roost.errors import BusyError, NeedsConfirmationError, RoostError
from roost.log import debug
from roost.model.steps import describe
from roost.session import Session

if TYPE_CHECKING:
    from roost.model.place import Place
    from roost.model.resources import State
    from roost.provision.machines import News
    from roost.reconcile.loop import Progress
    from roost.transfer.job import Outcome, Transfer
    from roost.transfer.job import Progress as Transferred

PATIENCE = 900.0
"""Seconds that a question waits for its answer; what it holds is held for as long."""
MOST_LINES = 500
MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a job waits for: a yes or, with a ``word``, that word typed."""

    text: str
    word: str | None = None


class Job:
    """One verb at work on one name: the Reporter and the Consent of its session."""

    def __init__(
        self, number: int, name: str, title: str, changed: Callable[[], None], on: str = ""
    ) -> None:
        self.number, self.name, self.title, self.on = number, name, title, on
        self.lines: tuple[str, ...] = ()
        self.state = "running"
        self.question: Question | None = None
        self._answer: str | None = None
        self._waiting = Condition()
        self._changed = changed
        self._said: dict[str, str] = {}

    # --- Reporter ---------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Add one line."""
        self.lines = (*self.lines[-MOST_LINES + 1 :], text)
        self._changed()

    def warn(self, text: str) -> None:
        """Add one line."""
        self.say(text)

    @contextmanager
    def steps(
        self, title: str, total: int, done: Callable[[State], int]
    ) -> Iterator[Callable[[Progress], None]]:
        """Add a line for each step, and for each change of a machine."""
        del title

        def watch(progress: Progress) -> None:
            if progress.step is not None:
                self.say(describe(progress.step))
            for one in progress.state.instances:
                self._news(one.name, f"{one.state}{': ' if one.note else ''}{one.note}")
            if total:
                self._news("", f"{done(progress.state)} of {total}")

        yield watch

    @contextmanager
    def machines(self, title: str, total: int) -> Iterator[Callable[[News], None]]:
        """Add a line for each step of a machine's set-up."""
        del title, total
        yield lambda news: self._news(news.node, news.text)

    @contextmanager
    def transfers(self) -> Iterator[Callable[[str, str, Transferred], None]]:
        """Show nothing of copies: no verb of the page makes one that is shown."""
        yield lambda *_: None

    def transfer_plan(self, transfer: Transfer, plan: Outcome) -> None:
        """Show nothing, as above."""

    def _news(self, key: str, text: str) -> None:
        if self._said.get(key) != text:
            self._said[key] = text
            self.say(f"{key}: {text}" if key else text)

    # --- Consent ----------------------------------------------------------------------------------

    def ask(self, question: str, refused: NeedsConfirmationError) -> None:
        """Get a yes from the page."""
        answer = self._wait(Question(question), refused)
        if answer != "yes":
            raise NeedsConfirmationError("cancelled; nothing was changed")

    def type_name(
        self, word: str, warning: str, refused: NeedsConfirmationError, *, in_file: bool = False
    ) -> None:
        """Get the name of what will be destroyed typed on the page."""
        del in_file
        typed = self._wait(Question(warning, word), refused).strip()
        if typed != word:
            raise NeedsConfirmationError(
                f'you typed "{typed}", not {word}: cancelled; nothing was changed'
            )

    def _wait(self, question: Question, refused: NeedsConfirmationError) -> str:
        with self._waiting:
            self._answer, self.question = None, question
            self._changed()
            self._waiting.wait_for(lambda: self._answer is not None, PATIENCE)
            answer, self.question = self._answer, None
        self._changed()
        if answer is None:
            raise refused
        return answer

    def answer(self, text: str) -> None:
        """Give the answer to its question; nothing where it has none (any more)."""
        with self._waiting:
            if self.question is not None:
                self._answer = text
                self._waiting.notify()

    # --- its work ---------------------------------------------------------------------------------

    def work(self, verb: Callable[[Session], object], session: Session) -> None:
        """Do it, and keep how it ended."""
        try:
            verb(session)
            self.state = "done"
        except RoostError as error:
            lines = [error.what, *(f"exists: {one}" for one in error.exists), error.costs]
            lines.append(f"next: {error.next}" if error.next else "")
            self.lines = (*self.lines, *(one for one in lines if one))
            self.state = "failed"
        except Exception as error:  # a thread's error is told on the page, or by nobody
            debug("page", f"{self.title}: {error!r}")
            self.lines = (*self.lines, f"roost failed: {type(error).__name__}: {error}")
            self.state = "failed"
        self._changed()


class Jobs:
    """All that was begun since the page was opened. ``version`` grows with all that is new."""

    def __init__(self, place: Place) -> None:
        self.place, self.version = place, 0
        self.all: dict[int, Job] = {}
        self._threads: list[Thread] = []
        self._count = 0

    def begin(
        self, name: str, verb: str, do: Callable[[Session], object], *, seat: str = "", on: str = ""
    ) -> Job:
        """Begin a verb on a name, or on one ``seat`` of it.

        Raises BusyError where the same name has something at work ``on`` the same part of it.
        """
        which = f"{name}/{seat}" if seat else name
        there = [one for one in self.all.values() if one.name == name and one.on == on]
        if any(one.state == "running" for one in there):
            raise BusyError(f"something is at work on {which} already")
        self._count += 1
        job = Job(self._count, name, f"{verb} {which}", self._changed, on)
        session = Session(reporter=job, consent=job, place=self.place, command=f"roost {verb}")
        ended = [number for number, one in self.all.items() if one.state != "running"]
        for number in ended[: max(0, len(self.all) + 1 - MOST_JOBS)]:
            del self.all[number]
        self.all[job.number] = job
        thread = Thread(target=job.work, args=(do, session), daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()
        return job

    def running(self) -> tuple[Job, ...]:
        """Return what is at work."""
        return tuple(one for one in self.all.values() if one.state == "running")

    def finish(self) -> None:
        """Answer open questions with no, and wait for what is at work."""
        while any(thread.is_alive() for thread in self._threads):
            for job in self.running():
                job.answer("")
            for thread in self._threads:
                thread.join(0.2)

    def _changed(self) -> None:
        self.version += 1
