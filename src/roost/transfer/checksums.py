"""Checksums of files, and their comparison with objects."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

from roost.transfer.s3.bucket import Bucket, Head

CHUNK = 4 * 2**20


def crc64(data: bytes | memoryview, before: int = 0) -> int:
    """Return the CRC64NVME of more bytes."""
    from awscrt import checksums

    return checksums.crc64nvme(data, before)  # type: ignore[no-any-return]


def crc64_text(value: int) -> str:
    """Return a CRC as S3 writes it."""
    return b64encode(value.to_bytes(8, "big")).decode()


def md5_hex(data: bytes | memoryview) -> str:
    """Return the ETag of an object that came in one piece."""
    return md5(data, usedforsecurity=False).hexdigest()


def chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """Yield all bytes of a file. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        while data := file.read(size):
            yield data


def file_crc64(path: Path) -> str:
    """Return the CRC of a whole file. Raises OSError."""
    value = 0
    for data in chunks(path):
        value = crc64(data, value)
    return crc64_text(value)


def file_tag(path: Path, part: int | None) -> str:
    """Return the ETag that S3 gives to the file, sent in one piece or in parts of this size."""
    if part is None:
        whole = md5(usedforsecurity=False)
        for data in chunks(path):
            whole.update(data)
        return whole.hexdigest()
    digests = []
    with path.open("rb", buffering=0) as file:
        for at in range(0, max(os.fstat(file.fileno()).st_size, 1), part):
            one, left = md5(usedforsecurity=False), part
            file.seek(at)
            while left and (data := file.read(min(left, CHUNK))):
                one.update(data)
                left -= len(data)
            digests.append(one.digest())
    joined = md5(b"".join(digests), usedforsecurity=False)
    return f"{joined.hexdigest()}-{len(digests)}"


def bytes_tag(data: bytes, part: int) -> str:
    """Return the ETag of bytes that came in parts."""
    view = memoryview(data)
    digests = [
        md5(view[at : at + part], usedforsecurity=False).digest()
        for at in range(0, len(data), part)
    ]
    return f"{md5_hex(b''.join(digests))}-{len(digests)}"


def is_md5(tag: str) -> bool:
    """Tell if an ETag looks like an MD5 of the bytes."""
    whole, _, parts = tag.partition("-")
    return (
        len(whole) == 32
        and all(one in "0123456789abcdef" for one in whole)
        and (not parts or parts.isdigit())
    )


def proof(bucket: Bucket, key: str, head: Head, path: Path) -> tuple[str, str, str] | None:
    """Return a checksum of an object and of the file: its kind, the object's, and the file's.

    None if S3 has none to compare. Raises StoreError, OSError.
    """
    if head.crc64:
        return "crc64nvme", head.crc64, file_crc64(path)
    if not is_md5(head.tag):
        return None
    part = bucket.first_part(key) if "-" in head.tag else None
    return "etag", head.tag, file_tag(path, part)
