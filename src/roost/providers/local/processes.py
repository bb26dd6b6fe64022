"""The supervisors' processes: start them, see whether they live, end them, sweep what they left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from roost.errors import CloudError
from roost.providers.local import machine

BEGIN_PATIENCE = 20.0
"""Seconds for a supervisor to take its lock; much, because a machine can be very busy."""
END_PATIENCE = machine.GRACE + 5
PAUSE = 0.02


def alive(folder: Path) -> bool:
    """Tell whether a supervisor holds this machine's lock."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def status(folder: Path) -> dict[str, Any] | None:
    """Return the supervisor's last report, or None if it never wrote one."""
    try:
        found = json.loads((folder / "status.json").read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def begin(folders: Iterable[Path]) -> None:
    """Start a supervisor in each folder, all at once, and return when each holds its lock."""
    pipes = {_spawn(folder): folder for folder in folders}
    try:
        for pipe, folder in pipes.items():
            readable, _, _ = select.select([pipe], [], [], BEGIN_PATIENCE)
            if not readable or not os.read(pipe, 1):
                raise CloudError(f"{folder.name} did not start: see {folder / 'supervisor.log'}")
    finally:
        for pipe in pipes:
            os.close(pipe)


def _spawn(folder: Path) -> int:
    """Start one supervisor, which outlives this process; return the pipe it reports on."""
    reader, writer = os.pipe()
    with (folder / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-I", "-S", str(machine.__file__), str(folder), str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    return reader


def retry(folder: Path) -> bool:
    """Ask a living supervisor to try again what had failed; False where it was about to end."""
    before = _written(folder)
    _signal(folder, signal.SIGUSR1)
    deadline = time.monotonic() + BEGIN_PATIENCE
    while time.monotonic() < deadline and alive(folder):
        if _written(folder) != before:
            return True
        time.sleep(PAUSE)
    return alive(folder)


def _written(folder: Path) -> tuple[int, int]:
    """Return the identity of the status file; each write makes a new one."""
    found = (folder / "status.json").stat()
    return found.st_ino, found.st_mtime_ns


def end(folders: Iterable[Path]) -> None:
    """End the supervisors and all they run, all at once; return when every one is gone."""
    left = [folder for folder in folders if alive(folder)]
    for folder in left:
        _signal(folder, signal.SIGTERM)
    deadline = time.monotonic() + END_PATIENCE
    while left and time.monotonic() < deadline:
        left = [folder for folder in left if alive(folder)]
        time.sleep(PAUSE)
    for folder in left:
        _signal(folder, signal.SIGKILL)


def _signal(folder: Path, number: signal.Signals) -> None:
    said = status(folder)
    # The lock proves that the supervisor lives, so the pid it wrote is its own.
    if said is not None and alive(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(said["pid"]), number)


def sweep(folders: Iterable[Path]) -> None:
    """End processes that belong to these machines though their supervisor is gone.

    They carry ROOST_MACHINE in their environment. None are left on Linux, where services die with
    their supervisor; elsewhere a supervisor killed by force leaves them behind.
    """
    import psutil

    marks = {str(folder) for folder in folders if not alive(folder)}
    strays = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get("ROOST_MACHINE") in marks:
                strays.append(process)
    for stray in strays:
        with contextlib.suppress(psutil.Error):
            stray.kill()
    psutil.wait_procs(strays, timeout=END_PATIENCE)
