"""A sync as people read it: the plan, the progress, the end. All on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from roost.cli.output import say
from roost.transfer.context import Meter
from roost.transfer.key_rules import show

if TYPE_CHECKING:
    from roost.transfer.engine import Done, Planned, Sync
    from roost.transfer.verify import Proof

MOST = 20
"""Names that are listed one by one."""
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: float) -> str:
    """``1536`` -> ``"1.5 KiB"``."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return (
        f"{count:.0f} {UNITS[unit]}" if not unit or count >= 100 else f"{count:.1f} {UNITS[unit]}"
    )


@contextmanager
def showing(quiet: bool) -> Iterator[None]:
    """Say that it looks, where looking takes long enough to be noticed."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(2, say, ("looking at both sides ...",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def tell_plan(planned: Planned, sync: Sync, *, quiet: bool, dry: bool) -> None:
    """What will be done, what it costs, and what is left out."""
    names([f"{show(name)}: {why}" for name, why in planned.skipped], "left out: ")
    if planned.deletions:
        names([show(entry.name) for entry in planned.deletions], "delete ")
    if quiet and not dry:
        return
    if dry:
        names([f"{show(c.entry.name)} ({c.reason})" for c in planned.copies], "copy ")
    if planned.empty:
        say(f"nothing to do: {planned.same} are the same")
        return
    say(f"{len(planned.copies)} to copy ({size(planned.bytes)}), {planned.same} the same")
    _tell_cost(planned, sync)


def names(lines: list[str], before: str) -> None:
    """One line each, up to a screenful."""
    for line in lines[:MOST]:
        say(f"{before}{line}")
    if len(lines) > MOST:
        say(f"{before}{len(lines) - MOST} more")


def _tell_cost(planned: Planned, sync: Sync) -> None:
    from roost.app.prices import todays_book
    from roost.transfer import cost

    where, storage = sync.run.bucket.wire.where, sync.run.storage or "STANDARD"
    if where.endpoint is not None or not planned.copies:
        return  # not Amazon's prices
    book = todays_book()
    once = cost.once(planned, where.region, book, up=sync.up, storage=storage)
    what = "requests" if sync.up else "requests and transfer to the internet"
    say(f"cost: {once.amount} for {what}")
    if sync.up:
        kept = cost.monthly(planned.bytes, where.region, book, storage)
        least = cost.LEAST_DAYS.get(storage)
        note = f"; deleted sooner than {least} days, it is paid for {least} days" if least else ""
        say(f"      {kept.amount} a month in {storage}{note}")
    else:
        free = book.free_transfer_gb(where.region)
        say(f"      (the account's first {free} GB a month are free; within AWS's region too)")


@contextmanager
def progress(meter: Meter, *, quiet: bool) -> Iterator[None]:
    """Bytes, files, rate and time left: a line that changes, or lines now and then."""
    ended = threading.Event()
    if quiet:
        yield
        return
    thread = threading.Thread(target=_follow, args=(meter, ended), daemon=True)
    meter.begun = time.monotonic()
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(meter: Meter, ended: threading.Event) -> None:
    live = sys.stderr.isatty()
    while not ended.wait(0.5 if live else 10):
        text = line(meter, time.monotonic())
        if live:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
        else:
            say(text)
    if live:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def line(meter: Meter, now: float) -> str:
    """``"12 of 100 files, 1.5 GiB of 8.0 GiB, 95.0 MiB/s, 1 min left"``."""
    took = max(now - meter.begun, 0.001)
    rate = meter.bytes / took
    left = (meter.total_bytes - meter.bytes) / rate if rate else 0
    return (
        f"{meter.files} of {meter.total_files} files, "
        f"{size(meter.bytes)} of {size(meter.total_bytes)}, {size(rate)}/s"
        + (f", {_span(left)} left" if rate and left > 0 else "")
    )


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def tell_done(done: Done | None, proof: Proof | None, removed: list[str], *, quiet: bool) -> None:
    """What was done; every name that is not in order."""
    if done is not None:
        names([f"{show(name)}: {why}" for name, why in done.failed], "failed: ")
        if not quiet and (done.copied or done.deleted):
            gone = f", deleted {len(done.deleted)}" if done.deleted else ""
            say(f"copied {len(done.copied)} ({size(done.bytes)}){gone}")
    if proof is not None:
        names([f"{show(name)}: {why}" for name, why in proof.wrong], "not proven: ")
        if not quiet:
            say(f"proven by checksum: {len(proof.proven)} ({size(proof.bytes)})")
            say(f"manifest: {proof.manifest}")
    if removed and not quiet:
        say(f"deleted {len(removed)} from the source, proven in S3")
