"""A real cluster of this machine, driven through the command line as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.interrupts import heeds_interrupts

HERE = Path(__file__).parent
PATIENCE = 120.0


@dataclass(frozen=True)
class Lab:
    """A roost home of its own, a folder with a spec file, and the command line."""

    home: Path
    folder: Path
    name: str

    @property
    def file(self) -> Path:
        return self.folder / "roost.toml"

    @property
    def env(self) -> dict[str, str]:
        # Compiled as it is made: it is shared, and each test's cluster would begin to compile it.
        more = {"ROOST_HOME": str(self.home), "NO_COLOR": "1", "UV_COMPILE_BYTECODE": "1"}
        return {**os.environ, **more}

    def write(
        self,
        *,
        workers: int = 2,
        jupyter: bool = False,
        port: int | None = None,
        most: int | None = None,
    ) -> None:
        """The spec: a small cluster."""
        self.file.write_text(
            f'name = "{self.name}"\nkind = "cluster"\n'
            f'[environment]\nproject = "{HERE / "environment"}"\n'
            f"[jupyter]\nenabled = {str(jupyter).lower()}\n{f'port = {port}' if port else ''}\n"
            f'[local]\nmemory = "1GB"\n[workers]\ncount = {workers}\n'
            + (f"max = {most}\n" if most is not None else "")
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start the command and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "roost", *words],
            cwd=self.folder,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            preexec_fn=heeds_interrupts,
        )

    def roost(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the command; it must end with ``code``."""
        process = self.begin(*words)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, f"roost {words}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def python(self, code: str) -> str:
        """Run Python on the cluster, in its environment; what it printed."""
        return self.roost("run", self.name, "--", "python", "-c", code).stdout.strip()

    def states(self) -> dict[str, str]:
        """The state of each instance, as ``roost show --json`` has it."""
        shown = json.loads(self.roost("show", self.name, "--json").stdout)
        return {i["name"]: i["state"] for i in shown["instances"]}

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this home: supervisors, services and what they made."""
        found = []
        for process in psutil.process_iter():
            try:
                words = " ".join(process.cmdline())
                mark = process.environ().get("ROOST_MACHINE", "")
            except psutil.Error:
                continue
            ours = str(self.home) in mark or (str(self.home) in words and "machine.py" in words)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def supervisors(self) -> list[psutil.Process]:
        """One for each machine that is on."""
        return [p for p in self.processes() if "machine.py" in " ".join(words_of(p))]

    def services(self, module: str) -> list[psutil.Process]:
        """The processes that run ``python -m MODULE``."""
        return [p for p in self.processes() if module in words_of(p)]

    def none_left(self) -> None:
        """Nothing of the name: no process, no folder."""
        assert until(lambda: not self.processes()), [p.cmdline() for p in self.processes()]
        left = [p.name for p in (self.home / "local").glob("*") if not p.name.endswith(".lock")]
        assert not left, left


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; none of one that has ended meanwhile."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def until(true: Callable[[], bool], patience: float = 20.0) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return true()
