"""The progress of a loop: a bar on a terminal, plain lines anywhere else. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from roost.cli.output import say
from roost.model.steps import describe, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.model.resources import State
    from roost.provision.machines import News
    from roost.reconcile.loop import Progress


@contextmanager
def watching(
    title: str, total: int, done: Callable[[State], int]
) -> Iterator[Callable[[Progress], None]]:
    """Yield a function to give to ``reconcile``; the bar is full when ``done`` says ``total``."""
    if sys.stderr.isatty():
        with _bar(title, total, done) as watch:
            yield watch
    else:
        yield Lines().watch


class Lines:
    """A line for every step and every change of an instance, with the seconds since the start."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.said: dict[str, str] = {}
        self.notes = 0

    def watch(self, progress: Progress) -> None:
        """Say what is new."""
        if progress.step is not None:
            self._say(describe(progress.step))
            return
        for note in progress.state.notes[self.notes :]:
            self._say(note)
        self.notes = len(progress.state.notes)
        for now, names in self._news(progress.state).items():
            self._say(f"{shorten(names)}: {now}")

    def hear(self, news: News) -> None:
        """Say how far a machine is, if it is further."""
        if self.said.get(news.node) != news.text:
            self.said[news.node] = news.text
            self._say(f"{news.node}: {news.text}")

    def _news(self, state: State) -> dict[str, tuple[str, ...]]:
        """Return the new states, each with its instances: a hundred that start are one line."""
        news: dict[str, tuple[str, ...]] = {}
        for instance in state.instances:
            now = f"{instance.state}{': ' if instance.note else ''}{instance.note}"
            if self.said.get(instance.name) != now:
                self.said[instance.name] = now
                news[now] = (*news.get(now, ()), instance.name)
        return news

    def _say(self, text: str) -> None:
        say(f"[{time.monotonic() - self.begun:5.1f} s] {text}")


@contextmanager
def _bar(
    title: str, total: int, done: Callable[[State], int]
) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(*_columns(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=max(total, 1), note="")
        noted: list[str] = []

        def watch(progress: Progress) -> None:
            for said in progress.state.notes[len(noted) :]:
                noted.append(said)
                bar.console.print(said, markup=False, highlight=False)
            note = describe(progress.step) if progress.step else _note(progress)
            bar.update(task, completed=done(progress.state), note=note)

        yield watch


def _columns() -> list[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    return [
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    ]


def _note(progress: Progress) -> str:
    busy = [f"{i.name}: {i.note}" for i in progress.state.instances if i.note]
    return click.unstyle(busy[0]) if busy else ""


# --- machines that set themselves up -------------------------------------------------------------


@contextmanager
def following(title: str, total: int) -> Iterator[Callable[[News], None]]:
    """Yield a function that takes the progress of each machine, from many threads."""
    if not sys.stderr.isatty():
        lines = Lines()
        yield lines.hear
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(*_columns(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=max(total, 1), note="")
        ready: set[str] = set()

        def watch(news: News) -> None:
            if news.state != "working":
                ready.add(news.node)
            if news.state == "failed":
                bar.console.print(f"{news.node}: {news.text}", markup=False, highlight=False)
            note = f"{news.node}: {news.text}"
            bar.update(task, completed=len(ready), note=note)

        yield watch
