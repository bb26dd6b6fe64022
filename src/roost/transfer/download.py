"""Fetch one object to a file, which appears when all of it is on the disk and proven."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from roost.transfer import checksums, deletion, times
from roost.transfer.cache import Known
from roost.transfer.context import DamagedError, Run
from roost.transfer.key_rules import file_trouble
from roost.transfer.listing import Entry
from roost.transfer.local import flush_early, write_at
from roost.transfer.pool import Begun
from roost.transfer.s3.bucket import Head, head_of
from roost.transfer.s3.client import RANGE, Reply
from roost.transfer.upload import SMALL


def download(run: Run, entry: Entry) -> Known:
    """Fetch an object, or make an empty folder.

    Raises OSError, StoreError, DamagedError, StoppedError.
    """
    trouble = file_trouble(entry.name)
    if trouble or (entry.folder and entry.size):
        raise OSError(trouble or "its name ends with a slash, as if it were a folder")
    if entry.folder:
        run.folder.make(entry.name)
        return Known(entry.name, entry.tag, 0, 0)
    work = _small if entry.size <= RANGE else _large
    return run.patiently(lambda: work(run, entry))


def begin(run: Run, entry: Entry, done: Callable[[Known], None]) -> Begun | None:
    """Begin a small object without waiting for the answer. Raises as ``download``."""
    if entry.folder or entry.size > SMALL or file_trouble(entry.name):
        return None
    key, headers = run.prefix + entry.name, {"x-amz-checksum-mode": "ENABLED"}
    answer = run.bucket.client.send("GetObject", "GET", key, None, headers)
    return Begun(answer, lambda reply: done(_receive(run, entry, reply)))


def _small(run: Run, entry: Entry) -> Known:
    return _receive(run, entry, run.bucket.get(run.prefix + entry.name))


def _receive(run: Run, entry: Entry, reply: Reply) -> Known:
    head = head_of(reply)
    _compare(run, entry, head, reply.body)
    part, file = run.folder.receiving(entry.name, "")
    try:
        os.ftruncate(file, 0)
        write_at(file, memoryview(reply.body), 0)
        os.ftruncate(file, len(reply.body))
        os.fsync(file)
        run.meter.moved(len(reply.body))
        return _settle(run, entry, part, head)
    except OSError:
        deletion.discard_part(str(part))
        raise
    finally:
        os.close(file)


def _compare(run: Run, entry: Entry, head: Head, body: bytes) -> None:
    if head.crc64:
        same = head.crc64 == checksums.crc64_text(checksums.crc64(body))
    elif not checksums.is_md5(head.tag):
        same = head.tag == entry.tag and len(body) == entry.size
    elif "-" not in head.tag:
        same = head.tag == checksums.md5_hex(body)
    else:
        part = run.bucket.first_part(run.prefix + entry.name)
        same = checksums.bytes_tag(body, part) == head.tag
    if not same:
        raise DamagedError("the content that arrived differs from the object in S3")


def _settle(run: Run, entry: Entry, part: Path, head: Head) -> Known:
    kept = times.mtime_ns(head.meta)
    mtime_ns = head.stored_ns if kept is None else kept
    executable = times.executable(head.meta)
    try:
        info = run.folder.settle(part, entry.name, mtime_ns, executable=executable)
    except OSError:
        deletion.discard_part(str(part))
        raise
    return Known(entry.name, head.tag, info.st_size, info.st_mtime_ns)


def _large(run: Run, entry: Entry) -> Known:
    """Fetch parallel ranges. What an earlier run has received of the same object is kept."""
    key = run.prefix + entry.name
    part, file = run.folder.receiving(entry.name, entry.tag)
    try:
        have = min(os.fstat(file).st_size, entry.size - 1) // RANGE * RANGE
        os.ftruncate(file, have)  # zeros are not written: where they belong nothing else may be
        crc, end = _received(file, have), have
        run.meter.moved(have)

        def write(data: memoryview, at: int) -> None:
            nonlocal crc, end
            run.check()
            write_at(file, data, at)
            flush_early(file, at, len(data))
            crc, end = checksums.crc64(data, crc), end + len(data)
            run.meter.moved(len(data))

        headers = {"if-match": f'"{entry.tag}"'}
        if have:
            headers["range"] = f"bytes={have}-{entry.size - 1}"
        run.bucket.client.fetch(key, headers, write)
        os.ftruncate(file, entry.size)
        os.fsync(file)
        head = run.bucket.head(key)
        if end != entry.size:
            raise DamagedError(f"{end} of its {entry.size} bytes arrived")
        _prove(run, key, head, part, checksums.crc64_text(crc), whole=not have)
        return _settle(run, entry, part, head)
    except DamagedError:
        deletion.discard_part(str(part))
        raise
    finally:
        os.close(file)


def _received(file: int, size: int) -> int:
    crc, at = 0, 0
    while at < size:
        data = os.pread(file, min(checksums.CHUNK, size - at), at)
        crc, at = checksums.crc64(data, crc), at + len(data)
    return crc


def _prove(run: Run, key: str, head: Head, part: Path, crc: str, *, whole: bool) -> None:
    """Raise DamagedError where the file is not the object.

    Where S3 has no checksum, only what came in one go (``whole``) is taken.
    """
    if head.size != part.stat().st_size:
        raise DamagedError("the object has changed while it was read")
    if head.crc64:
        same = head.crc64 == crc
    else:
        found = checksums.proof(run.bucket, key, head, part)
        same = found[1] == found[2] if found else whole
    if not same:
        raise DamagedError("the content that arrived differs from the object in S3")
