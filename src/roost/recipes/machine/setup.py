"""The machine sets itself up: at its first boot, and again at each, where done is skipped.

What a desktop, Dask or Slurm needs is a program in ``/etc/roost/setup.d``: run in the order of
their names, each once, again if it failed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from roost.recipes.machine import volumes, which
from roost.recipes.machine.common import Machine, read, run, write

DONE = "/var/lib/roost/done"
"""A folder: the steps that need not be done again. ``set-up`` is written when all are."""
APT = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=5"]
UPGRADES = ["apt-daily.timer", "apt-daily-upgrade.timer"]
VOLUMES_PATIENCE = 600.0
HOUR = 3600.0
BEGIN, END = "# roost: begin", "# roost: end"


class Failed(Exception):  # noqa: N818 - shown by its text only
    """A step that failed, and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """``do`` returns a note for the status; ``once``: not again after it was done."""

    name: str
    do: Callable[[], str]
    once: bool = False


def steps(machine: Machine, metadata: which.Metadata, patience: float) -> list[Step]:
    """All of them, in order."""
    found = [Step("name", partial(name, machine, metadata))]
    packages = machine.facts.get("packages", [])
    if packages:
        digest = f"{zlib.crc32(' '.join(sorted(packages)).encode()):08x}"
        found.append(Step(f"packages-{digest}", partial(install, packages), once=True))
    # After the packages, because volumes are attached meanwhile; programs may need both.
    found.append(Step("volumes", partial(data, machine, patience)))
    place = machine.at("/etc/roost/setup.d")
    programs = sorted(place.iterdir()) if place.is_dir() else []
    found += [
        Step(one.name, partial(program, machine, one), once=True)
        for one in programs
        if os.access(one, os.X_OK)
    ]
    return found


def set_up(
    machine: Machine,
    metadata: which.Metadata,
    patience: float = VOLUMES_PATIENCE,
    pause: float = 10,
) -> bool:
    """Every step in turn; whether all are done. The first that fails for good ends it."""
    todo = steps(machine, metadata, patience)
    notes: list[str] = []
    for number, step in enumerate(todo, 1):
        marker = machine.at(f"{DONE}/{step.name}")
        if step.once and marker.exists():
            continue
        say(machine, number, len(todo), step.name, "working")
        try:
            note = _tried(machine, step, pause)
        except (Failed, OSError, ValueError, KeyError) as why:
            say(machine, number, len(todo), step.name, "failed", str(why))
            return False
        if note:
            notes.append(note)
        write(marker, "")
    write(machine.at(f"{DONE}/set-up"), "")
    say(machine, len(todo), len(todo), "ready", "done", "; ".join(notes))
    return True


def _tried(machine: Machine, step: Step, pause: float, tries: int = 3) -> str:
    """Mirrors and networks have bad minutes: a step is tried again before it has failed."""
    for left in reversed(range(tries)):
        try:
            return step.do()
        except (Failed, OSError) as why:
            if not left:
                raise
            machine.log(f"{step.name}: {why}; trying again")
            time.sleep(pause)
    raise AssertionError("not reached")


def say(machine: Machine, step: int, of: int, name: str, state: str, note: str = "") -> None:
    """The status file, the log, and a line on the console, which the cloud shows without ssh."""
    found = {"step": step, "of": of, "name": name, "state": state, "note": note}
    write(machine.status, {**found, "at": int(time.time())})
    text = f"roost: {step}/{of} {name}: {state} {note}".rstrip()
    machine.log(text)
    console = machine.at("/dev/console")
    try:
        with console.open("a") as file:
            file.write(text + "\n")
    except OSError:
        pass  # a machine without one


def name(machine: Machine, metadata: which.Metadata) -> str:
    """Its name among the launch's, as the host's name and, for workers, where the head is."""
    node = which.node(machine, metadata)
    facts = machine.facts
    host = f"{facts['name']}-{node}"
    if machine.at("/proc/sys/kernel/hostname").read_text().strip() != host:
        write(machine.at("/etc/hostname"), host + "\n")
        code, said = run(["hostname", host])
        if code:
            raise Failed(said.strip())
    hosts = [f"127.0.1.1 {host} {node}"]
    if facts.get("head"):
        hosts.append(f"{facts['head']} {facts['name']}-head head")
    block(machine.at("/etc/hosts"), hosts)
    return ""


def block(path: Path, lines: list[str]) -> None:
    """roost's own lines at the end of a file; anybody else's stay."""
    old = path.read_text().splitlines() if path.exists() else []
    if BEGIN in old and END in old:
        old = old[: old.index(BEGIN)] + old[old.index(END) + 1 :]
    write(path, "\n".join([*old, BEGIN, *lines, END] if lines else old) + "\n")


def data(machine: Machine, patience: float) -> str:
    """The volumes that are attached by now; the timer takes care of those that come later."""
    found = volumes.wait(machine, patience)
    return "; ".join(
        f"volume {one}: {how['note']}" for one, how in found.items() if how["state"] != "mounted"
    )


def install(packages: list[str]) -> str:
    """From the system's package registry, with nobody to answer questions."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a"}
    # A machine that was switched off in the middle of an installation goes on from there.
    for argv in (
        ["dpkg", "--configure", "-a"],
        [*APT, "update"],
        [*APT, "install", "--no-install-recommends", *packages],
    ):
        code, said = run(argv, seconds=HOUR, env=quiet)
        if code:
            raise Failed(f"{' '.join(argv[:2])} ended with {code}: {said.strip()[-800:]}")
    return ""


def program(machine: Machine, path: Path) -> str:
    """One of ``setup.d``; its last lines are the note if it fails."""
    code, said = run([str(path)], seconds=HOUR)
    machine.log(f"{path.name}: {said.strip()}")
    if code:
        raise Failed(f"{path.name} ended with {code}: {said.strip()[-800:]}")
    return ""


def main() -> None:
    """For the service, at each boot."""
    machine = Machine()
    # An upgrade that begins now would hold dpkg's lock for minutes.
    run(["systemctl", "stop", *UPGRADES])
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        done = set_up(machine, which.Metadata())
    except SystemExit:
        before = read(machine.status)
        say(machine, before["step"], before["of"], before["name"], "failed", "it took too long")
        raise
    finally:
        run(["systemctl", "start", *UPGRADES])
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    main()
