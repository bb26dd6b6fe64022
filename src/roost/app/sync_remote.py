"""Syncs on rented machines: one after the other on each, all machines at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roost.app.sync_local import Wish, check, confirm
from roost.cli.output import say
from roost.cli.text.remote_sync import Board, as_json, shown, tell_done, tell_plan
from roost.errors import PartlyDoneError, RoostError, command_line
from roost.transfer.remote.protocol import ANY, Job, Outcome, Progress

if TYPE_CHECKING:
    from roost.model.resources import Instance, State
    from roost.providers.provider import Cloud
    from roost.provision.machines import Machines
    from roost.session import Session

MOST_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class Task:
    """One sync of one machine; ``source`` and ``target`` as people say them."""

    instance: Instance
    job: Job
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class End:
    """How one ended."""

    task: Task
    outcome: Outcome | None = None
    error: RoostError | None = None

    def json(self) -> dict[str, Any]:
        """As the schema of ``roost sync`` has it."""
        outcome = self.outcome or Outcome(failed=((self.task.source, str(self.error)),))
        return as_json(outcome, self.task.source, self.task.target)


def job_of(source: str, target: str, wish: Wish) -> Job:
    """What the options wish, for a machine. Raises UsageError where they make no sense."""
    job = Job(
        source=source,
        target=target,
        where=wish.where,
        options=wish.options,
        verify=wish.verify,
        move=wish.move,
        watch=wish.watch,
        janitors=tuple(f"{one.waste}={one.wanted}" for one in wish.janitors),
        dry_run=wish.dry_run,
        agreed=ANY if wish.yes else None,
    )
    check(wish, up=job.up)
    return job


def carry_out(
    session: Session, cloud: Cloud, state: State, tasks: Sequence[Task], wish: Wish
) -> list[End]:
    """All of it, and say how it went. Raises RoostError where there is one task, and it failed."""
    from roost.provision.machines import Machines
    from roost.ssh.connection import host_keys_of

    machines = Machines(state, host_keys_of(cloud, session.say), lambda _: None, patience=60)
    home = cloud.region
    ends = _all(machines, tasks, wish, home)
    asking = [end for end in ends if end.outcome and end.outcome.asks and not wish.dry_run]
    if asking:
        confirm(sum(len(end.outcome.to_delete) for end in asking if end.outcome), wish)
        again = _all(machines, [_agreed(end) for end in asking], wish, home, told=True)
        done = {(end.task.source, end.task.target): end for end in again}
        ends = [done.get((end.task.source, end.task.target), end) for end in ends]
        _changed(ends)
    for end in ends:
        if end.outcome is not None:
            tell_done(end.outcome, quiet=wish.quiet)
    if len(ends) == 1 and ends[0].error is not None:
        raise ends[0].error
    return ends


def _agreed(end: End) -> Task:
    assert end.outcome is not None
    return replace(end.task, job=replace(end.task.job, agreed=end.outcome.deletions))


def _changed(ends: list[End]) -> None:
    for end in ends:
        if end.outcome is not None and end.outcome.asks:
            raise PartlyDoneError(
                f"{end.task.target}: what would be deleted is not what was shown any more; nothing"
                " was changed",
                next="the same command again",
            )


def judge(ends: Sequence[End]) -> None:
    """Raise PartlyDoneError where something is not in order."""
    from roost.app import sync_local

    troubles = [trouble for end in ends for trouble in _troubles(end, alone=len(ends) == 1)]
    sync_local.judge(troubles)


def _troubles(end: End, *, alone: bool) -> list[tuple[str, str]]:
    if end.error is not None:
        return [(end.task.source, end.error.what)]
    before = "" if alone else f"{end.task.instance.name}: "
    assert end.outcome is not None
    return [(f"{before}{name}", why) for name, why in end.outcome.failed]


def _all(
    machines: Machines, tasks: Sequence[Task], wish: Wish, home: str, *, told: bool = False
) -> list[End]:
    """Every machine has its own queue (but what watches never ends, and has one for itself).

    ``told``: people have seen the plans.
    """
    queues: dict[str, list[Task]] = {}
    for task in tasks:
        alone = f" {task.source}" if wish.watch else ""
        queues.setdefault(f"{task.instance.name}{alone}", []).append(task)
    board = Board()
    runner = _Runner(machines, board, wish, home, many=len(tasks) > 1, told=told)
    with shown(board.text, quiet=wish.quiet), ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        futures = [pool.submit(runner.queue, queue) for queue in queues.values()]
        try:
            wait(futures)
        except BaseException:
            machines.end()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [end for future in futures for end in future.result()]


@dataclass(frozen=True, slots=True)
class _Runner:
    machines: Machines
    board: Board
    wish: Wish
    home: str
    many: bool
    told: bool

    def queue(self, tasks: Sequence[Task]) -> list[End]:
        """One after the other; what fails keeps no other from going on."""
        ends = []
        for number, task in enumerate(tasks):
            try:
                if not number:
                    self._ready(task.instance)
                ends.append(End(task, self._one(task)))
            except RoostError as error:
                if self.many:
                    say(f"{task.source}: {error.what}")
                ends.append(End(task, error=error))
        return ends

    def _ready(self, instance: Instance) -> None:
        """Raise RoostError where its set-up is not done."""
        self.machines.peek(instance)
        now = self.machines.status(instance)
        if now != "ready":
            name = self.machines.state.name
            raise RoostError(
                f"{instance.name} of {name} is not ready: {now or 'its set-up has not begun'}",
                next=command_line("roost", "up", name),
            )

    def _one(self, task: Task) -> Outcome:
        from roost.transfer.remote.client import run_there

        before = f"{task.instance.name}: " if self.many else ""
        told: list[Outcome] = []

        def tell(news: Progress) -> None:
            self.board.hear(f"{task.instance.name} {task.source}", before, news)
            if news.planned is not None and not told:
                told.append(news.planned)
                self._plan(task, news.planned)

        def note(text: str) -> None:
            if not self.wish.quiet:
                say(text)

        if task.job.watch:
            note(f"watching {task.source}, also without this computer; Ctrl-C ends it")
        found = run_there(self.machines, task.instance, task.job, tell, note)
        if not told and not task.job.watch:
            self._plan(task, found)
        return found

    def _plan(self, task: Task, told: Outcome) -> None:
        if self.told:
            return
        if self.many and not self.wish.quiet:
            say(f"{task.source} -> {task.target}")
        tell_plan(told, task.job, self.home, quiet=self.wish.quiet, dry=self.wish.dry_run)
