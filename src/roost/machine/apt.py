"""The installation of packages, which says how far it is. It comes with the hand-over."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time

from roost.machine.common import Machine, read, write

STAGES = {"Get:": "fetched", "Unpacking ": "unpacked", "Setting up ": "set up"}
"""The beginnings of apt's lines about one package, and what it has done with it."""


class Progress:
    """Runs apt, and says in the status file alone how many packages it has done with."""

    def __init__(self, machine: Machine, title: str, every: float = 1.0) -> None:
        self.machine, self.title, self.every = machine, title, every
        self.done, self.total, self.told = dict.fromkeys(STAGES, 0), 0, -every

    def hear(self, line: str) -> None:
        """Take one of apt's lines."""
        if numbers := re.match(r"(\d+) upgraded, (\d+) newly installed", line):
            self.total = int(numbers[1]) + int(numbers[2])
        begin = next((one for one in STAGES if line.startswith(one)), None)
        if begin is None or not self.total:
            return
        self.done[begin] += 1
        if time.monotonic() - self.told >= self.every:
            self.told = time.monotonic()
            self.tell(f"{self.done[begin]} of {self.total} {STAGES[begin]}")

    def tell(self, text: str) -> None:
        """Write how far the present step is."""
        now = read(self.machine.status)
        write(self.machine.status, {**now, "name": f"{self.title}: {text}"})

    def run(
        self, argv: list[str], seconds: float = 60, env: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Do what ``common.run`` does, and hear each line at once."""
        lines: list[str] = []
        try:
            with subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, "LC_ALL": "C", **(env or {})},
            ) as process:
                late = threading.Timer(seconds, process.kill)
                late.start()
                for line in process.stdout or ():
                    lines.append(line)
                    self.hear(line)
                code = process.wait()
                late.cancel()
        except FileNotFoundError:
            return 127, f"{argv[0]}: not found"
        if code == -signal.SIGKILL:
            return 124, f"{argv[0]}: ended, or not done after {seconds:g} s"
        return code, "".join(lines)
