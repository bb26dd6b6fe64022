"""One machine: a Debian that boots (systemd-nspawn, systemd as its first process)."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.bench.disks import numbers
from tests.bench.network import Port
from tests.bench.places import HERE, run, until

REBOOT = 133
"""What nspawn ends with where the machine wants to boot again (EXIT_FORCE_RESTART)."""
PATIENCE = 90.0
BY_ID = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"


def ebs_link(volume: str) -> str:
    """The name that udev gives a volume of EC2."""
    return f"{BY_ID}{volume.replace('-', '')}"


Ended = Callable[[Literal["off", "reboot"]], None]


@dataclass(frozen=True, slots=True)
class Attached:
    """A volume as the machine sees it: a device of its own, under the name that was asked for."""

    volume: str
    device: str
    loop: str


@dataclass(slots=True, kw_only=True)
class Machine:
    """``root`` is its disk, mounted; ``group`` its control group; ``ended`` is told when it ends
    by itself or by ``stop``."""

    id: str
    root: Path
    port: Port
    group: str
    memory: int
    cpus: int
    downloads: Path
    ended: Ended
    words: tuple[str, ...] = ()
    link: Callable[[str], str] = ebs_link
    process: subprocess.Popen[bytes] | None = None
    leader: int | None = None

    @property
    def console(self) -> Path:
        """What it has written to its console, at all of its boots."""
        return self.root.with_name("console.log")

    @property
    def host(self) -> str:
        """``ip-10-210-0-4``, as EC2 names it."""
        return f"ip-{self.port.private.replace('.', '-')}"

    def start(self, attached: Iterable[Attached]) -> None:
        """Boot. Returns when its first process runs; the system comes up after that."""
        volumes = tuple(attached)
        devices = [f"--bind={one.loop}" for one in volumes]
        self.downloads.mkdir(parents=True, exist_ok=True)
        words = [
            *("unshare", "--mount", "--propagation", "private", "--"),
            *(str(HERE / "programs" / "launch.sh"), self.group, str(self.memory), str(self.cpus)),
            str(self.port.namespace),
            *("--quiet", "--boot", "--register=no", "--keep-unit", f"--machine={self.host}"),
            *(f"--directory={self.root}", "--resolv-conf=off", "--timezone=off"),
            *("--link-journal=no", "--capability=all"),
            *("--console=read-only", f"--bind={self.downloads}:/var/cache/apt/archives", *devices),
            *self.words,
        ]
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                words,
                stdout=console,
                stderr=console,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until(self._found_leader, PATIENCE, f"the first process of {self.id}")
        threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()
        for one in volumes:
            self.attach(one)
        self.inside("touch", "/run/bench-devices")

    def _found_leader(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            said = self.console.read_text(errors="replace")[-1500:]
            raise RuntimeError(f"{self.id} did not start ({self.process.returncode}): {said}")
        self.leader = leader_of(self.process.pid)
        return self.leader is not None and self._ready()

    def _ready(self) -> bool:
        """Whether its folders are its own already: nspawn's child becomes its first process."""
        with suppress(OSError):
            name = Path(f"/proc/{self.leader}/comm").read_text().strip()
            return name == "systemd" and Path(f"/proc/{self.leader}/root/run/systemd").is_dir()
        return False

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        self.leader = None
        self.ended("reboot" if code == REBOOT else "off")

    @property
    def running(self) -> bool:
        """Whether its first process is there."""
        return self.process is not None and self.process.poll() is None

    # --- off --------------------------------------------------------------------------------

    def stop(self, patience: float = PATIENCE) -> None:
        """As EC2 does it: the power button, and after a while the plug."""
        self._signal(signal.SIGRTMIN + 4)
        deadline = time.monotonic() + patience
        while self.running and time.monotonic() < deadline:
            time.sleep(0.05)
        self.kill()

    def reboot(self) -> None:
        """Ctrl-Alt-Del."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """The plug: all of its processes at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with suppress(ProcessLookupError, TypeError):
                os.kill(self.leader, signal.SIGKILL)  # type: ignore[arg-type]
            self.process.wait(timeout=60)

    def _signal(self, number: int) -> None:
        if self.leader is not None:
            with suppress(ProcessLookupError):
                os.kill(self.leader, number)

    # --- in it ------------------------------------------------------------------------------

    def inside(self, *argv: str, check: bool = True, text: str | None = None) -> str:
        """What a program says that runs in the machine, as its root."""
        return run(*within(self.leader), *argv, check=check, text=text)

    def attach(self, one: Attached) -> None:
        """The device appears, under the names that a machine of EC2 has for it."""
        major, minor = numbers(one.loop)
        link = self.link(one.volume)
        self.inside(
            *("sh", "-c"),
            '[ -e "$1" ] || mknod "$1" b "$2" "$3"; mkdir -p /dev/disk/by-id;'
            ' ln -sfn "$1" "$4"; ln -sfn "$1" "$5"',
            *("attach", one.loop, str(major), str(minor), one.device, link),
        )

    def detach(self, one: Attached) -> None:
        """The device is gone; what was mounted from it is broken, as it is on EC2."""
        link = self.link(one.volume)
        self.inside(
            *("sh", "-c"),
            'rm -f "$2" "$3"; umount -q "$1" 2>/dev/null; rm -f "$1"; true',
            *("detach", one.loop, one.device, link),
        )


def within(leader: int | None) -> tuple[str, ...]:
    """What a command begins with that runs in a machine. Raises RuntimeError where it is off."""
    if leader is None:
        raise RuntimeError("the machine is off")
    return ("nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "--")


def leader_of(nspawn: int) -> int | None:
    """The first process of the machine that an nspawn runs."""
    with suppress(OSError, ValueError):
        mine = os.readlink("/proc/self/ns/pid")
        children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
        for child in children:
            if os.readlink(f"/proc/{child}/ns/pid") != mine:
                return int(child)
    return None
