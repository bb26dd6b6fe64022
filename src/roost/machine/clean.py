"""The personal data on a machine, and its permanent erasure.

An image may be shared, so nothing personal may be in it: host keys, licences, who may log in,
histories, the machine's identity and roost's own state. It is erased on a copy of the machine's
disk (``bake.py``), never on the machine itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from roost.machine.common import Machine, run, write
from roost.machine.setup import block

SYSTEM = (
    "/etc/ssh/ssh_host_*",
    "/etc/roost/machine.json",
    "/etc/roost/limits",
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/fstab",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/dcv/dcv.key",
    "/etc/dcv/dcv.pem",
    "/etc/munge/munge.key",
    "/var/lib/slurm/slurmctld/*",
    "/var/spool/slurmd",
    "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed",
    "/var/lib/cloud",
    "/var/lib/roost",
    "/var/log/roost.log",
    "/var/log/cloud-init.log",
    "/var/log/cloud-init-output.log",
    "/var/log/auth.log",
    "/var/log/wtmp",
    "/var/log/btmp",
    "/var/log/lastlog",
    "/var/log/journal",
)
PERSONAL = (
    ".ssh/authorized_keys",
    ".ssh/known_hosts*",
    ".ssh/id_*",
    ".aws",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".ipython/profile_default/history.sqlite*",
    ".local/share/fish/fish_history",
    ".local/share/jupyter/runtime",
    ".local/share/recently-used.xbel",
    ".lesshst",
    ".viminfo",
    ".Xauthority",
    ".ICEauthority",
    ".vnc/passwd",
    ".pixinsight-license",
    ".netrc",
    ".git-credentials",
    ".docker/config.json",
    ".config/gh",
    ".config/rclone",
    ".config/chromium",
    ".config/google-chrome",
    ".mozilla",
    ".cache",
)
EDITED = ("/etc/hosts", "/etc/fstab", "/etc/shadow")
"""Only roost's lines go out of these, and passwords."""


def personal(machine: Machine) -> list[Path]:
    """Return all that goes, as it is now; the facts may name more, below each home."""
    below = [*PERSONAL, *machine.facts.get("personal", [])]
    found = [path for pattern in SYSTEM for path in _glob(machine.root, pattern.lstrip("/"))]
    homes = [machine.at("/root"), *_glob(machine.root, "home/*")]
    found += [p for home in homes for pattern in below for p in _glob(home, pattern)]
    return sorted(set(found))


def _glob(place: Path, pattern: str) -> Iterator[Path]:
    """Expand a pattern below ``place`` only, whatever the pattern says."""
    if ".." not in Path(pattern).parts and not pattern.startswith("/"):
        yield from place.glob(pattern)


def erase(machine: Machine, found: list[Path]) -> list[str]:
    """Erase these from the disk for good; return the paths."""
    for path in found:
        short = "/" + str(path.relative_to(machine.root))
        if short == "/etc/shadow":
            _without_passwords(path)
        elif short in EDITED:
            _without_roost(path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    write(machine.at("/etc/machine-id"), "")  # empty: systemd makes a new one at boot
    run(["sync"])
    return ["/" + str(path.relative_to(machine.root)) for path in found]


def _without_roost(path: Path) -> None:
    if path.name == "hosts":
        block(path, [])
        return
    lines = path.read_text().splitlines()
    write(path, "\n".join(line for line in lines if "x-roost=" not in line) + "\n")


def _without_passwords(path: Path) -> None:
    """Remove passwords in place: others than its owner may have to read it, by its group."""
    rows = [line.split(":") for line in path.read_text().splitlines()]
    for row in rows:
        if len(row) > 1 and row[1].startswith("$"):
            row[1] = "*"
    path.write_text("".join(":".join(row) + "\n" for row in rows))
