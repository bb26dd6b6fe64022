"""The inside of one local machine: set it up, keep its services running, stop them all together.

Run as ``python -I -S machine.py FOLDER READY_FD``: standard library only, so that it starts in
milliseconds and stays small. It holds a lock on ``FOLDER/lock`` for as long as it lives: that lock
is what "the machine is on" means, and it is why two of them never run in one folder.

It reads ``boot.json`` (see ``roost.recipes.step.Boot``) and writes ``status.json``.
Signals: TERM stops everything and ends; USR1 tries again what had failed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOCK_PATIENCE = 3.0
"""Seconds to wait for the lock: an observer that looks at it holds it for a moment."""
TICK = 0.05
QUICK = 20.0
"""Seconds: a service that ends sooner, or before it was ready, died at its start."""
MOST_QUICK_DEATHS = 3
LONGEST_PAUSE = 15.0
GRACE = 10.0
"""Seconds between asking a service to end and ending it."""
LOG_LIMIT = 20_000_000
PR_SET_PDEATHSIG = 1


def main(folder: Path, ready: int) -> int:
    """Be the machine in ``folder``; ``ready`` is a pipe, written to once the lock is held."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not _take(lock):
        os.write(ready, b"0")
        return 0
    machine = Machine(folder)
    machine.write("setup", "starting")
    os.write(ready, b"1")
    os.close(ready)
    signal.signal(signal.SIGTERM, lambda *_: machine.ask_to_stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda *_: machine.ask_to_retry())
    return machine.run()


def _take(lock: int) -> bool:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(TICK / 5)


def inherited() -> dict[str, str]:
    """Return the user's environment, less what is roost's own Python's."""
    mine = ("PYTHON", "VIRTUAL_ENV", "UV_PROJECT", "UV_RUN", "CONDA_", "ROOST_")
    return {k: v for k, v in os.environ.items() if not k.startswith(mine)}


def die_with_parent() -> Callable[[], None]:
    """Return Popen's preexec_fn: on Linux the child is killed when this process dies.

    Elsewhere a service can outlive a killed supervisor; ``up`` and ``down`` sweep such strays.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Running:
    """One service: its process, when it started, and how often it died young."""

    def __init__(self, plan: dict[str, Any], folder: Path, env: dict[str, str]) -> None:
        self.plan = plan
        self.name: str = plan["name"]
        self.env = env
        self.log = folder / "logs" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.started_wall = 0.0
        self.quick_deaths = 0
        self.starts = 0
        self.again_at = 0.0
        self.ready = False
        self.failed = ""

    def start(self, bind: Callable[[], None]) -> None:
        """Start the process, its output appended to its log."""
        nice = self.plan["nice"]

        def before() -> None:
            bind()
            os.nice(nice)

        _rotate(self.log)
        self.started, self.started_wall = time.monotonic(), time.time()
        self.starts += 1
        self.ready = False
        with self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    self.plan["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.env,
                    cwd=self.plan["cwd"],
                    start_new_session=True,
                    preexec_fn=before,
                )
            except OSError as error:
                log.write(f"cannot start {self.plan['argv'][0]}: {error}\n".encode())
                self.failed = str(error)

    def look(self) -> bool:
        """Notice readiness and death. True if anything changed."""
        if self.process is None:
            return False
        code = self.process.poll()
        if code is None:
            return self._look_ready()
        self._died(code)
        return True

    def _look_ready(self) -> bool:
        if self.ready:
            return False
        file = self.plan["ready_file"]
        if file is not None:
            try:
                # One second of grace: some file systems keep times that coarse.
                if Path(file).stat().st_mtime < self.started_wall - 1:
                    return False
            except OSError:
                return False
        self.ready = True
        return True

    def _died(self, code: int) -> None:
        young = not self.ready or time.monotonic() - self.started < QUICK
        self.quick_deaths = self.quick_deaths + 1 if young else 0
        self.process, self.ready = None, False
        if self.quick_deaths >= MOST_QUICK_DEATHS:
            self.failed = f"{self.name} ended {self.quick_deaths} times at its start ({_end(code)})"
            return
        pause = min(LONGEST_PAUSE, 0.25 * 4.0 ** (self.quick_deaths - 1)) if young else 0.0
        self.again_at = time.monotonic() + pause

    def due(self) -> bool:
        """Tell whether it should be started now."""
        return self.process is None and not self.failed and time.monotonic() >= self.again_at

    def signal(self, number: int) -> None:
        """Signal the service and all the processes it made."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class Machine:
    """The set-up steps and services of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir(exist_ok=True)
        self.boot = json.loads((folder / "boot.json").read_text())
        self.env = self._environment()
        self.services: list[Running] = []
        self.stopping = False
        self.retry = False
        self.child: subprocess.Popen[bytes] | None = None
        self.bind = die_with_parent()

    def _environment(self) -> dict[str, str]:
        """Return the user's login environment, less roost's own Python, plus the boot's."""
        env = {**inherited(), **self.boot["env"], "ROOST_MACHINE": str(self.folder)}
        if self.boot["bin"]:
            env["PATH"] = self.boot["bin"] + os.pathsep + env.get("PATH", os.defpath)
        return env

    def ask_to_stop(self) -> None:
        """Ask for the end, from the signal handler."""
        self.stopping = True
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGTERM)

    def ask_to_retry(self) -> None:
        """Ask for another try, from the signal handler."""
        self.retry = True

    def run(self) -> int:
        """Set up, then serve until told to stop. Return 1 if the set-up failed."""
        if not self._set_up():
            return 0 if self.stopping else 1
        self.services = [Running(s, self.folder, self.env) for s in self.boot["services"]]
        self._serve()
        self._stop_all()
        return 0

    # --- set-up ------------------------------------------------------------------------------

    def _set_up(self) -> bool:
        steps = self.boot["setup"]
        for number, step in enumerate(steps, 1):
            if self.stopping:
                return False
            if Path(step["creates"]).exists():
                continue
            self.write("setup", f"{number}/{len(steps)} {step['name']}")
            if not self._do(step):
                return False
        return not self.stopping

    def _do(self, step: dict[str, Any]) -> bool:
        """Do one step under its lock; another machine may have done it meanwhile."""
        done = Path(step["creates"])
        done.parent.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{done.parent}.lock", "w") as lock:
            while not self.stopping:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(TICK)
            if self.stopping or done.exists():
                return not self.stopping
            for command in step["commands"]:
                code = self._run(command)
                if code:
                    if not self.stopping:
                        self.write("failed", f"{step['name']}: {command['argv'][0]} {_end(code)}")
                    return False
            done.touch()
            return True

    def _run(self, command: dict[str, Any]) -> int:
        with (self.folder / "logs" / "setup.log").open("ab") as log:
            try:
                self.child = subprocess.Popen(
                    command["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**self.env, **dict(command["env"])},
                    start_new_session=True,
                    preexec_fn=self.bind,
                )
            except OSError as error:
                log.write(f"cannot start {command['argv'][0]}: {error}\n".encode())
                return 127
            code = self.child.wait()
            self.child = None
            return code

    # --- services ----------------------------------------------------------------------------

    def _serve(self) -> None:
        self._report()
        while not self.stopping:
            changed = self._retry_failed()
            for service in self.services:
                changed |= service.look()
                if service.due() and self._shall_end():
                    return
                if service.due() and not self.stopping:
                    service.start(self.bind)
                    changed = True
            if changed:
                self._report()
            time.sleep(TICK)

    def _shall_end(self) -> bool:
        """Tell whether an ended service stays so: the machine is being stopped, or was retired."""
        return (self.folder / "stopped").exists()

    def _retry_failed(self) -> bool:
        if not self.retry:
            return False
        self.retry = False
        for service in self.services:
            if service.failed:
                service.failed, service.quick_deaths, service.again_at = "", 0, 0.0
        return True

    def _report(self) -> None:
        failed = [s.failed for s in self.services if s.failed]
        waiting = [s.name for s in self.services if not s.ready]
        if failed:
            self.write("failed", "; ".join(failed))
        elif waiting:
            self.write("setup", f"starting {', '.join(waiting)}")
        else:
            self.write("running", "")

    def _stop_all(self) -> None:
        for service in self.services:
            service.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        left = [s for s in self.services if s.process is not None]
        while left and time.monotonic() < deadline:
            left = [s for s in left if s.process is not None and s.process.poll() is None]
            time.sleep(TICK / 2)
        for service in self.services:
            # The service may be gone while what it made is not.
            service.signal(signal.SIGKILL)

    def write(self, state: str, note: str) -> None:
        """Write the machine's condition, whole or not at all. A full disk must not end it."""
        status = {
            "state": state,
            "note": note,
            "pid": os.getpid(),
            "services": {
                s.name: {
                    "pid": s.process.pid if s.process else None,
                    "ready": s.ready,
                    "starts": s.starts,
                    "failed": s.failed,
                }
                for s in self.services
            },
        }
        temporary = self.folder / ".status.json"
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(status))
            temporary.replace(self.folder / "status.json")


def _end(code: int) -> str:
    """Return ``"ended with 2"`` or ``"was ended by SIGKILL"``."""
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _rotate(log: Path) -> None:
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
