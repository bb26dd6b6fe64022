"""Send one file to S3, and compare it with the checksum that S3 reports."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import md5

from roost.transfer import checksums as sums
from roost.transfer import times
from roost.transfer.cache import Known
from roost.transfer.context import ChangedError, DamagedError, Run
from roost.transfer.listing import Entry
from roost.transfer.pool import Begun
from roost.transfer.s3.bucket import CRC64, Upload
from roost.transfer.s3.client import PART
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import Reply

MOST_PARTS = 9000
SMALL = 2**20
"""Up to this size several files are on their way in one thread."""
_MB = 2**20


def upload(run: Run, entry: Entry, done: Callable[[Known], None]) -> None:
    """Send a file, or make the object of an empty folder.

    Raises OSError, StoreError, DamagedError, ChangedError, StoppedError.
    """
    if entry.folder:
        reply = run.patiently(lambda: run.bucket.put(run.prefix + entry.name, b"", {}))
        done(Known(entry.name, _tag(reply), 0, 0))
    else:
        done(run.patiently(lambda: _send(run, entry)))


def begin(run: Run, entry: Entry, done: Callable[[Known], None]) -> Begun | None:
    """Begin a small file without waiting for the answer. Raises as ``upload``."""
    if entry.folder or entry.size > SMALL:
        return None
    file = _open(run, entry)
    try:
        before = os.fstat(file)
        if before.st_size > SMALL:
            return None
        data = _data(file, before)
    finally:
        os.close(file)
    crc = sums.crc64_text(sums.crc64(data))
    headers = {**_headers(run, before), CRC64: crc}
    key = run.prefix + entry.name
    answer = run.bucket.client.send("PutObject", "PUT", key, None, headers, data)

    def finish(reply: Reply) -> None:
        _compare(reply, crc, data)
        run.meter.moved(len(data))
        done(Known(entry.name, _tag(reply), before.st_size, before.st_mtime_ns))

    return Begun(answer, finish)


def _open(run: Run, entry: Entry) -> int:
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if run.folder.follow else os.O_NOFOLLOW)
    return os.open(f"{run.folder.base}{entry.name}", flags)


def _send(run: Run, entry: Entry) -> Known:
    file = _open(run, entry)
    try:
        before = os.fstat(file)
        tag = send_file(run, run.prefix + entry.name, file, before)
        return Known(entry.name, tag, before.st_size, before.st_mtime_ns)
    finally:
        os.close(file)


def send_file(run: Run, key: str, file: int, before: os.stat_result) -> str:
    """Send an open file that had this status; return its object's ETag. Raises as ``upload``."""
    headers = _headers(run, before)
    if before.st_size <= PART:
        return _whole(run, key, file, before, headers)
    return _Parts(run, key, file, before, headers).send()


def _headers(run: Run, before: os.stat_result) -> dict[str, str]:
    headers = times.headers(before.st_mtime_ns, before.st_mode)
    if run.storage:
        headers["x-amz-storage-class"] = run.storage
    if run.kms_key:
        headers["x-amz-server-side-encryption"] = "aws:kms"
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = run.kms_key
    return headers


def _data(file: int, before: os.stat_result) -> bytes:
    data = os.pread(file, before.st_size + 1, 0) if before.st_size else b""
    if len(data) < before.st_size:
        data += _read(file, before.st_size - len(data), len(data))
    _unchanged(file, before, len(data))
    return data


def _whole(run: Run, key: str, file: int, before: os.stat_result, headers: dict[str, str]) -> str:
    data = _data(file, before)
    crc = sums.crc64_text(sums.crc64(data))
    reply = run.bucket.put(key, data, {**headers, CRC64: crc})
    _compare(reply, crc, data)
    run.meter.moved(len(data))
    return _tag(reply)


def _read(file: int, size: int, at: int) -> bytes:
    pieces = []
    while size:
        data = os.pread(file, size, at)
        if not data:
            raise ChangedError("it became shorter while it was read")
        pieces.append(data)
        size, at = size - len(data), at + len(data)
    return b"".join(pieces)


def _unchanged(file: int, before: os.stat_result, size: int) -> None:
    now = os.fstat(file)
    if size != before.st_size or (now.st_size, now.st_mtime_ns) != (
        before.st_size,
        before.st_mtime_ns,
    ):
        raise ChangedError("it changes while it is read")


def _tag(reply: Reply) -> str:
    return reply.headers.get("etag", "").strip('"')


def _compare(reply: Reply, crc: str, data: bytes) -> None:
    """Raise DamagedError where S3 reports another content."""
    there = reply.headers.get(CRC64)
    if there is not None:
        same = there == crc
    else:
        tag = _tag(reply)
        same = not sums.is_md5(tag) or tag == sums.md5_hex(data)
    if not same:
        raise DamagedError("S3 received other content than was sent")


@dataclass(slots=True)
class _Parts:
    """A large file on its way. Parts of an upload that was cut short are not sent again."""

    run: Run
    key: str
    file: int
    before: os.stat_result
    headers: Mapping[str, str]
    tags: dict[int, str] = field(default_factory=dict)
    crc: int = 0

    def send(self) -> str:
        """Send the parts; return the ETag of the object."""
        upload, have, ours = self._adopt()
        size = part_size(self.before.st_size)
        pending: deque[tuple[int, str, Future[Reply]]] = deque()
        try:
            for number, at in enumerate(range(0, self.before.st_size, size), 1):
                self.run.check()
                data = _read(self.file, min(size, self.before.st_size - at), at)
                crc = sums.crc64(data)
                self.crc = sums.joined(self.crc, crc, len(data))
                if have.get(number) == (len(data), sums.md5_hex(data) if number in have else ""):
                    self.tags[number] = have[number][1]
                    self.run.meter.moved(len(data))
                else:
                    pending.append(self._part(upload, number, data, sums.crc64_text(crc)))
                while pending and pending[0][2].done():
                    self._arrived(*pending.popleft())
            while pending:
                self._arrived(*pending.popleft())
        finally:
            for _, _, future in pending:  # no part may be read after the file is closed
                future.exception()
        return self._complete(upload, ours=ours)

    def _part(
        self, upload: Upload, number: int, data: bytes, crc: str
    ) -> tuple[int, str, Future[Reply]]:
        self.run.slots.acquire()
        query = {"partNumber": str(number), "uploadId": upload.id}
        future = self.run.bucket.client.send(
            "UploadPart", "PUT", self.key, query, {CRC64: crc}, data
        )

        def arrived(_: Future[Reply]) -> None:
            self.run.slots.release()
            self.run.meter.moved(len(data))

        future.add_done_callback(arrived)
        return number, crc, future

    def _arrived(self, number: int, crc: str, future: Future[Reply]) -> None:
        reply = future.result()
        there = reply.headers.get(CRC64)
        tag = _tag(reply)
        if there is None and sums.is_md5(tag):
            size = part_size(self.before.st_size)
            at = (number - 1) * size
            data = _read(self.file, min(size, self.before.st_size - at), at)
            there = crc if sums.md5_hex(data) == tag else ""
        if there is not None and there != crc:
            raise DamagedError("S3 received other content than was sent")
        self.tags[number] = tag

    def _complete(self, upload: Upload, *, ours: bool) -> str:
        seen, bucket = self.run.cache, self.run.bucket
        try:
            _unchanged(self.file, self.before, self.before.st_size)
        except ChangedError:
            bucket.abort(upload)
            seen.ended(upload.id)
            raise
        try:
            made = bucket.complete(upload, self.tags)
        except StoreError as error:
            if not error.gone:
                raise
            head = bucket.head(self.key)  # the answer to an earlier try was lost
            made = {"etag": head.tag, CRC64: head.crc64 or ""}
        seen.ended(upload.id)
        if not self._is_it(made):
            with suppress(StoreError):  # the role may not; the next try overwrites it
                bucket.delete([self.key])
            raise DamagedError("S3 received other content than was sent")
        if not ours and times.mtime_ns(bucket.head(self.key).meta) != self.before.st_mtime_ns:
            raise ChangedError("it changed since its upload began")
        return made["etag"]

    def _is_it(self, made: Mapping[str, str]) -> bool:
        if made[CRC64] and "-" not in made[CRC64]:  # else it is one of the parts' checksums
            return made[CRC64] == sums.crc64_text(self.crc)
        if not all(sums.is_md5(tag) for tag in self.tags.values()):
            return True  # each part was compared
        digests = b"".join(bytes.fromhex(tag) for _, tag in sorted(self.tags.items()))
        whole = md5(digests, usedforsecurity=False).hexdigest()
        return not sums.is_md5(made["etag"]) or made["etag"] == f"{whole}-{len(self.tags)}"

    def _adopt(self) -> tuple[Upload, dict[int, tuple[int, str]], bool]:
        """Return an upload to continue, its parts by number, and whether it is surely ours."""
        bucket, seen = self.run.bucket, self.run.cache
        size, mtime_ns = self.before.st_size, self.before.st_mtime_ns
        known = {one[1]: one[2:] for one in seen.unended()}
        there = self.run.uploads.pop(self.key, [])
        for upload in reversed(there):
            if known.get(upload.id, (size, mtime_ns)) != (size, mtime_ns):
                continue
            have = {part.number: (part.size, part.tag) for part in bucket.parts(upload)}
            for other in there:
                if other != upload:
                    bucket.abort(other)
            seen.began(self.key, upload.id, size, mtime_ns)
            return upload, have, upload.id in known
        for other in there:
            bucket.abort(other)
            seen.ended(other.id)
        kind = {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "FULL_OBJECT"}
        upload = Upload(self.key, bucket.begin(self.key, {**self.headers, **kind}))
        seen.began(self.key, upload.id, size, mtime_ns)
        return upload, {}, True


def part_size(size: int) -> int:
    """Return 16 MiB, or as much more as keeps the number of parts within the limit of S3."""
    return max(PART, -(-size // MOST_PARTS // _MB) * _MB)
