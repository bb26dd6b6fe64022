"""Renew the environment of a running cluster: in seconds, and with nothing started anew.

All of a name's processes run from a link to its environment. The new one is a copy of the old one
by hard links, brought to what the lock says; then the link is moved, in one moment. What runs
imports from the new one from then on, and keeps what it has imported.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from roost.errors import RoostError, command_line
from roost.home import Folder, folder, names
from roost.model.record import read_record
from roost.providers.local import processes
from roost.providers.local.machine import inherited
from roost.recipes.dask.environment import DONE, environment_path, environment_step, path_of

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.spec import Spec
    from roost.spec.environment import Environment

KERNEL = "ipykernel_launcher"
SMALLEST_SCRIPT = b"#!"


@dataclass(frozen=True, slots=True)
class Renewal:
    """Fulfils ``roost.providers.provider.Renewal`` for names below ``at``."""

    at: Path

    def renew(self, spec: Spec, have: State) -> tuple[str, ...]:
        """Give a running name the environment that its file says now; return what to know."""
        place = folder(spec.name, self.at)
        runs = any(i.state in ("running", "pending") for i in have.instances)
        if spec.kind != "cluster" or not runs or not place.environment.is_symlink():
            return ()
        old, new = place.environment.resolve(), environment_path(spec.environment, self.at)
        if old == new or not (old / DONE).exists():
            return ()
        with _locked(new):
            if not (new / DONE).exists():
                _copy(old, new)
                _sync(spec.environment, self.at, new)
        _move(place, new)
        self.prune(old)
        return tuple(_notes(spec.name))

    def prune(self, old: Path) -> None:
        """Delete an environment that no name uses any more, and what is left of earlier ones."""
        place = (self.at / "environments").resolve()
        if old.parent != place or old in self._used():
            return
        _end_compiling(old)
        old.rename(old.with_name(f".gone-{old.name}-{os.getpid()}"))
        Path(f"{old}.lock").unlink(missing_ok=True)
        for gone in place.glob(".gone-*"):
            shutil.rmtree(gone, ignore_errors=True)

    def _used(self) -> set[Path]:
        """Return the environments that names link to, or, made by an older roost, only record."""
        found = set()
        for place in (folder(name, self.at) for name in names(self.at)):
            if place.environment.is_symlink():
                found.add(place.environment.resolve())
                continue
            with suppress(OSError, UnicodeDecodeError):
                digest = read_record(place.spec.read_text()).environment
                found.add(path_of(digest, self.at).resolve())
        return found


def _end_compiling(environment: Path) -> None:
    """End what compiles it (``notebook/dask/bytecode.py``): that would make its folders again."""
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if str(environment / "lib") in one.cmdline():
                one.kill()
                one.wait(0.5)  # its parent may leave it a zombie


def point(place: Folder, record: str, at: Path) -> None:
    """Let a name of which nothing runs have the environment of its record, made or not yet."""
    on = any(map(processes.alive, place.machines.glob("[!.]*")))
    if on and place.environment.is_symlink():
        return
    digest = read_record(record).environment
    if digest:
        _move(place, path_of(digest, at))


def _move(place: Folder, to: Path) -> None:
    """Move the link, in one moment."""
    beside = place.environment.with_name(f".environment.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(to, target_is_directory=True)
    beside.replace(place.environment)


@contextmanager
def _locked(new: Path) -> Iterator[None]:
    """Hold the lock under which machines make an environment, too."""
    with open(f"{new}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(old: Path, new: Path) -> None:
    """Make the new one of hard links to the old one's files, and its programs its own."""
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(
        old, new, symlinks=True, copy_function=os.link, ignore=shutil.ignore_patterns(DONE)
    )
    for script in (new / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        text = script.read_bytes()
        if text.startswith(SMALLEST_SCRIPT) and bytes(old) in text:
            mode = script.stat().st_mode
            script.unlink()  # the old one's own stays as it is
            script.write_bytes(text.replace(bytes(old), bytes(new)))
            script.chmod(mode)


def _sync(environment: Environment, at: Path, new: Path) -> None:
    """Bring it to what the lock says. Raises RoostError, with nothing changed for what runs."""
    (command,) = environment_step(environment, at).commands
    done = subprocess.run(
        command.argv,
        env={**inherited(), **dict(command.env)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        said = done.stderr.strip() or "no message"
        raise RoostError(
            f"the new environment cannot be made, and the one from before stays: {said[-2000:]}",
            next=f"{command_line(*command.argv)}   (says more)",
        )
    (new / DONE).touch()


def _notes(name: str) -> Iterator[str]:
    """Say that it was renewed, and who keeps what of before."""
    yield f"the environment of {name} is renewed: what was added can be imported at once"
    kernels = sum(_is_kernel(one, name) for one in psutil.process_iter())
    if kernels:
        those = "1 notebook kernel keeps" if kernels == 1 else f"{kernels} notebook kernels keep"
        yield f"{those} what it has imported until it restarts; workers until client.restart()"
    else:
        yield "workers keep what they have imported until client.restart()"


def _is_kernel(process: psutil.Process, name: str) -> bool:
    with suppress(psutil.Error):
        words = process.cmdline()
        return any(KERNEL in word for word in words) and process.environ().get("ROOST_NAME") == name
    return False
