"""A part of an open file as the body of a request: it is read when it is sent, and not kept."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of an open file from ``at`` on. The file must stay open until they are sent."""

    file: int
    at: int
    size: int

    def __len__(self) -> int:
        return self.size

    def stream(self) -> io.RawIOBase:
        """Return them to be read, from their beginning."""
        return _Stream(self)


class _Stream(io.RawIOBase):
    """A reader of a span; several may read the same file."""

    def __init__(self, span: Span) -> None:
        self._span, self._done = span, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        """Read the next bytes."""
        view = memoryview(into)[: self._span.size - self._done]
        count = os.preadv(self._span.file, [view], self._span.at + self._done) if view else 0
        self._done += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place in it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._done, os.SEEK_END: self._span.size}[whence]
        self._done = max(0, min(base + offset, self._span.size))
        return self._done

    def tell(self) -> int:
        """Return how much was read."""
        return self._done
