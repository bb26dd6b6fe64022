"""Send one file to S3, and compare it with the checksum that S3 reports."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import md5

from roost.transfer import checksums as sums
from roost.transfer import deletion, times
from roost.transfer.cache import Known
from roost.transfer.context import ChangedError, DamagedError, Run
from roost.transfer.listing import Entry
from roost.transfer.overwrite import over
from roost.transfer.pool import Begun
from roost.transfer.s3.answers import FOREIGN
from roost.transfer.s3.bucket import CRC64, Head, Upload
from roost.transfer.s3.client import PART
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import Reply
from roost.transfer.s3.span import Span

MOST_PARTS = 9000
SMALL = 2**20
"""Up to this size several files are on their way in one thread."""
_MB = 2**20
MISSING = "S3 does not have what was sent, though it did not refuse it"


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
    headers = {**_headers(run, before), CRC64: crc, **run.condition(entry.name)}
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
        tag = send_file(run, run.prefix + entry.name, file, before, entry.name)
        return Known(entry.name, tag, before.st_size, before.st_mtime_ns)
    finally:
        os.close(file)


def send_file(
    run: Run, key: str, file: int, before: os.stat_result, name: str | None = None
) -> str:
    """Send an open file that had this status; return its object's ETag.

    Under a ``name`` of the plan it takes the place only of what the plan saw. Raises as ``upload``.
    """
    headers = _headers(run, before)
    if before.st_size <= PART:
        return _whole(run, key, file, before, headers, name)
    return _Parts(run, key, file, before, headers, name).send()


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


def _whole(
    run: Run,
    key: str,
    file: int,
    before: os.stat_result,
    headers: dict[str, str],
    name: str | None,
) -> str:
    data = _data(file, before)
    crc = sums.crc64_text(sums.crc64(data))

    def send(condition: Mapping[str, str]) -> Reply:
        return run.bucket.put(key, data, {**headers, CRC64: crc, **condition})

    def is_it(head: Head) -> bool:
        same = head.crc64 == crc if head.crc64 else head.tag == sums.md5_hex(data)
        return same and times.mtime_ns(head.meta) == before.st_mtime_ns

    sent = over(run, name, send, is_it)
    if isinstance(sent, Reply):
        _compare(sent, crc, data)
    run.meter.moved(len(data))
    return _tag(sent) if isinstance(sent, Reply) else sent.tag


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
    """Raise DamagedError where S3 reports another content, or the answer is not from S3."""
    if not _tag(reply) or reply.body.lstrip().startswith(b"<"):
        raise DamagedError("the answer is not from S3: nothing says that it was stored")
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
    name: str | None = None
    tags: dict[int, str] = field(default_factory=dict)
    crc: int = 0

    def send(self) -> str:
        """Send the parts; return the ETag of the object."""
        upload, have = self._adopt()
        size = part_size(self.before.st_size)
        pending: deque[tuple[int, str, Future[Reply]]] = deque()
        try:
            for number, at in enumerate(range(0, self.before.st_size, size), 1):
                self.run.check()
                span = Span(self.file, at, min(size, self.before.st_size - at))
                crc = _crc(span)
                self.crc = sums.joined(self.crc, crc, span.size)
                if have.get(number) == (span.size, _md5(span) if number in have else ""):
                    self.tags[number] = have[number][1]
                    self.run.meter.moved(span.size)
                else:
                    pending.append(self._part(upload, number, span, sums.crc64_text(crc)))
                while pending and pending[0][2].done():
                    self._arrived(*pending.popleft())
            while pending:
                self._arrived(*pending.popleft())
        finally:
            for _, _, future in pending:  # no part may be read after the file is closed
                future.exception()
        return self._complete(upload)

    def _part(
        self, upload: Upload, number: int, span: Span, crc: str
    ) -> tuple[int, str, Future[Reply]]:
        self.run.slots.acquire()
        query = {"partNumber": str(number), "uploadId": upload.id}
        future = self.run.bucket.client.send(
            "UploadPart", "PUT", self.key, query, {CRC64: crc}, span
        )

        def arrived(_: Future[Reply]) -> None:
            self.run.slots.release()
            self.run.meter.moved(span.size)

        future.add_done_callback(arrived)
        return number, crc, future

    def _arrived(self, number: int, crc: str, future: Future[Reply]) -> None:
        reply = future.result()
        there = reply.headers.get(CRC64)
        tag = _tag(reply)
        if not tag:
            raise DamagedError("the answer is not from S3: nothing says that a part was stored")
        if there is None and sums.is_md5(tag):
            size = part_size(self.before.st_size)
            at = (number - 1) * size
            span = Span(self.file, at, min(size, self.before.st_size - at))
            there = crc if _md5(span) == tag else ""
        if there is not None and there != crc:
            raise DamagedError("S3 received other content than was sent")
        self.tags[number] = tag

    def _complete(self, upload: Upload) -> str:
        seen, bucket = self.run.cache, self.run.bucket
        try:
            _unchanged(self.file, self.before, self.before.st_size)
        except ChangedError:
            bucket.abort(upload)
            seen.ended(upload.id)
            raise
        answered, ended = self._answer(upload)
        try:
            head = bucket.head(self.key)
        except StoreError as error:
            if answered and error.status in {401, 403}:  # the role may write, and not look
                seen.ended(upload.id)
                return answered
            if error.gone:
                raise DamagedError(MISSING) from None
            raise
        self._check(head.tag, head.crc64 or "", answered)
        if head.size != self.before.st_size or not self._is_ours(head):
            raise DamagedError(MISSING)
        if ended:  # else the object may be of an earlier upload: this one is aborted at the end
            seen.ended(upload.id)
        return head.tag

    def _answer(self, upload: Upload) -> tuple[str, bool]:
        """Make the object; return its ETag, and whether S3 said that this upload became it.

        The ETag is "" where the answer was lost or is not from S3.
        """
        bucket = self.run.bucket

        def complete(condition: Mapping[str, str]) -> Mapping[str, str]:
            return bucket.complete(upload, self.tags, condition)

        def is_it(head: Head) -> bool:
            return self._is_it(head.tag, head.crc64 or "") and self._is_ours(head)

        try:
            made = over(self.run, self.name, complete, is_it)
        except StoreError as error:
            if not (error.gone or error.code == FOREIGN):
                raise
            return "", False
        if isinstance(made, Head):
            return made.tag, False
        self._check(made["etag"], made[CRC64], made["etag"])
        return made["etag"], True

    def _check(self, tag: str, crc: str, answered: str) -> None:
        """Raise DamagedError where S3 reports another object, which goes if it was just made."""
        if not self._is_it(tag, crc):
            deletion.delete_damaged(self.run.bucket, self.key, answered)
            raise DamagedError("S3 received other content than was sent")

    def _is_ours(self, head: Head) -> bool:
        """Tell if the object was made of this file, as far as its time says."""
        return times.mtime_ns(head.meta) in {None, self.before.st_mtime_ns}

    def _is_it(self, tag: str, crc: str) -> bool:
        if crc and "-" not in crc:  # else it is one of the parts' checksums
            return crc == sums.crc64_text(self.crc)
        if not all(sums.is_md5(one) for one in self.tags.values()):
            return True  # each part was compared
        digests = b"".join(bytes.fromhex(one) for _, one in sorted(self.tags.items()))
        whole = md5(digests, usedforsecurity=False).hexdigest()
        return not sums.is_md5(tag) or tag == f"{whole}-{len(self.tags)}"

    def _adopt(self) -> tuple[Upload, dict[int, tuple[int, str]]]:
        """Return an upload of this computer's own to continue, or a new one, and its parts."""
        bucket, seen = self.run.bucket, self.run.cache
        size, mtime_ns = self.before.st_size, self.before.st_mtime_ns
        for key, known, *of in seen.unended():
            if key != self.key or of != [size, mtime_ns]:
                continue
            upload = Upload(key, known)
            try:
                return upload, {one.number: (one.size, one.tag) for one in bucket.parts(upload)}
            except StoreError as error:
                if error.gone:
                    seen.ended(known)
        kind = {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "FULL_OBJECT"}
        asked = seen.begins(self.key)
        upload = Upload(self.key, bucket.begin(self.key, {**self.headers, **kind}))
        seen.began(self.key, upload.id, size, mtime_ns, asked)
        return upload, {}


def _crc(span: Span) -> int:
    """Return the CRC of what will be sent. Raises ChangedError where it is not there any more."""
    crc, left = 0, span.size
    for data in sums.of_file(span.file)(span.at, span.size):
        crc, left = sums.crc64(data, crc), left - len(data)
    if left:
        raise ChangedError("it became shorter while it was read")
    return crc


def _md5(span: Span) -> str:
    known = md5(usedforsecurity=False)
    for data in sums.of_file(span.file)(span.at, span.size):
        known.update(data)
    return known.hexdigest()


def part_size(size: int) -> int:
    """Return 16 MiB, or as much more as keeps the number of parts within the limit of S3."""
    return max(PART, -(-size // MOST_PARTS // _MB) * _MB)
