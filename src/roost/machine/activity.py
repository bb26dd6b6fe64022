"""Detect people and programs at work on this machine. When in doubt, it is busy."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from roost.machine.common import Machine, read, run

PORTS = {22: "ssh", 443: "the web page", 6080: "noVNC", 8443: "DCV", 8888: "Jupyter"}
VNC = range(5900, 5920)
LOOKS = range(600, 1024)
"""The gateway's own ports, from which a trainer's looks come: only its root has such a port. They
must keep no seat from being idle."""
LOAD = 0.5
"""Load (5 min) of the whole machine from which it works: one program on one CPU is work too."""
SHARE = 0.05
"""The part of one CPU from which a watched program works; one that waits uses less."""
GPU = 5
"""Percent."""
TICKS = os.sysconf("SC_CLK_TCK")
SETUP = 2 * 3600
"""Seconds after which a set-up that still runs no longer counts as activity."""


def busy(machine: Machine, before: dict[str, Any], up: float) -> tuple[str, dict[str, Any]]:
    """Return why it is not idle ("" if it is), and what to give as ``before`` the next time."""
    facts = machine.facts
    ticks = used(machine, facts.get("watch", []))
    why = (
        connection(machine)
        or load(machine)
        or at_work(before.get("ticks", {}), ticks, up - float(before.get("up", up)))
        or gpu()
        or slurm()
        or setup(machine, up)
        or hook(machine)
    )
    return why, {"up": up, "ticks": ticks}


def connection(machine: Machine) -> str:
    """Name a connection from another machine to what people use."""
    for table in ("tcp", "tcp6"):
        path = machine.at(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, remote, state = line.split()[:4]
            port, of_other = (int(end.rpartition(":")[2], 16) for end in (local, remote))
            name = "VNC" if port in VNC else PORTS.get(port)
            if port == 443 and of_other in LOOKS:
                continue
            if state == "01" and name and not _own(remote.partition(":")[0]):
                return f"somebody is connected to {name}"
    return ""


def _own(address: str) -> bool:
    """Return whether a /proc/net address (hexadecimal, 32-bit words in host order) is loopback."""
    if len(address) == 8:
        return address.endswith("7F")
    mapped = address[:24] == "0000000000000000FFFF0000"
    return address[24:].endswith("7F") if mapped else address == f"{0:024X}01000000"


def load(machine: Machine) -> str:
    """Return the load average of five minutes."""
    now = float(machine.at("/proc/loadavg").read_text().split()[1])
    return f"the load is {now:g}" if now >= LOAD else ""


def used(machine: Machine, watched: list[str]) -> dict[str, list[Any]]:
    """Return the CPU ticks of every watched process so far: ``{"PID START": [name, ticks]}``."""
    found: dict[str, list[Any]] = {}
    for place in machine.at("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            name = _watched(place, watched)
            if name:
                # The name of the program, in brackets, may hold anything, brackets too.
                words = (place / "stat").read_text().rpartition(")")[2].split()
                ticks = int(words[11]) + int(words[12])
                found[f"{place.name} {words[19]}"] = [name, ticks]
        except (OSError, IndexError, ValueError):
            continue  # it has just ended
    return found


def _watched(place: Path, watched: list[str]) -> str:
    words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")[:4]
    names = [(place / "comm").read_text().strip(), *(w.rpartition("/")[2] for w in words)]
    for pattern in watched:
        if any(fnmatch(name.lower(), pattern.lower()) for name in names):
            return pattern
    return ""


def at_work(before: dict[str, Any], now: dict[str, Any], seconds: float) -> str:
    """Name a watched program that used its CPUs since the last look."""
    shares: dict[str, float] = {}
    for key, (name, ticks) in now.items():
        more = ticks - (before[key][1] if key in before else 0)
        shares[name] = shares.get(name, 0.0) + more / TICKS / max(seconds, 1.0)
    return next((f"{name} is at work" for name, share in shares.items() if share >= SHARE), "")


def gpu() -> str:
    """Return the load of the busiest GPU, where there is one."""
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    code, said = run(query, seconds=20)
    numbers = [int(word) for word in said.split() if word.isdigit()] if code == 0 else []
    return f"a GPU is at work ({max(numbers)} %)" if numbers and max(numbers) >= GPU else ""


def slurm() -> str:
    """Count the jobs that run or wait."""
    code, said = run(["squeue", "--noheader", "--format=%i"], seconds=20)
    jobs = said.split() if code == 0 else []
    return f"Slurm has {len(jobs)} job(s)" if jobs else ""


def setup(machine: Machine, up: float) -> str:
    """Say that the machine sets itself up."""
    at_it = read(machine.status).get("state") == "working" and up < SETUP
    return "it sets itself up" if at_it else ""


def hook(machine: Machine) -> str:
    """Run ``/etc/roost/busy.d``: a program that ends with 0 says busy; its first line is why."""
    place = machine.at("/etc/roost/busy.d")
    for program in sorted(place.iterdir()) if place.is_dir() else ():
        if os.access(program, os.X_OK) and program.is_file():
            code, said = run([str(program)], seconds=20)
            if code == 0:
                return said.partition("\n")[0].strip() or f"{program.name} says so"
    return ""
