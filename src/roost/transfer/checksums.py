"""Checksums of files, and their comparison with objects."""

from __future__ import annotations

import hashlib
import os
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any, Protocol

from roost.transfer.s3.bucket import Bucket, Head

CHUNK = 2**20
USUAL = tuple(size * 2**20 for size in (16, 8, 5, 10, 15, 20, 25, 32, 50, 64, 100, 128, 256, 512))
"""The sizes of parts that programs send."""
PARTS_ASKED = 100
"""Parts of different sizes that are asked for one by one."""
Bytes = bytes | bytearray | memoryview
Content = Callable[[int, int], Iterator[Bytes]]
"""A function of an offset and a size that yields these bytes, piece by piece."""


def crc64(data: Bytes, before: int = 0) -> int:
    """Return the CRC64NVME of more bytes."""
    from awscrt import checksums

    return checksums.crc64nvme(data, before)  # type: ignore[no-any-return]


def joined(first: int, second: int, size: int) -> int:
    """Return the CRC64NVME of two pieces, of which the second has this size, from theirs."""
    from awscrt import checksums

    return checksums.combine_crc64nvme(first, second, size)  # type: ignore[no-any-return]


def crc64_text(value: int) -> str:
    """Return a CRC as S3 writes it."""
    return b64encode(value.to_bytes(8, "big")).decode()


def md5_hex(data: Bytes) -> str:
    """Return the ETag of an object that came in one piece."""
    return md5(data, usedforsecurity=False).hexdigest()


def is_md5(tag: str) -> bool:
    """Tell if an ETag looks like an MD5 of the bytes."""
    whole, _, parts = tag.partition("-")
    return (
        len(whole) == 32
        and all(one in "0123456789abcdef" for one in whole)
        and (not parts or parts.isdigit())
    )


# --- content -------------------------------------------------------------------------------------


def of_bytes(body: Bytes) -> Content:
    """Return the content that is in memory."""
    view = memoryview(body)
    return lambda at, size: iter((view[at : at + size],))


def of_file(file: int) -> Content:
    """Return the content of an open file. Reading it raises OSError."""

    def pieces(at: int, size: int) -> Iterator[bytes]:
        while size and (data := os.pread(file, min(size, CHUNK), at)):
            yield data
            at, size = at + len(data), size - len(data)

    return pieces


class Sha256:
    """A content that is hashed while it is read from its beginning on, in whatever pieces.

    A CRC shows damage; only this shows that nobody has put other bytes in their place.
    """

    def __init__(self, content: Content) -> None:
        self._content, self._known, self._read = content, hashlib.sha256(), 0

    def __call__(self, at: int, size: int) -> Iterator[Bytes]:
        """Yield these bytes. Raises OSError."""
        for data in self._content(at, size):
            if at == self._read:
                self._known.update(data)
                self._read += len(data)
            at += len(data)
            yield data

    def hex(self, size: int) -> str:
        """Return the SHA-256 of all ``size`` bytes; what was not read yet is read now."""
        for _ in self(self._read, size - self._read):
            pass
        return self._known.hexdigest()


class _Sum(Protocol):
    def update(self, data: Bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, function: Callable[[Any, int], int], width: int) -> None:
        self._function, self._width, self._value = function, width, 0

    def update(self, data: Bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


def _new(kind: str) -> _Sum:
    """Return a running checksum of a kind of S3's; "etag" is the MD5."""
    from awscrt import checksums

    if kind == "crc64nvme":
        return _Crc(checksums.crc64nvme, 8)
    if kind == "crc32c":
        return _Crc(checksums.crc32c, 4)
    if kind == "crc32":
        return _Crc(zlib.crc32, 4)
    return hashlib.new("md5" if kind == "etag" else kind, usedforsecurity=False)


def _text(kind: str, digest: bytes) -> str:
    return digest.hex() if kind == "etag" else b64encode(digest).decode()


def whole_sum(kind: str, content: Content, size: int) -> str:
    """Return the checksum of all bytes, as S3 writes it. Raises OSError."""
    known = _new(kind)
    for data in content(0, size):
        known.update(data)
    return _text(kind, known.digest())


def parts_sum(kind: str, content: Content, sizes: Sequence[int]) -> str:
    """Return the checksum of the parts' checksums, as S3 writes it. Raises OSError."""
    outer, at = _new(kind), 0
    for size in sizes:
        inner = _new(kind)
        for data in content(at, size):
            inner.update(data)
        outer.update(inner.digest())
        at += size
    return f"{_text(kind, outer.digest())}-{len(sizes)}"


def file_crc64(path: Path) -> str:
    """Return the CRC of a whole file. Raises OSError."""
    return file_sum(path, "crc64nvme")


def file_sum(path: Path, kind: str) -> str:
    """Return a checksum of a whole file. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        return whole_sum(kind, of_file(file.fileno()), size)


def file_tag(path: Path, part: int | None) -> str:
    """Return the ETag that S3 gives to the file, sent in one piece or in parts of this size."""
    if part is None:
        return file_sum(path, "etag")
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        return parts_sum("etag", of_file(file.fileno()), even_parts(size, part))


def even_parts(size: int, part: int) -> list[int]:
    """Return the sizes of parts that are all the same, but for the last one."""
    return [min(part, size - at) for at in range(0, size, part)] or [0]


# --- comparison ----------------------------------------------------------------------------------


def proof(bucket: Bucket, key: str, head: Head, path: Path) -> tuple[str, str, str] | None:
    """Return a checksum of an object and of the file: its kind, the object's, and the file's.

    None if S3 has none to compare. Raises StoreError, OSError.
    """
    with path.open("rb", buffering=0) as file:
        return compared(bucket, key, head, of_file(file.fileno()))


def compared(bucket: Bucket, key: str, head: Head, content: Content) -> tuple[str, str, str] | None:
    """Return a checksum of an object and of a content of the same size, as ``proof`` does.

    The kind is "parts" where the checksum is one of the checksums of parts of different sizes.
    """
    for kind, there in head.sums.items():
        if "-" not in there:
            return kind, there, whole_sum(kind, content, head.size)
    tagged = is_md5(head.tag) and not head.encrypted
    if tagged and "-" not in head.tag:
        return "etag", head.tag, whole_sum("etag", content, head.size)
    for kind, there in (*head.sums.items(), *([("etag", head.tag)] if tagged else ())):
        found = _of_parts(bucket, key, head, content, (kind, there))
        if found:
            return found
    return None


def _of_parts(
    bucket: Bucket, key: str, head: Head, content: Content, known: tuple[str, str]
) -> tuple[str, str, str] | None:
    kind, there = known
    count = int(there.rpartition("-")[2])
    first = bucket.part_size(key, 1)
    if first is None and count == 1:
        first = head.size
    if not first or (first == head.size and count > 1):
        return _guessed(head, content, known, count)  # the service does not tell parts apart
    even = even_parts(head.size, first)
    if len(even) == count:
        here = parts_sum(kind, content, even)
        if here == there or count == 1:
            return kind, there, here
    sizes = bucket.part_sizes(key, count) if count <= PARTS_ASKED else None
    if sizes is None or sum(sizes) != head.size or sizes == even:
        return (kind, there, parts_sum(kind, content, even)) if len(even) == count else None
    return "parts", there, parts_sum(kind, content, sizes)


def _guessed(
    head: Head, content: Content, known: tuple[str, str], count: int
) -> tuple[str, str, str] | None:
    """Try the usual sizes of parts: a checksum that fits is a proof, one that does not is none."""
    kind, there = known
    for part in USUAL:
        sizes = even_parts(head.size, part)
        if len(sizes) == count and parts_sum(kind, content, sizes) == there:
            return "parts", there, there
    return None
