"""The bundle for the machines of one role: one tar, of which only what is missing is sent."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO

from roost.provision.archive import Packed
from roost.recipes.programs import machine_programs
from roost.recipes.registry import Handover

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """The content for machines of one role; ``secrets`` by name; ``file_of`` finds an upload."""

    handover: Handover
    file_of: Callable[[str], Packed]
    secrets: Mapping[str, str | bytes] = field(default_factory=dict)

    def write(self, to: IO[bytes], there: frozenset[str], tell: Callable[[str], None]) -> None:
        """Write one tar: programs, secrets and their generators, the document, missing uploads."""
        with tarfile.open(fileobj=to, mode="w|") as tar:
            for path, text in machine_programs().items():
                _add(tar, f"lib/{path}", text)
            for name, content in self.secrets.items():
                _add(tar, f"secrets/{name}", content)
            for name, text in self.handover.secret_generators.items():
                _add(tar, f"secret_generators/{name}", text)
            _add(tar, "handover.json", self.handover.document())
            for sha256 in sorted(self.handover.uploads - there):
                self._upload(tar, self.file_of(sha256), tell)

    def _upload(self, tar: tarfile.TarFile, packed: Packed, tell: Callable[[str], None]) -> None:
        info = tarfile.TarInfo(f"uploads/{packed.sha256}")
        info.size = packed.bytes
        with packed.file.open("rb") as opened:
            tar.addfile(info, _Counted(opened, packed, tell))


class _Counted(io.RawIOBase):
    """A file that counts the bytes that were read."""

    def __init__(self, file: IO[bytes], packed: Packed, tell: Callable[[str], None]) -> None:
        self.file, self.packed, self.say = file, packed, tell
        self.so_far, self.told = 0, 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        found = self.file.read(size)
        self.so_far += len(found)
        if self.so_far - self.told > 8 * MIB:
            self.told = self.so_far
            done, total = self.so_far / MIB, self.packed.bytes / MIB
            self.say(f"bringing {self.packed.file.name}: {done:.0f} of {total:.0f} MiB")
        return found


def _add(tar: tarfile.TarFile, path: str, text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    info = tarfile.TarInfo(path)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
