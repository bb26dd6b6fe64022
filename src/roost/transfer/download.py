"""Fetch one object to a file, which appears when all of it is on the disk and proven."""

from __future__ import annotations

import os
from collections.abc import Callable

from roost.transfer import checksums, deletion, thaw, times
from roost.transfer.arrivals import Arrivals, Stat, dress
from roost.transfer.cache import Known
from roost.transfer.context import DamagedError, Run
from roost.transfer.durable import early_start
from roost.transfer.key_rules import file_trouble
from roost.transfer.listing import Entry
from roost.transfer.local import write_at
from roost.transfer.pool import Begun
from roost.transfer.s3.bucket import Head, head_of
from roost.transfer.s3.client import RANGE
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import Reply
from roost.transfer.upload import SMALL

Settled = Callable[[Known], None]
"""A function that hears of each file that has its name, from any thread."""
DIFFERS = "the content that arrived differs from the object in S3"
_CHECKED = {"x-amz-checksum-mode": "ENABLED"}


def download(run: Run, entry: Entry, settled: Settled) -> None:
    """Fetch an object, or make an empty folder.

    Raises OSError, StoreError, DamagedError, StoppedError.
    """
    trouble = file_trouble(entry.name)
    if trouble or (entry.folder and entry.size):
        raise OSError(trouble or "its name ends with a slash, as if it were a folder")
    if entry.folder:
        run.folder.make(entry.name)
        settled(Known(entry.name, entry.tag, 0, 0))
        return
    try:
        if entry.size <= RANGE:
            key = run.prefix + entry.name
            run.patiently(lambda: _receive(run, entry, run.bucket.get(key), settled))
        else:
            settled(run.patiently(lambda: _large(run, entry)))
    except StoreError as error:
        if error.code != "InvalidObjectState":
            raise
        raise thaw.explained(run, run.prefix + entry.name) from None


def begin(run: Run, entry: Entry, settled: Settled) -> Begun | None:
    """Begin a small object without waiting for the answer. Raises as ``download``."""
    if entry.folder or entry.size > SMALL or file_trouble(entry.name):
        return None
    wire = run.bucket.client.wire
    if not wire.usable:
        return None
    answer = wire.get(run.prefix + entry.name, _CHECKED)
    return Begun(answer, lambda reply: _receive(run, entry, reply, settled))


def _receive(run: Run, entry: Entry, reply: Reply, settled: Settled) -> None:
    head = head_of(reply)
    _compare(run, entry, head, reply.body)

    def named(info: os.stat_result) -> None:
        settled(Known(entry.name, head.tag, info.st_size, info.st_mtime_ns))

    arrivals(run).write(entry.name, reply.body, _stat(head), named)
    run.meter.moved(len(reply.body))


def arrivals(run: Run) -> Arrivals:
    """Return the batches of this sync."""
    with run.lock:
        if run.arrivals is None:
            run.arrivals = Arrivals(run.folder)
        return run.arrivals


def settle(run: Run) -> list[tuple[str, Exception]]:
    """Give all files that have arrived their names; return those that failed. Raises OSError."""
    if run.arrivals is None:
        return []
    run.arrivals.end()
    failed, run.arrivals.failed = run.arrivals.failed, []
    return list(failed)


def _stat(head: Head) -> Stat:
    kept = times.mtime_ns(head.meta)
    return Stat(head.stored_ns if kept is None else kept, times.executable(head.meta))


def _compare(run: Run, entry: Entry, head: Head, body: bytes | bytearray) -> None:
    if head.crc64:
        same = head.crc64 == checksums.crc64_text(checksums.crc64(body))
    else:
        key = run.prefix + entry.name
        found = checksums.compared(run.bucket, key, head, checksums.of_bytes(body))
        if found is None:
            same = head.tag == entry.tag and len(body) == entry.size
            run.meter.unproven()
        else:
            same = found[1] == found[2]
    if not same:
        raise DamagedError(DIFFERS)


# --- large ones ----------------------------------------------------------------------------------


def _large(run: Run, entry: Entry) -> Known:
    """Fetch parallel ranges. What an earlier run has received of the same object is kept."""
    folder = entry.name.rpartition("/")[0]
    with run.folder.below.folder(folder, make=True) as at:
        part, file = run.folder.receiving(entry.name, entry.tag, at)
        try:
            head = _fill(run, entry, file)
            info = dress(file, _stat(head))
            os.fsync(file)
            _give_name(run, entry, part, at)
        except DamagedError:
            deletion.discard_part(part, at=at)
            raise
        finally:
            os.close(file)
        if not run.folder.below.in_place(folder, at):
            run.folder.below.forget(folder)
            raise OSError("its folder was replaced while it was written")
    return Known(entry.name, head.tag, info.st_size, info.st_mtime_ns)


def _give_name(run: Run, entry: Entry, part: str, at: int) -> None:
    try:
        last = entry.name.rpartition("/")[2]
        deletion.give_name(part, last, run.folder.seen.get(entry.name), at=at)
        os.fsync(at)
    except OSError:
        deletion.discard_part(part, at=at)
        raise


def _fill(run: Run, entry: Entry, file: int) -> Head:
    """Fetch what is missing of the object, and prove what is in the file. Raises DamagedError."""
    key = run.prefix + entry.name
    have = _kept(run, entry, file)
    crc = _crc_until(file, have)
    run.meter.moved(have)
    start_early = early_start()

    def write(data: memoryview, at: int) -> None:
        run.check()
        write_at(file, data, at)
        start_early(file, at, len(data))
        run.meter.moved(len(data))

    crc = _fetch(run, entry, file, write, (have, crc))
    os.ftruncate(file, entry.size)
    head = run.bucket.head(key)
    if head.size != entry.size:
        raise DamagedError("the object has changed while it was read")
    if head.crc64:
        same = head.crc64 == checksums.crc64_text(crc)
    else:
        found = checksums.compared(run.bucket, key, head, checksums.of_file(file))
        same = found[1] == found[2] if found else not have
        if found is None and same:
            run.meter.unproven()
    if not same:
        raise DamagedError(DIFFERS)
    return head


def _kept(run: Run, entry: Entry, file: int) -> int:
    """Return how much of an earlier run is surely there, and cut off the rest.

    Ranges arrive in any order, but none is begun before all those ``AHEAD`` of it are there.
    """
    from roost.transfer import ranges

    size = min(os.fstat(file).st_size, entry.size - 1)
    have = max(0, size // ranges.RANGE - ranges.AHEAD) * ranges.RANGE
    os.ftruncate(file, have)  # where there are only zeros nothing is written: nothing may be there
    return have


def _fetch(
    run: Run,
    entry: Entry,
    file: int,
    write: Callable[[memoryview, int], None],
    have: tuple[int, int],
) -> int:
    """Fetch all but what is there, whose size and CRC64 are known; return the CRC64 of all."""
    from roost.transfer.s3.wire import NEVER, WireError

    key, headers = run.prefix + entry.name, {"if-match": f'"{entry.tag}"'}
    start, crc = have
    end = start
    if run.bucket.client.wire.usable:
        try:
            return run.ranges.fetch(key, headers, (start, entry.size), write, crc)
        except WireError as error:
            if error.code not in NEVER:
                raise
            os.ftruncate(file, start)

    def in_order(data: memoryview, at: int) -> None:
        nonlocal crc, end
        write(data, at)
        crc, end = checksums.crc64(data, crc), end + len(data)

    if start:
        headers["range"] = f"bytes={start}-{entry.size - 1}"
    run.bucket.client.fetch(key, headers, in_order)
    if end != entry.size:
        raise DamagedError(f"{end} of its {entry.size} bytes arrived")
    return crc


def _crc_until(file: int, size: int) -> int:
    crc = 0
    for data in checksums.of_file(file)(0, size):
        crc = checksums.crc64(data, crc)
    return crc
