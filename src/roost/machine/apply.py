"""Apply a hand-over: put the files of a tar in their place, and start the set-up.

It comes in that tar itself (``provision/bundle.py`` writes it), so nothing of it need be on the
machine before. The last file moved is the one that says what to do: broken off anywhere, the
machine has the old hand-over or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from roost.machine import limits
from roost.machine.common import Machine, read, run, write
from roost.machine.setup import say, this_boot

HANDOVER = "/etc/roost/handover.json"
PROGRAMS = "/usr/lib/roost"
SECRETS = "/etc/roost/secrets"
GENERATORS = "/etc/roost/secrets.d"
"""Programs that make what machines of one name share, where it is not made yet."""
UPLOADS = "/var/lib/roost/uploads"
UNIT = "roost-setup.service"


def receive(machine: Machine, incoming: Path, shared: list[str]) -> dict[str, str]:
    """Put all of ``incoming`` in its place; return this machine's shared secrets, by name."""
    secrets = machine.at(SECRETS)
    secrets.mkdir(parents=True, exist_ok=True)
    secrets.chmod(0o700)
    for file in _files(incoming / "secrets"):
        _secret(file, secrets / file.name)
    _programs(machine, incoming)
    for file in _files(incoming / "uploads"):
        _upload(machine, file)
    found = _shared(machine, shared)
    given = read(incoming / "handover.json").get("limits")
    if isinstance(given, dict):
        limits.bring(machine, given)
    write(machine.at(HANDOVER), (incoming / "handover.json").read_text(), 0o600)
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _secret(file: Path, to: Path) -> None:
    """Copy a secret byte for byte: it need not be a text."""
    beside = to.with_name(f".{to.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as made:
        made.write(file.read_bytes())
    beside.chmod(0o600)
    beside.replace(to)


def _programs(machine: Machine, incoming: Path) -> None:
    for file in sorted((incoming / "lib").rglob("*.py")):
        write(machine.at(PROGRAMS) / file.relative_to(incoming / "lib"), file.read_text())
    for file in _files(incoming / "secret_generators"):
        write(machine.at(GENERATORS) / file.name, file.read_text(), 0o755)


def _upload(machine: Machine, file: Path) -> None:
    """Place an upload whole, or not at all: its name is its checksum."""
    found = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            found.update(block)
    if found.hexdigest() != file.name:
        raise OSError(f"{file.name} arrived as {found.hexdigest()}")
    place = machine.at(UPLOADS)
    place.mkdir(parents=True, exist_ok=True)
    file.chmod(0o644)
    file.replace(place / file.name)


def _shared(machine: Machine, names: list[str]) -> dict[str, str]:
    """Return the shared secrets, generated now or before. Raises OSError where one fails."""
    for generator in _files(machine.at(GENERATORS)) if names else ():
        code, said = run(
            [str(generator)], seconds=60, env={"ROOST_SECRETS": str(machine.at(SECRETS))}
        )
        if code:
            raise OSError(f"{generator.name} ended with {code}: {said.strip()[-500:]}")
    return {name: (machine.at(SECRETS) / name).read_text() for name in names}


def kick(machine: Machine, digest: str) -> None:
    """Start the set-up; one that is running sees the new hand-over by itself."""
    status = read(machine.status)
    if status.get("state") == "done" and is_of_now(machine, status, digest):
        return
    _, state = run(["systemctl", "show", "--property=ActiveState", "--value", UNIT])
    if state.strip() not in ("activating", "reloading"):
        # A reader must not take the end of the last set-up for the end of this one.
        say(machine, 0, 0, "beginning", "working", given=digest)
        run(["systemctl", "reset-failed", UNIT])
        run(["systemctl", "restart", "--no-block", UNIT])


def is_of_now(machine: Machine, status: dict[str, object], digest: str) -> bool:
    """Return whether a status belongs to this hand-over, and to this boot."""
    return status.get("handover") == digest and status.get("boot") == this_boot(machine)


def main() -> None:
    """Run ``receive FOLDER [SECRET...]``: print the named secrets, as JSON, and nothing else."""
    machine, incoming = Machine(), Path(sys.argv[1])
    os.umask(0o022)
    try:
        with machine.alone("receive"):
            shared = receive(machine, incoming, sys.argv[2:])
            kick(machine, str(read(machine.at(HANDOVER)).get("digest")))
    except OSError as why:
        sys.exit(f"roost: {why}")
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    sys.stdout.write(json.dumps(shared) + "\n")


if __name__ == "__main__":
    main()
