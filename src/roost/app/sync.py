"""Copy between a folder and a place in S3, on this computer or on the machine with the folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, PartlyDoneError, RoostError, UsageError
from roost.transfer.deletion_rules import limit
from roost.transfer.job import Job, Note, Outcome, Progress, Tell, Transfer
from roost.transfer.listing import side
from roost.transfer.watch import janitor

if TYPE_CHECKING:
    from roost.session import Session

MOST_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class Result:
    """The end of one transfer: an outcome, or an error."""

    transfer: Transfer
    outcome: Outcome | None = None
    error: RoostError | None = None

    @property
    def asks(self) -> bool:
        """Tell if its deletions must be agreed to first."""
        return bool(self.outcome and self.outcome.asks and not self.transfer.job.dry_run)


@dataclass(frozen=True, slots=True)
class Computers:
    """The computers that do jobs. ``check`` raises RoostError if one is not ready.

    ``interrupt`` ends all jobs from another thread; without it there is one job, in this thread.
    """

    copy: Callable[[Transfer, Tell, Note], Outcome]
    check: Callable[[str], None] = lambda node: None
    interrupt: Callable[[], None] | None = None


def sync(session: Session, job: Job) -> Result:
    """Make the target like the source; one of them may be NAME:PATH. Raises RoostError."""
    from roost.ssh.command import side as machine_side

    check(job)
    typed = (job.source, job.target)
    if any(machine_side(text).name for text in typed if not text.startswith("s3://")):
        from roost.app.sync_machines import sync_machine

        return sync_machine(session, job)
    from roost.transfer.runner import run_here

    source, target = (str(side(text)) for text in typed)
    here = Transfer(job=replace(job, source=source, target=target), source=source, target=target)
    computer = Computers(copy=lambda transfer, tell, note: run_here(transfer.job, tell))
    return copy_all(session, [here], computer)[0]


def check(job: Job) -> None:
    """Raise UsageError for options that make no sense together."""
    if not job.up and (job.move or job.watch or job.verify):
        raise UsageError(
            "--verify, --move and --watch go from a folder to S3; what comes from S3 is always "
            "compared by checksum"
        )
    options = job.options
    limit(options.max_delete, 0)
    if (options.max_delete or options.delete_all) and not options.delete:
        raise UsageError("--max-delete and --delete-all go with --delete")
    if options.min_age is not None and not (job.move or job.watch):
        raise UsageError("--min-age goes with --move or --watch")
    if options.assume_closed and not (job.move or job.janitors):
        raise UsageError("--assume-closed goes with --move or --janitor")
    _check_way(job)
    for text in job.janitors:
        janitor(text)
    if job.janitors and not job.watch:
        raise UsageError("--janitor goes with --watch")
    if job.watch and (job.options.delete or job.dry_run):
        raise UsageError("--watch goes without --delete, --dry-run and --json")
    if job.move and job.options.delete:
        raise UsageError("--move and --delete together would delete what was moved before")


def _check_way(job: Job) -> None:
    """Raise UsageError for options of S3 that are for the other way."""
    if not job.up and job.options.storage:
        raise UsageError("--class is for what is stored in S3")
    if not job.up and job.options.kms_key:
        raise UsageError("--kms-key is for what is stored in S3")
    if job.up and job.options.restore:
        raise UsageError("--restore is for what comes from S3")


def copy_all(session: Session, transfers: Sequence[Transfer], computers: Computers) -> list[Result]:
    """Do all transfers, and ask once for all deletions. Raises RoostError.

    An error of one among several is in its result, and the others continue.
    """
    results = _round(session, transfers, computers)
    asking = [result for result in results if result.asks]
    if asking:
        question, what = _wanted([result.outcome for result in asking if result.outcome])
        session.consent.ask(
            question,
            NeedsConfirmationError(
                f"{what}, which needs a yes", next="the same command with --yes"
            ),
        )
        agreed = [_agreed(result) for result in asking]
        again = [_unchanged(one) for one in _round(session, agreed, computers, shown=True)]
        done = dict(zip((id(result) for result in asking), again, strict=True))
        results = [done.get(id(result), result) for result in results]
    if len(results) == 1 and results[0].error is not None:
        raise results[0].error
    return results


def _wanted(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """Return the question about what needs a yes, and the same as a statement."""
    gone = sum(len(outcome.to_delete) for outcome in outcomes)
    back = sum(len(outcome.to_restore) for outcome in outcomes)
    todo = [f"delete {gone}"] * bool(gone) + [f"ask for {back} of the archive"] * bool(back)
    done = [f"{gone} would be deleted"] * bool(gone)
    done += [f"{back} of the archive would be asked for"] * bool(back)
    return f"{' and '.join(todo)}?", " and ".join(done)


def judge(results: Sequence[Result]) -> None:
    """Raise PartlyDoneError where something is not in order."""
    troubles: list[tuple[str, str]] = []
    for result in results:
        if result.error is not None:
            troubles.append((result.transfer.source, result.error.what))
        elif result.outcome is not None:
            before = f"{result.transfer.node}: " if len(results) > 1 else ""
            troubles += [(f"{before}{name}", why) for name, why in result.outcome.failed]
    if troubles:
        name, why = troubles[0]
        raise PartlyDoneError(
            f"{len(troubles)} not in order, the first: {name}: {why}", next="the same command again"
        )


def _agreed(result: Result) -> Transfer:
    assert result.outcome is not None
    job = replace(result.transfer.job, agreed=result.outcome.deletions)
    return replace(result.transfer, job=job)


def _unchanged(result: Result) -> Result:
    """Turn deletions that are not those that the user agreed to into an error."""
    if not result.asks:
        return result
    target = result.transfer.target
    error = PartlyDoneError(
        f"{target}: what would be done is not what was shown any more; nothing was changed",
        next="the same command again",
    )
    return replace(result, outcome=None, error=error)


def _round(
    session: Session,
    transfers: Sequence[Transfer],
    computers: Computers,
    *,
    shown: bool = False,
) -> list[Result]:
    """Do all transfers, in their order on each machine. ``shown``: the user has seen the plans.

    What watches never ends, and keeps no other waiting.
    """
    queues: dict[str, list[Transfer]] = {}
    for one in transfers:
        alone = f" {one.source}" if one.job.watch else ""
        queues.setdefault(f"{one.node}{alone}", []).append(one)
    with session.reporter.transfers() as tell:
        worker = _Worker(session, computers, tell, many=len(transfers) > 1, shown=shown)
        if computers.interrupt is None:
            return worker.queue(transfers)
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            futures = [pool.submit(worker.queue, queue) for queue in queues.values()]
            try:
                wait(futures)
            except BaseException:
                computers.interrupt()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return [result for future in futures for result in future.result()]


@dataclass(frozen=True, slots=True)
class _Worker:
    session: Session
    computers: Computers
    tell: Callable[[str, str, Progress], None]
    many: bool
    shown: bool

    def queue(self, transfers: Sequence[Transfer]) -> list[Result]:
        """Do one after the other; one that fails keeps no other from being done."""
        results, ready = [], False
        for transfer in transfers:
            try:
                if not ready:
                    self.computers.check(transfer.node)
                    ready = True
                results.append(Result(transfer, self._copy(transfer)))
            except RoostError as error:
                if self.many:
                    self.session.warn(f"{transfer.source}: {error.what}")
                results.append(Result(transfer, error=error))
        return results

    def _copy(self, transfer: Transfer) -> Outcome:
        watch, source = transfer.job.watch, transfer.source
        before = f"{transfer.node}: " if self.many else ""
        unseen, lock = [] if self.shown or watch else [transfer], Lock()

        def show(plan: Outcome) -> None:
            with lock:
                for one in unseen:
                    if self.many:
                        self.session.say(f"{source} -> {one.target}")
                    self.session.reporter.transfer_plan(one, plan)
                unseen.clear()

        def hear(news: Progress) -> None:
            if news.planned is not None:
                show(news.planned)
            self.tell(f"{transfer.node} {source}", before, news)

        if watch:
            alone = "also without this computer; " if transfer.node else ""
            self.session.say(
                f"watching {source}, {alone}Ctrl-C ends it, and the next run continues"
            )
        outcome = self.computers.copy(transfer, hear, self.session.say)
        show(outcome)
        return outcome
