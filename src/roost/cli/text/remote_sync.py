"""A sync on a machine as people read it, in the words of one that runs here."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roost.cli.output import say
from roost.cli.text.sync import line, names, size
from roost.transfer.context import Meter
from roost.transfer.key_rules import show

if TYPE_CHECKING:
    from roost.transfer.remote.protocol import Job, Outcome, Progress


def tell_plan(told: Outcome, job: Job, home: str, *, quiet: bool, dry: bool) -> None:
    """What will be done, what it costs, what is left out. ``home``: the machine's region."""
    names([f"{show(name)}: {why}" for name, why in told.skipped], "left out: ")
    if told.to_delete:
        names([show(name) for name in told.to_delete], "delete ")
    if quiet and not dry:
        return
    if dry:
        names([f"{show(name)} ({why})" for name, why in told.first], "copy ")
        if told.to_copy > len(told.first):
            say(f"copy {told.to_copy - len(told.first)} more")
    if not told.to_copy and not told.to_delete:
        say(f"nothing to do: {told.same} are the same")
        return
    say(f"{told.to_copy} to copy ({size(told.to_copy_bytes)}), {told.same} the same")
    _tell_cost(told, job, home)


def _tell_cost(told: Outcome, job: Job, home: str) -> None:
    from roost.app.prices import todays_book
    from roost.transfer import cost

    if job.where.endpoint is not None or not told.to_copy:
        return  # not Amazon's prices
    book, storage = todays_book(), job.options.storage or "STANDARD"
    once = cost.asked(told.requests, 0, told.region, book, up=job.up, storage=storage)
    if home == told.region:
        transfer = f"; between the machine and S3 in {home} it is free"
    else:
        transfer = f"; between {home} and {told.region} AWS charges for it, too: roost does not"
        transfer += " know how much"
    say(f"cost: {once.amount} for requests{transfer}")
    if job.up:
        kept = cost.monthly(told.to_copy_bytes, told.region, book, storage)
        least = cost.LEAST_DAYS.get(storage)
        note = f"; deleted sooner than {least} days, it is paid for {least} days" if least else ""
        say(f"      {kept.amount} a month in {storage}{note}")


def tell_done(found: Outcome, *, quiet: bool) -> None:
    """What was done; every name that is not in order."""
    names([f"{show(name)}: {why}" for name, why in found.failed], "failed: ")
    for note in found.notes:
        say(f"note: {note}")
    if quiet or not found.done:
        return
    if found.copied or found.deleted:
        gone = f", deleted {len(found.deleted)}" if found.deleted else ""
        say(f"copied {found.copied} ({size(found.bytes)}){gone}")
    if found.proof is not None:
        say(f"proven by checksum: {found.proof.files} ({size(found.proof.bytes)})")
        if found.proof.manifest:
            say(f"manifest: {found.proof.manifest}")
    if found.removed:
        say(f"deleted {len(found.removed)} from the source, proven in S3")


def as_json(found: Outcome, source: str, target: str) -> dict[str, Any]:
    """As the schema of ``roost sync`` has it, with the names that were typed."""
    proof = found.proof
    return {
        "source": source,
        "target": target,
        "dry_run": not found.done,
        "to_copy": found.to_copy,
        "to_copy_bytes": found.to_copy_bytes,
        "to_delete": list(found.to_delete),
        "same": found.same,
        "copied": found.copied,
        "bytes": found.bytes,
        "deleted": list(found.deleted),
        "removed_from_source": list(found.removed),
        "failed": [{"name": name, "why": why} for name, why in found.failed],
        "skipped": [{"name": name, "why": why} for name, why in found.skipped],
        "verified": None
        if proof is None
        else {
            "files": proof.files,
            "bytes": proof.bytes,
            "whole": proof.whole,
            "manifest": proof.manifest or None,
        },
    }


# --- progress ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Board:
    """How far the syncs of several machines are, as one line."""

    now: dict[str, Progress] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, key: str, before: str, news: Progress) -> None:
        """Of one machine; what it says comes with ``before``."""
        with self.lock:
            self.now[key] = news
            last = self.heard.get(key, 0)
            fresh = [(number, text) for number, text in news.said if number > last]
            self.heard[key] = max((number for number, _ in fresh), default=last)
        for _, text in fresh:
            say(f"{before}{text}")

    def text(self) -> str:
        """``"12 of 100 files, ..."``; what they do, where they do not copy."""
        with self.lock:
            found = list(self.now.values())
        copying = [one for one in found if one.stage == "copying"]
        if not copying:
            return ", ".join(sorted({one.stage for one in found})) or "looking"
        begun = time.monotonic() - max(one.seconds for one in copying)
        meter = Meter(
            files=sum(one.files for one in copying),
            bytes=sum(one.bytes for one in copying),
            total_files=sum(one.total_files for one in copying),
            total_bytes=sum(one.total_bytes for one in copying),
            begun=begun,
        )
        return line(meter, time.monotonic())


@contextmanager
def transferring() -> Iterator[Callable[[str, str, Progress], None]]:
    """A function that is told the progress of each copy; shown until the end."""
    board = Board()
    with shown(board.text, quiet=False):
        yield board.hear


@contextmanager
def shown(text: Callable[[], str], *, quiet: bool) -> Iterator[None]:
    """A line that changes, or lines now and then."""
    if quiet:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_show, args=(text, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _show(text: Callable[[], str], ended: threading.Event) -> None:
    live, last = sys.stderr.isatty(), ""
    while not ended.wait(0.5 if live else 10):
        now = text()
        if live:
            sys.stderr.write(f"\r{now}\x1b[K")
            sys.stderr.flush()
        elif now != last:
            say(now)
        last = now
    if live:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
