"""The personal data on a machine, and its permanent erasure.

An image may be shared, so nothing personal may be in it: host keys, licences, who may log in, the
machine's identity and roost's own state. Of homes only what is listed here stays: nobody can list
where programs keep their secrets. It is erased on a copy of the machine's disk (``bake.py``),
never on the machine itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
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
    "/etc/krb5.keytab",
    "/etc/wireguard/*",
    "/etc/openvpn/*",
    "/etc/NetworkManager/system-connections/*",
    "/etc/apt/auth.conf",
    "/etc/apt/auth.conf.d/*",
    "/var/spool/cron/crontabs/*",
    "/var/mail/*",
    "/var/lib/AccountsService/users/*",
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
KEPT_IN_HOMES = (
    *(".local/bin", ".local/lib", ".local/share/uv", "miniconda3", "miniforge3", "R"),
    *(".julia/artifacts", ".julia/compiled", ".julia/packages", ".juliaup"),
)
"""Software that people install below their home. All else goes, and the system's own first files
(``/etc/skel``) come back."""
SECRETS = (
    *(".env", ".env.*", "*.env", ".netrc", ".pypirc", ".condarc", ".Renviron", ".git-credentials"),
    *(".npmrc", "pip.conf", "credentials", "credentials.json", "id_rsa*", "id_dsa*", "id_ecdsa*"),
    *("id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.kdbx", "*.keytab", "*.lic"),
    *(".aws", ".ssh", ".gnupg", ".kube", ".docker", ".azure", ".gcloud", ".secrets"),
)
"""Names of files and folders that hold secrets, wherever they are."""
PROJECTS = "/opt/roost/project"
"""The projects from which environments were made, as they came; their environments need them."""
EDITED = ("/etc/hosts", "/etc/fstab", "/etc/shadow")
"""Only roost's lines go out of these, and passwords."""


def personal(machine: Machine) -> list[Path]:
    """Return all that goes, as it is now; the facts may name more, below each home."""
    found = [path for pattern in SYSTEM for path in _glob(machine.root, pattern.lstrip("/"))]
    found += _secrets(machine.at(PROJECTS))
    for home in homes(machine):
        found += _beside_what_stays(machine, home, home)
        found += [p for pattern in machine.facts.get("personal", []) for p in _glob(home, pattern)]
    return sorted(_outermost(found))


def homes(machine: Machine) -> list[Path]:
    """Return all homes."""
    return [home for home in (machine.at("/root"), *machine.root.glob("home/*")) if home.is_dir()]


def is_secret(path: Path) -> bool:
    """Tell whether a file or a folder holds secrets, by its name."""
    return any(fnmatch(path.name, pattern) for pattern in SECRETS)


def _beside_what_stays(machine: Machine, home: Path, folder: Path) -> Iterator[Path]:
    """Yield what goes of a home; a folder on the way to software stays for what is below it."""
    for path in folder.iterdir():
        name = str(path.relative_to(home))
        real_folder = path.is_dir() and not path.is_symlink()
        if name in KEPT_IN_HOMES and real_folder:
            yield from _secrets(path)
        elif real_folder and any(kept.startswith(f"{name}/") for kept in KEPT_IN_HOMES):
            yield from _beside_what_stays(machine, home, path)
        elif not _is_skeleton(machine, path, name):
            yield path


def _is_skeleton(machine: Machine, path: Path, name: str) -> bool:
    first = machine.at(f"/etc/skel/{name}")
    if path.is_symlink() or not (path.is_file() and first.is_file()):
        return False
    return path.read_bytes() == first.read_bytes()


def _secrets(folder: Path) -> Iterator[Path]:
    """Yield the secrets below a folder; certificates of authorities are none."""
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(at, name)
            if is_secret(path) and not (path.suffix in (".pem", ".key") and _is_public(path)):
                yield path


def _is_public(path: Path) -> bool:
    return path.is_file() and b"PRIVATE KEY" not in path.read_bytes()


def _outermost(found: list[Path]) -> set[Path]:
    """Return the paths that are below no other one."""
    every = set(found)
    return {path for path in every if every.isdisjoint(path.parents)}


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
    _restore_first_files(machine)
    write(machine.at("/etc/machine-id"), "")  # empty: systemd makes a new one at boot
    run(["sync"])
    return ["/" + str(path.relative_to(machine.root)) for path in found]


def _restore_first_files(machine: Machine) -> None:
    """Give each home what a new user has, as its owner's."""
    for home in homes(machine):
        owner = home.stat()
        for first in machine.root.glob("etc/skel/*"):
            if first.is_file() and not (home / first.name).exists():
                shutil.copy(first, home / first.name)
                os.chown(home / first.name, owner.st_uid, owner.st_gid)


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
