"""``roost-clean``: this machine is clean for as long as it takes to make an image of it.

An image may be shared, so nothing personal may be in it: host keys, licences, who may log in,
histories, the machine's identity and roost's own state. All of it is set aside in memory
(``/run``, which is in no image), the word ``clean`` is printed, and all of it comes back at the
next line on stdin, at its end (whoever asked is gone), or after a quarter of an hour. One
connection holds all this: nobody can log in while the machine is clean. An image is of the moment
at which it was asked for; it must be made without a reboot, or what was set aside is lost.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from roost.recipes.machine.common import Machine, run, write
from roost.recipes.machine.setup import block

ASIDE = "/run/roost/aside.tar"
PATIENCE = 900.0
SYSTEM = (
    "/etc/ssh/ssh_host_*",
    "/etc/roost/machine.json",
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/fstab",
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
EDITED = ("/etc/hosts", "/etc/fstab")
"""Only roost's lines go out of these."""
NOT_SAVED = ("/var/log/journal", ".cache")
"""Too large for memory, and no loss."""


def personal(machine: Machine) -> list[Path]:
    """Everything that goes, as it is now; the facts may name more, below each home."""
    below = [*PERSONAL, *machine.facts.get("personal", [])]
    found = [path for pattern in SYSTEM for path in _glob(machine.root, pattern.lstrip("/"))]
    homes = [machine.at("/root"), *_glob(machine.root, "home/*")]
    found += [p for home in homes for pattern in below for p in _glob(home, pattern)]
    return sorted(set(found))


def _glob(place: Path, pattern: str) -> Iterator[Path]:
    """Below ``place`` only, whatever a pattern says."""
    if ".." not in Path(pattern).parts and not pattern.startswith("/"):
        yield from place.glob(pattern)


def clean(machine: Machine) -> list[str]:
    """Set everything aside, then erase it; the paths."""
    aside = machine.at(ASIDE)
    if aside.exists():
        raise FileExistsError(f"it is clean already: {ASIDE} exists")
    found = personal(machine)
    _save(machine, found, aside)
    return erase(machine, found)


def erase(machine: Machine, found: list[Path]) -> list[str]:
    """Take these off the disk for good; the paths."""
    for path in found:
        short = "/" + str(path.relative_to(machine.root))
        if short in EDITED:
            _without_roost(path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    write(machine.at("/etc/machine-id"), "")  # empty: systemd makes a new one at boot
    run(["sync"])
    return ["/" + str(path.relative_to(machine.root)) for path in found]


def _save(machine: Machine, found: list[Path], aside: Path) -> None:
    aside.parent.mkdir(parents=True, exist_ok=True)
    beside = aside.with_suffix(".part")
    opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for path in found:
            short = str(path.relative_to(machine.root))
            if not any(short.endswith(skip.lstrip("/")) for skip in NOT_SAVED):
                tar.add(path, arcname=short)
    beside.rename(aside)


def _without_roost(path: Path) -> None:
    if path.name == "hosts":
        block(path, [])
        return
    lines = path.read_text().splitlines()
    write(path, "\n".join(line for line in lines if "x-roost=" not in line) + "\n")


def undo(machine: Machine) -> int:
    """Everything back as it was; how many files. 0 where nothing was set aside."""
    aside = machine.at(ASIDE)
    if not aside.exists():
        return 0
    with tarfile.open(aside) as tar:
        members = tar.getmembers()
        # We wrote it ourselves. (Debian 12's Python knows no argument "filter" yet.)
        tar.extraction_filter = lambda member, _: member
        tar.extractall(machine.root)  # noqa: S202
    aside.unlink()
    run(["sync"])
    return len(members)


def hold(machine: Machine, stdin: TextIO, stdout: TextIO, seconds: float = PATIENCE) -> int:
    """Clean, say so, wait, and put everything back; how many files that were."""
    try:
        erased = clean(machine)
        stdout.write("".join(f"erased {path}\n" for path in erased) + "clean\n")
        stdout.flush()
        select.select([stdin], [], [], seconds)
    finally:
        back = undo(machine)
    return back


def main() -> None:
    """For ``roost image bake``, over ssh, as root."""
    machine = Machine()
    if machine.at(ASIDE).exists():  # we were killed; nothing else can be done first
        undo(machine)
    if sys.argv[1:] == ["--undo"]:
        return
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    # And if we are killed: the machine must not stay without its guard.
    undo_later = ["/usr/lib/roost/run", "clean", "--undo"]
    run(["systemd-run", "--collect", "--unit=roost-undo", "--on-active=20min", *undo_later])
    back = hold(machine, sys.stdin, sys.stdout)
    run(["systemctl", "stop", "roost-undo.timer"])
    sys.stdout.write(f"{back} files are back\n")


if __name__ == "__main__":
    main()
