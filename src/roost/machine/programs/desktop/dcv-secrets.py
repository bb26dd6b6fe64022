#!/usr/bin/python3
"""Make the passwords for the login to the desktop by DCV, and its certificate.

DCV asks the system who somebody is, so the machine's user gets a password; sshd does not take
passwords. A second user, who has nothing else, may only look on.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path

SECRETS = Path("/etc/roost/secrets")
VIEWER = "viewer"
EASY = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters that cannot be mistaken for others."""
CERTIFICATE = {"dcv.pem": 0o600, "dcv.key": 0o600}
DCV = Path("/etc/dcv")
YEARS = 10


def easy() -> str:
    """Return a password that can be typed: four times four, 79 bits."""
    return "-".join("".join(secrets.choice(EASY) for _ in range(4)) for _ in range(4))


def known(user: str) -> dict[str, str]:
    """Return the existing secrets, and new ones for the missing."""
    fresh = {"user": user, "password": easy(), "view_user": VIEWER, "view_password": easy()}
    try:
        kept = json.loads((SECRETS / "desktop.json").read_text())
    except (OSError, ValueError):
        kept = {}
    return {name: str(kept.get(name) or value) for name, value in fresh.items()}


def viewer() -> None:
    """Create the user who may only look on, without a home, a shell, or rights."""
    try:
        pwd.getpwnam(VIEWER)
    except KeyError:
        line = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", VIEWER]
        subprocess.run(line, check=True)


def let_in(user: str, password: str) -> None:
    """Set a password by its hash, through a pipe: everybody can read arguments."""
    made = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"],
        input=f"{password}\n".encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    line = f"{user}:{made.stdout.decode().strip()}\n"
    subprocess.run(["chpasswd", "--encrypted"], input=line.encode(), check=True)


def certificate() -> None:
    """Make a key, and a self-signed certificate, at DCV's paths."""
    if all((DCV / name).exists() for name in CERTIFICATE):
        return
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", str(365 * YEARS), "-subj", f"/CN={os.environ['ROOST_NAME']}"]
    words += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    words += ["-keyout", str(DCV / "dcv.key"), "-out", str(DCV / "dcv.pem")]
    subprocess.run(["openssl", "req", "-x509", *words], check=True, capture_output=True)
    for name, mode in CERTIFICATE.items():
        shutil.chown(DCV / name, "dcv", "dcv")
        (DCV / name).chmod(mode)


def main() -> None:
    """Make all of it; a second run changes nothing."""
    os.umask(0o077)
    SECRETS.mkdir(parents=True, exist_ok=True)
    found = known(os.environ["ROOST_USER"])
    viewer()
    let_in(found["user"], found["password"])
    let_in(VIEWER, found["view_password"])
    beside = SECRETS / ".desktop.json.new"
    beside.write_text(json.dumps(found, indent=1) + "\n")
    beside.chmod(0o600)
    beside.rename(SECRETS / "desktop.json")
    certificate()


if __name__ == "__main__":
    main()
