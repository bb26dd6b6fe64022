"""Set the machine up: at its first boot, and at each later one, where finished steps are skipped.

What a desktop, Dask or Slurm needs is handed over by ssh (``steps.py``), maybe while this is at
work; programs in ``/etc/roost/setup.d`` run too, each once, again if it failed.
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
from typing import Any

from roost.machine import identity, volumes
from roost.machine.common import Failed, Machine, boot, read, run, write

DONE = "/var/lib/roost/done"
"""A folder: the steps that need not be done again. ``set-up`` is written when all are."""
APT = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=5"]
UPGRADES = ["apt-daily.timer", "apt-daily-upgrade.timer"]
VOLUMES_PATIENCE = 600.0
HOUR = 3600.0
Runner = Callable[..., tuple[int, str]]
BEGIN, END = "# roost: begin", "# roost: end"


@dataclass(frozen=True, slots=True)
class Step:
    """``do`` returns a note for the status; ``once``: not again after it was done."""

    name: str
    do: Callable[[], str]
    once: bool = False
    title: str = ""


def steps(machine: Machine, patience: float) -> list[Step]:
    """Return all steps, in order."""
    found = [Step("name", partial(name, machine))]
    given = _handed_over(machine)
    more = given.packages(machine) if given else []
    packages = sorted({*machine.facts.get("packages", []), *more})
    if packages:
        digest = f"{zlib.crc32(' '.join(packages).encode()):08x}"
        title = f"installing {len(packages)} packages"
        do = partial(install, packages, given.progress(machine, title) if given else run)
        found.append(Step(f"packages-{digest}", do, True, title))
    # After the packages, because volumes are attached meanwhile; programs may need both.
    found.append(Step("volumes", partial(data, machine, patience)))
    place = machine.at("/etc/roost/setup.d")
    programs = sorted(place.iterdir()) if place.is_dir() else []
    found += [
        Step(one.name, partial(program, machine, one), once=True)
        for one in programs
        if os.access(one, os.X_OK)
    ]
    for one in given.handed_over(machine)["steps"] if given else ():
        found.append(Step(one["name"], partial(given.do, machine, one), title=one["title"]))
    return found


def _handed_over(machine: Machine) -> Any:
    """Return the module of the hand-over, which comes with the first one."""
    if not machine.at("/etc/roost/handover.json").exists():
        return None
    from roost.machine import steps

    return steps


def set_up(machine: Machine, patience: float = VOLUMES_PATIENCE, pause: float = 10) -> bool:
    """Run each step in turn; return whether all are done. The first that fails for good ends it."""
    given = stamp(machine)
    todo = steps(machine, patience)
    notes: list[str] = []
    for number, step in enumerate(todo, 1):
        marker = machine.at(f"{DONE}/{step.name}")
        if step.once and marker.exists():
            continue
        title = step.title or step.name
        say(machine, number, len(todo), title, "working", given=given)
        try:
            note = _tried(machine, step, pause)
        except (Failed, OSError, ValueError, KeyError) as why:
            say(machine, number, len(todo), title, "failed", str(why), given)
            return False
        if note:
            notes.append(note)
        write(marker, "")
    write(machine.at(f"{DONE}/set-up"), "")
    say(machine, len(todo), len(todo), "ready", "done", "; ".join(notes), given)
    return True


def _tried(machine: Machine, step: Step, pause: float, tries: int = 3) -> str:
    """Try a step again before it has failed: mirrors and networks have bad minutes."""
    for left in reversed(range(tries)):
        try:
            return step.do()
        except (Failed, OSError) as why:
            if not left:
                raise
            machine.log(f"{step.name}: {why}; trying again")
            time.sleep(pause)
    raise AssertionError("not reached")


def stamp(machine: Machine) -> str:
    """Return the digest of the machine's hand-over."""
    return str(read(machine.at("/etc/roost/handover.json")).get("digest", ""))


def this_boot(machine: Machine) -> str:
    """Return the id of this boot: an earlier boot's result says nothing of today's services."""
    try:
        return boot(machine)[0]
    except (OSError, IndexError, ValueError):
        return ""


def say(
    machine: Machine, step: int, of: int, name: str, state: str, note: str = "", given: str = ""
) -> None:
    """Write the status file, the log, and a line on the console, which the cloud shows."""
    found = {"step": step, "of": of, "name": name, "state": state, "note": note}
    more = {"handover": given, "boot": this_boot(machine), "at": int(time.time())}
    write(machine.status, {**found, **more})
    text = f"roost: {step}/{of} {name}: {state} {note}".rstrip()
    machine.log(text)
    console = machine.at("/dev/console")
    try:
        with console.open("a") as file:
            file.write(text + "\n")
    except OSError:
        pass  # a machine without one


def name(machine: Machine) -> str:
    """Set the host's name and, for workers, the address of the head."""
    node = identity.node(machine)
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
    """Write roost's own lines at the end of a file; leave all other lines."""
    old = path.read_text().splitlines() if path.exists() else []
    if BEGIN in old and END in old:
        old = old[: old.index(BEGIN)] + old[old.index(END) + 1 :]
    write(path, "\n".join([*old, BEGIN, *lines, END] if lines else old) + "\n")


def data(machine: Machine, patience: float) -> str:
    """Mount the volumes that are attached by now; the timer mounts later ones."""
    found = volumes.wait(machine, patience)
    return "; ".join(
        f"volume {one}: {how['note']}" for one, how in found.items() if how["state"] != "mounted"
    )


def install(packages: list[str], run: Runner = run) -> str:
    """Install from the system's package registry, without questions."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a"}
    # Finish an installation in which the machine was switched off.
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
    """Run a program of ``setup.d``; its last lines are the note if it fails."""
    code, said = run([str(path)], seconds=HOUR)
    machine.log(f"{path.name}: {said.strip()}")
    if code:
        raise Failed(f"{path.name} ended with {code}: {said.strip()[-800:]}")
    return ""


def main() -> None:
    """Run the set-up, for the service, at each boot."""
    machine = Machine()
    # An upgrade that begins now would hold dpkg's lock for minutes.
    run(["systemctl", "stop", *UPGRADES])
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        before = None
        while before != stamp(machine):  # it may come while this is at work
            before = stamp(machine)
            done = set_up(machine)
    except SystemExit:
        last = read(machine.status)
        why = ("failed", "it took too long", last.get("handover", ""))
        say(machine, last["step"], last["of"], last["name"], *why)
        raise
    finally:
        run(["systemctl", "start", *UPGRADES])
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    main()
