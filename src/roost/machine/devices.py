"""Block devices, and their content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from roost.machine.common import run

MIB = 2**20
SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a device. ``kind`` is blkid's TYPE; ``blank``: no bit is set in samples."""

    kind: str | None = None
    uuid: str | None = None
    table: str | None = None
    blank: bool = False
    unclear: str | None = None
    bytes: int = 0


def probe(path: str) -> Content:
    """Look at a device, and change nothing on it."""
    code, said = run(["blkid", "-p", "-o", "export", path])
    size = size_of(path)
    if code not in (0, 2):  # 8: several signatures that contradict each other
        return Content(unclear=f"blkid cannot tell what is on it ({code})", bytes=size)
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    parts = [p.name for p in Path("/sys/class/block", Path(path).name).glob("*/partition")]
    table = found.get("PTTYPE") or ("partitions" if parts else None)
    kind = found.get("TYPE")
    other = code == 0 and kind is None and table is None
    return Content(
        kind=kind,
        uuid=found.get("UUID"),
        table=table,
        blank=code == 2 and table is None and is_blank(path, size),
        unclear="blkid finds something unknown on it" if other else None,
        bytes=size,
    )


def size_of(path: str) -> int:
    """Return the size in bytes."""
    with open(path, "rb") as file:
        return file.seek(0, os.SEEK_END)


def is_blank(path: str, size: int) -> bool:
    """Return whether the first and the last MiB, and samples between them, are zeros."""
    step = max(MIB, size // SAMPLES)
    places = [(0, MIB), (max(0, size - MIB), MIB), *((at, 65536) for at in range(0, size, step))]
    with open(path, "rb", buffering=0) as file:
        return not any(any(os.pread(file.fileno(), much, at)) for at, much in places)


MOUNTABLE = ("ext2", "ext3", "ext4", "xfs", "btrfs")


def decide(content: Content) -> tuple[str, str]:
    """Return ``mount``, ``format`` or ``refuse``, and why. Only a blank device is formatted."""
    if content.unclear is not None:
        return "refuse", content.unclear
    if content.table is not None:
        return "refuse", f"it has a partition table ({content.table}); mount its partition yourself"
    if content.kind in MOUNTABLE and content.uuid:
        return "mount", f"it has a file system ({content.kind})"
    if content.kind is not None:
        return "refuse", f"it holds {content.kind}, which roost does not mount"
    if content.blank:
        return "format", "it is blank"
    return "refuse", "it has no file system, and is not blank; roost formats only blank volumes"
