"""The proof that what is in S3 is what is in the folder: every file, by checksum.

A file that only has the right size is not proven. Where S3 has no checksum to compare, the object
is read back.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from roost.transfer import checksums, times
from roost.transfer.context import DamagedError, Run
from roost.transfer.key_rules import OURS
from roost.transfer.listing import Entry
from roost.transfer.plan import Included
from roost.transfer.pool import Pool, why
from roost.transfer.s3.bucket import Head
from roost.transfer.s3.failures import StoreError

NOT_STORED = "it is not in S3"
KEPT = frozenset({"crc64nvme", "etag"})
"""The kinds of checksums that manifests and trees have."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A file whose object has the same bytes, and the checksum that says so.

    ``read_back``: S3 has none to compare, so that all of the object was read. ``sha256``: of the
    file, where it was asked for.
    """

    name: str
    size: int
    mtime_ns: int
    kind: str
    sum: str
    read_back: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a comparison. Only a ``whole`` one allows to delete the source."""

    proven: tuple[Proven, ...]
    wrong: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    manifest: str | None = None
    manifest_sha256: str = ""

    @property
    def whole(self) -> bool:
        """Tell if everything in the folder is in S3."""
        return not self.wrong and not self.skipped

    @property
    def bytes(self) -> int:
        """The number of bytes that are proven."""
        return sum(one.size for one in self.proven)


def verify(
    run: Run, included: Included, *, threads: int = 16, manifest: bool = True, sha256: bool = False
) -> Proof:
    """Compare every file with its object. Raises RoostError where S3 cannot be asked.

    ``manifest``: write one; ``sha256``: know that of every file too.
    """
    skipped: list[tuple[str, str]] = []
    files = run.folder.files(lambda name, why: skipped.append((name, why)))
    proven: list[Proven] = []
    lock = threading.Lock()

    def work(entry: Entry) -> None:
        one = run.patiently(lambda: _prove(run, entry, sha256=sha256))
        with lock:
            proven.append(one)

    entries = (e for e in files if included(e.name) and (e.empty or not e.folder))
    try:
        failed = Pool(work, run.stop).all(entries, threads)
        run.check()
        wrong = tuple(sorted((entry.name, why(error)) for entry, error in failed))
        proven.sort(key=lambda one: one.name)
        place, known = _write(run, proven, wrong) if manifest else (None, "")
    except StoreError as error:
        raise error.explained(f"s3://{run.bucket.name}/{run.prefix}") from error
    return Proof(tuple(proven), wrong, tuple(skipped), place, known)


def _prove(run: Run, entry: Entry, *, sha256: bool) -> Proven:
    key, path = run.prefix + entry.name, run.folder.path(entry.name)
    try:
        head = run.bucket.head(key)
    except StoreError as error:
        if error.gone:
            raise FileNotFoundError(None, NOT_STORED) from None
        raise
    if entry.folder:
        return Proven(entry.name, 0, 0, "folder", "")
    if head.size != entry.size:
        raise DamagedError(f"it has {head.size} bytes in S3, not {entry.size}")
    with path.open("rb", buffering=0) as file:
        content = checksums.Sha256(checksums.of_file(file.fileno()))
        found = checksums.compared(run.bucket, key, head, content)
        known = content.hex(entry.size) if sha256 else ""
    read_back = found is None
    if found is None:
        found = _read_back(run, key, head, entry)
    now = path.stat(follow_symlinks=run.folder.follow)
    if (now.st_size, now.st_mtime_ns) != (entry.size, entry.mtime_ns):
        raise DamagedError("it changed while it was compared")
    kind, there, here = found
    if there != here:
        raise DamagedError("its content in S3 differs")
    if times.mtime_ns(head.meta) == entry.mtime_ns:
        from roost.transfer.cache import Known

        run.cache.add(Known(entry.name, head.tag, entry.size, entry.mtime_ns))
    if kind not in KEPT or (kind == "etag" and head.encrypted):
        kind, there = "crc64nvme", checksums.file_crc64(path)  # the file is the object by now
    return Proven(entry.name, entry.size, entry.mtime_ns, kind, there, read_back, known)


def _read_back(run: Run, key: str, head: Head, entry: Entry) -> tuple[str, str, str]:
    value, size = 0, 0

    def read(data: memoryview, at: int) -> None:
        nonlocal value, size
        del at
        run.check()
        value, size = checksums.crc64(data, value), size + len(data)

    if entry.size:
        run.bucket.client.fetch(key, {"if-match": f'"{head.tag}"'}, read)
    if size != entry.size:
        raise DamagedError(f"{size} of its {entry.size} bytes could be read")
    there, here = checksums.crc64_text(value), checksums.file_crc64(run.folder.path(entry.name))
    return "crc64nvme", there, here


def _write(run: Run, proven: list[Proven], wrong: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Put the manifest, a JSON line for each file, beside the data; return place and SHA-256."""
    known = hashlib.sha256()
    key = f"{run.prefix}{OURS}manifest-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    with tempfile.TemporaryFile() as file:
        for line in _lines(proven, wrong):
            known.update(line)
            file.write(line)
        _send(run, key, file)
    return f"s3://{run.bucket.name}/{key}", known.hexdigest()


def _lines(proven: list[Proven], wrong: tuple[tuple[str, str], ...]) -> Iterator[bytes]:
    for one in proven:
        line: dict[str, object] = {"name": one.name, "size": one.size, "mtime_ns": one.mtime_ns}
        yield json.dumps({**line, one.kind: one.sum}).encode() + b"\n"
    for name, reason in wrong:
        yield json.dumps({"name": name, "wrong": reason}).encode() + b"\n"


def _send(run: Run, key: str, file: IO[bytes]) -> None:
    from roost.transfer.upload import send_file

    file.flush()
    run.patiently(lambda: send_file(run, key, file.fileno(), os.fstat(file.fileno())))
