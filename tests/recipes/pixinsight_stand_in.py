"""An archive with the layout of PixInsight's own, for tests: nobody may pass the real one on."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path

PARTS = Path(__file__).parent / "pixinsight"
SIZES = (16, 24, 32, 48, 64, 128, 256)
NEEDS = ("duktape", "x11-utils")
"""Packages that the stand-in needs on its machine, and PixInsight does not."""


def build(folder: Path) -> Path:
    """The archive in ``folder``; always the same bytes."""
    path = folder / "PI-linux-x64-1.9.3-20250402-c.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for name, mode, content in _files():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return path


def _files() -> list[tuple[str, int, bytes]]:
    found = [("installer", 0o755, (PARTS / "installer").read_bytes())]
    for name in ("PixInsight.sh", "PixInsight"):
        found.append((f"PixInsight/bin/{name}", 0o755, (PARTS / name).read_bytes()))
    found.append(("PixInsight/bin/PixInsightUpdater", 0o755, b"#!/bin/sh\nexit 0\n"))
    for size in SIZES:
        icon = _square(size)
        found.append((f"PixInsight/rsc/icons/pixinsight-icon.{size}.png", 0o644, icon))
    found.append(("PixInsight/bin/pixinsight-icon.256.png", 0o644, _square(256)))
    for folder in ("bin/lib", "doc", "etc", "include", "library", "src"):
        found.append((f"PixInsight/{folder}/README", 0o644, b"stand-in\n"))
    return found


def _square(size: int) -> bytes:
    """A PNG of one colour."""
    row = b"\0" + bytes((40, 80, 160)) * size
    header = struct.pack(">2I5B", size, size, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row * size)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
