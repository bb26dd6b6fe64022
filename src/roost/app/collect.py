"""The results of a class, brought to a folder of this computer: one folder for each seat.

What comes is written by people that nobody knows: only plain files and folders are taken, by names
that stay below the seat's folder. A seat's files take their places once all of them have come.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from roost.app.seats import chosen, class_of, on_each, problem_of
from roost.errors import RoostError, UnreachableError, UsageError, command_line
from roost.ssh import command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roost.session import Session
    from roost.spec.classroom import Classroom
    from roost.ssh.connection import Connection

MOST_FILES = 1_000_000
PACK = """\
own=; [ -r "$1/lost+found" ] || own=--exclude=./lost+found
exec tar -C "$1" $own -cf - .
"""
"""Packs a folder. At the top of a volume is the file system's own folder, which only root reads."""
CHANGED = 1
"""What tar ends with where somebody wrote a file meanwhile: it has come, in some state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What came of one seat; ``left_out`` counts links and what is no file."""

    files: int
    size: int
    left_out: int = 0
    changing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What came of each seat; ``problem`` names those of which nothing did."""

    source: str
    seats: Mapping[str, Collected]
    problem: RoostError | None = None


def collect(
    session: Session,
    name: str,
    target: Path,
    source: str | None,
    seats: Sequence[str],
    most_gib: float,
) -> Collection:
    """Bring a folder of every seat to ``target/seat-N``; what is there and not on the seat stays.

    Raises UsageError where it is no class, or where the file names no folder.
    """
    instead = command_line("roost", "cp", f"{name}:FOLDER", str(target))
    cloud, spec, state = class_of(session, name, instead)
    folder = source or _results(spec)
    target.mkdir(parents=True, exist_ok=True)

    def bring(way: Connection) -> Collected:
        return _bring(way, folder, target, int(most_gib * 2**30))

    found = on_each(session, cloud, state, chosen(spec, seats), bring)
    words = ("roost", "collect", name, str(target), *(("--from", source) if source else ()))
    problem = problem_of(
        found,
        lambda numbers: command_line(*words, *(w for n in numbers for w in ("--seat", n))),
    )
    came = {node: one for node, one in found.items() if isinstance(one, Collected)}
    return Collection(source=folder, seats=came, problem=problem)


def _results(spec: Classroom) -> str:
    """Return the folder with results: what [data] pushes, or the first volume that is kept."""
    places = [one.source for one in spec.data.push]
    places += [volume.place for volume in spec.volumes if not volume.is_scratch]
    if not places:
        raise UsageError(
            f"the file of {spec.name} names no folder with results",
            next=command_line("roost", "collect", spec.name, "FOLDER", "--from", "Desktop"),
        )
    return places[0]


def _bring(way: Connection, folder: str, target: Path, most: int) -> Collected:
    """Unpack a seat's folder beside its place, then move each file there."""
    node = way.node.name
    line = command.batch(way.config, way.alias, ["sh", "-c", PACK, "roost", folder])
    beside = Path(tempfile.mkdtemp(prefix=f".{node}.", dir=target))
    try:
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            ) as process:
                assert process.stdout is not None
                try:
                    came = _unpack(process.stdout, beside, most, node)
                except BaseException:
                    process.kill()
                    raise
            said.seek(0)
            last = (said.read().decode(errors="replace").strip().splitlines() or [""])[-1]
        if process.returncode == command.FAILED:
            raise UnreachableError(f"{node}: {last or 'the connection ended'}")
        if process.returncode not in (0, CHANGED):
            raise RoostError(f"{node}: {last or f'tar ended with {process.returncode}'}")
        _move(beside, target / node)
    except OSError as error:
        raise RoostError(f"{node}: {error.filename or target}: {error.strerror}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Collected(
        files=came.files,
        size=came.size,
        left_out=came.left_out,
        changing=process.returncode == CHANGED,
    )


def _unpack(stream: IO[bytes], beside: Path, most: int, node: str) -> Collected:
    """Write the plain files of an archive below ``beside``. Raises RoostError for too much."""
    files, size, left_out = 0, 0, 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                parts = [part for part in member.name.split("/") if part not in ("", ".")]
                if member.isdir():
                    continue
                if not member.isreg() or ".." in parts or not parts or "\0" in member.name:
                    left_out += 1
                    continue
                files, size = files + 1, size + member.size
                if size > most or files > MOST_FILES:
                    raise RoostError(
                        f"{node}: more than {most / 2**30:g} GiB, or too many files",
                        next="the same with --max-size, or a smaller folder: --from",
                    )
                place = beside.joinpath(*parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                with place.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                place.chmod(0o755 if member.mode & 0o100 else 0o644)
                os.utime(place, (member.mtime, member.mtime))
    except tarfile.TarError:
        if files == 0:
            return Collected(files=0, size=0)  # ssh, or tar there, says why
        raise RoostError(f"{node}: the connection ended in the middle") from None
    return Collected(files=files, size=size, left_out=left_out)


def _move(beside: Path, place: Path) -> None:
    """Move each file to its place; another of the same name is replaced, in one step."""
    place.mkdir(exist_ok=True)
    for folder, _, names in os.walk(beside):
        to = place / Path(folder).relative_to(beside)
        to.mkdir(parents=True, exist_ok=True)
        for name in names:
            (Path(folder) / name).replace(to / name)
