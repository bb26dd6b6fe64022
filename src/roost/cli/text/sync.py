"""A sync for people: its plan, progress and end, on stderr; and as JSON."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roost.cli.output import say
from roost.transfer.job import Outcome, Progress
from roost.transfer.key_rules import show

if TYPE_CHECKING:
    from roost.app.sync import Result
    from roost.transfer.job import Transfer

MOST = 20
"""Names that are listed one by one."""
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: float) -> str:
    """Format ``1536`` as ``"1.5 KiB"``."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return (
        f"{count:.0f} {UNITS[unit]}" if not unit or count >= 100 else f"{count:.1f} {UNITS[unit]}"
    )


# --- the plan ------------------------------------------------------------------------------------


def show_plan(transfer: Transfer, plan: Outcome, *, quiet: bool) -> None:
    """Show what will be done, what it costs, and what is left out."""
    dry = transfer.job.dry_run
    names([f"{show(name)}: {why}" for name, why in plan.skipped], "left out: ")
    names([show(name) for name in plan.to_delete], "delete ")
    names([f"{show(name)} ({kind})" for name, kind in plan.to_restore], "ask for ")
    if plan.to_restore:
        _show_restore(transfer, plan)
    if quiet and not dry:
        return
    if dry:
        names([f"{show(name)} ({why})" for name, why in plan.first], "copy ")
        if plan.to_copy > len(plan.first):
            say(f"copy {plan.to_copy - len(plan.first)} more")
    if not plan.to_copy and not plan.to_delete:
        say(f"nothing to do: {plan.same} are the same")
        return
    say(f"{plan.to_copy} to copy ({size(plan.to_copy_bytes)}), {plan.same} the same")
    if transfer.job.where.endpoint is None and plan.to_copy:  # Amazon's own prices
        _show_cost(transfer, plan)


def _show_restore(transfer: Transfer, plan: Outcome) -> None:
    """Show what it costs to ask for objects of the archive."""
    options = transfer.job.options
    what = f"{len(plan.to_restore)} of the archive ({size(plan.to_restore_bytes)})"
    say(f"{what} to ask for, to be read for {options.restore} days, {options.restore_tier}")
    if transfer.job.where.endpoint is None:
        from roost.app.prices import todays_book
        from roost.transfer import cost

        kinds = [kind for _, kind in plan.to_restore]
        price = cost.from_archive(
            plan.to_restore_bytes, kinds, plan.region, todays_book(), options.restore_tier
        )
        say(f"cost: {price} for the retrieval; the copies are paid for like STANDARD, by the day")


def names(lines: list[str], before: str) -> None:
    """Show a line for each, up to a screenful."""
    for line in lines[:MOST]:
        say(f"{before}{line}")
    if len(lines) > MOST:
        say(f"{before}{len(lines) - MOST} more")


def _show_cost(transfer: Transfer, plan: Outcome) -> None:
    from roost.app.prices import todays_book
    from roost.transfer import cost

    job, region = transfer.job, plan.region
    book, storage = todays_book(), job.options.storage or "STANDARD"
    leaves = not transfer.node and not job.up
    out = plan.to_copy_bytes if leaves else 0
    once = cost.once(plan.requests, out, region, book, up=job.up, storage=storage)
    what = "requests and transfer to the internet" if leaves else "requests"
    if transfer.node and transfer.region == region:
        what += f"; between the machine and S3 in {region} it is free"
    elif transfer.node:
        what += f"; between {transfer.region} and {region} AWS charges for it, too: roost does not"
        what += " know how much"
    say(f"cost: {once.amount} for {what}")
    if job.up:
        kept = cost.monthly(plan.to_copy_bytes, region, book, storage)
        least = cost.LEAST_DAYS.get(storage)
        note = f"; deleted sooner than {least} days, it is paid for {least} days" if least else ""
        say(f"      {kept.amount} a month in {storage}{note}")
    elif leaves:
        free = book.free_transfer_gb(region)
        say(f"      (the account's first {free} GB a month are free; within AWS's region too)")


# --- the end -------------------------------------------------------------------------------------


def show_result(result: Result, *, quiet: bool) -> None:
    """Show what was done, and every name that is not in order."""
    outcome = result.outcome
    if outcome is None:
        return
    names([f"{show(name)}: {why}" for name, why in outcome.failed], "failed: ")
    for note in outcome.notes:
        say(f"note: {note}")
    if quiet or not outcome.done:
        return
    if outcome.copied or outcome.deleted:
        gone = f", deleted {len(outcome.deleted)}" if outcome.deleted else ""
        say(f"copied {outcome.copied} ({size(outcome.bytes)}){gone}")
    if outcome.unproved:
        say(f"S3 has no checksum for {outcome.unproved} of them: only their size is proven")
    if outcome.proof is not None:
        read = outcome.proof.read_back
        by_sum = f"proven by checksum: {outcome.proof.files - read}"
        say(f"{by_sum}{f', by reading back: {read}' if read else ''} ({size(outcome.proof.bytes)})")
        if outcome.proof.manifest:
            say(f"manifest: {outcome.proof.manifest}")
    if outcome.removed:
        say(f"deleted {len(outcome.removed)} from the source, proven in S3")


def result_json(result: Result) -> dict[str, Any]:
    """Return the result as the schema of ``roost sync`` has it."""
    transfer = result.transfer
    outcome = result.outcome or Outcome(failed=((transfer.source, str(result.error)),))
    proof = outcome.proof
    return {
        "source": transfer.source,
        "target": transfer.target,
        "dry_run": not outcome.done,
        "to_copy": outcome.to_copy,
        "to_copy_bytes": outcome.to_copy_bytes,
        "to_delete": list(outcome.to_delete),
        "to_restore": [name for name, _ in outcome.to_restore],
        "same": outcome.same,
        "copied": outcome.copied,
        "bytes": outcome.bytes,
        "deleted": list(outcome.deleted),
        "removed_from_source": list(outcome.removed),
        "failed": [{"name": name, "why": why} for name, why in outcome.failed],
        "size_only": outcome.unproved,
        "skipped": [{"name": name, "why": why} for name, why in outcome.skipped],
        "verified": None
        if proof is None
        else {
            "files": proof.files,
            "bytes": proof.bytes,
            "whole": proof.whole,
            "read_back": proof.read_back,
            "manifest": proof.manifest or None,
        },
    }


# --- progress ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Board:
    """The progress of several transfers, as one line."""

    quiet: bool = False
    latest: dict[str, Progress] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, key: str, before: str, news: Progress) -> None:
        """Take the news of one transfer; its own new lines are shown after ``before``."""
        with self.lock:
            self.latest[key] = news
            last = self.shown.get(key, 0)
            fresh = [line for line in news.lines if line.number > last]
            self.shown[key] = max((line.number for line in fresh), default=last)
        for line in fresh:
            if not (self.quiet and line.routine):
                say(f"{before}{line.text}")

    def text(self) -> str:
        """Write ``"12 of 100 files, ..."``; the stages, where nothing is copied."""
        with self.lock:
            transfers = list(self.latest.values())
        copying = [one for one in transfers if one.stage == "copying"]
        if not copying:
            return ", ".join(sorted({one.stage for one in transfers})) or "looking"
        return rate_line(
            files=sum(one.files for one in copying),
            moved=sum(one.bytes for one in copying),
            total_files=sum(one.total_files for one in copying),
            total=sum(one.total_bytes for one in copying),
            seconds=max(one.seconds for one in copying),
        )


def rate_line(*, files: int, moved: int, total_files: int, total: int, seconds: float) -> str:
    """Write ``"12 of 100 files, 1.5 GiB of 8.0 GiB, 95.0 MiB/s, 1 min left"``."""
    rate = moved / max(seconds, 0.001)
    left = (total - moved) / rate if rate else 0
    return f"{files} of {total_files} files, {size(moved)} of {size(total)}, {size(rate)}/s" + (
        f", {_span(left)} left" if rate and left > 0 else ""
    )


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def transferring(*, quiet: bool = False) -> Iterator[Callable[[str, str, Progress], None]]:
    """Yield a function that takes the progress of each copy, and show it until the end.

    On a terminal it is a line that changes, else a line now and then.
    """
    board, ended = Board(quiet), threading.Event()
    thread = threading.Thread(target=_show, args=(board, ended), daemon=True)
    if quiet:
        yield board.hear
        return
    thread.start()
    try:
        yield board.hear
    finally:
        ended.set()
        thread.join()


def _show(board: Board, ended: threading.Event) -> None:
    live, last = sys.stderr.isatty(), ""
    while not ended.wait(0.5 if live else 10):
        text = board.text()
        if live:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
        elif text != last:
            say(text)
        last = text
    if live:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
