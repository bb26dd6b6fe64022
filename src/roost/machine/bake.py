"""``bake``: turn a machine made from a copy of somebody's disk into one fit for an image.

It runs on the helper of ``roost image bake`` only, never on the machine that was copied: what is
erased here stays erased. The last word is on the console, which the cloud shows without ssh; only
after the good one does the machine switch itself off.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from roost.machine.clean import EDITED, erase, personal
from roost.machine.common import Machine, run, write
from roost.machine.setup import DONE

STATE = (
    "etc/roost",
    "etc/systemd/system/roost-*",
    "etc/systemd/system/*.wants/roost-*",
    "etc/udev/rules.d/90-roost.rules",
    "etc/ssh/sshd_config.d/60-roost.conf",
    "etc/update-motd.d/99-roost",
)
"""roost's own files; a machine's user-data brings all of them."""
REST = (
    *("tmp/*", "var/tmp/*", "var/crash/*", "var/lib/systemd/coredump/*"),
    *("var/log/*.gz", "var/log/*.1", "var/log/syslog", "var/log/kern.log", "var/log/messages"),
)
"""Files that programs and users leave."""
STAYS = (*EDITED, "/etc/machine-id", "/var/lib/roost", "/var/lib/systemd/random-seed")
"""Emptied, or without what was roost's; systemd writes a new seed whenever it ends."""
KEPT = ("packages-*", "step-*")
"""Steps of the set-up that an image keeps. Others may hold one machine's own data."""


def bake(machine: Machine) -> list[str]:
    """Erase all that is personal or one machine's own; return the paths."""
    done = [path.name for pattern in KEPT for path in machine.at(DONE).glob(pattern)]
    found = erase(machine, personal(machine))
    for pattern in (*STATE, *REST):
        for path in sorted(machine.root.glob(pattern)):
            _remove(path)
            found.append("/" + str(path.relative_to(machine.root)))
    for name in done:
        write(machine.at(f"{DONE}/{name}"), "")
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def left(machine: Machine) -> list[str]:
    """Return what should be erased and still exists; logs are written until the end."""
    again = ["/" + str(path.relative_to(machine.root)) for path in personal(machine)]
    return [path for path in again if path not in STAYS and not path.startswith("/var/log/")]


def say(machine: Machine, text: str) -> None:
    """Print on the console, and to stdout for the program that started this one."""
    sys.stderr.write(text + "\n")
    with machine.at("/dev/console").open("a") as console:
        console.write("\n" + text + "\n")


def main() -> None:
    """Run ``bake WORD``: print ``WORD: clean`` and switch off; or ``WORD: failed: why``."""
    machine, word = Machine(), sys.argv[1]
    try:
        bake(machine)
        # This finds what was written meanwhile (a shell's history, the journal).
        if found := left(machine):
            raise OSError(f"it came back: {', '.join(found)}")
        run(["sync"])
    except Exception as why:
        say(machine, f"{word}: failed: {why}")
        raise
    say(machine, f"{word}: clean")
    run(["systemctl", "poweroff", "--no-block"])


if __name__ == "__main__":
    main()
