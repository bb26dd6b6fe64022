#!/usr/bin/python3
"""Make the missing secrets of this machine's desktop.

The user types one password. nginx gives whoever knows it the address of the desktop's socket and
the password of VNC, which would be too short to stand alone (8 characters).
"""

from __future__ import annotations

import json
import os
import secrets
import string
import subprocess
from pathlib import Path

SECRETS = Path("/etc/roost/secrets")
EASY = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters that cannot be mistaken for others."""
SOCKET = "unix_socket:/run/roost-desktop/vnc"
YEARS = 10


def easy() -> str:
    """Return a password that can be typed: four times four, 79 bits."""
    return "-".join("".join(secrets.choice(EASY) for _ in range(4)) for _ in range(4))


def short() -> str:
    """Return a password for VNC."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))


def keep(name: str, content: bytes) -> None:
    """Write the file whole, readable by root only, or not at all."""
    beside = SECRETS / f".{name}.new"
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    beside.rename(SECRETS / name)


def known() -> dict[str, str]:
    """Return all secrets, by name: the existing ones, and new ones for the missing."""
    fresh = {
        "password": easy(),
        "view_password": easy(),
        "vnc": short(),
        "view_vnc": short(),
        "socket": secrets.token_hex(16),
        "token": secrets.token_hex(16),
    }
    try:
        kept = json.loads((SECRETS / "desktop.json").read_text())
    except (OSError, ValueError):
        kept = {}
    return {name: str(kept.get(name) or value) for name, value in fresh.items()}


def nginx(found: dict[str, str]) -> str:
    """Return the maps of nginx's configuration: what each password opens."""
    keys = ""
    for view in ("", "view_"):
        opens = {"socket": found["socket"], "password": found[f"{view}vnc"], "view": bool(view)}
        plain = found[f"{view}password"].replace("-", "")
        keys += f"    \"Bearer {plain}\" '{json.dumps(opens)}';\n"
    return (
        f'map $http_authorization $roost_key {{\n    default "";\n{keys}}}\n'
        f'map $uri $roost_socket {{\n    default "";\n    "/screen/{found["socket"]}" 1;\n}}\n'
        f'map "" $roost_token {{\n    default "{found["token"]}";\n}}\n'
    )


def certificate() -> None:
    """Make a key, and a self-signed certificate."""
    key, made = SECRETS / "desktop.key", SECRETS / "desktop.crt"
    if key.exists() and made.exists():
        return
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", str(365 * YEARS), "-subj", f"/CN={os.environ['ROOST_NAME']}"]
    words += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(made)]
    subprocess.run(["openssl", "req", "-x509", *words], check=True, capture_output=True)


def main() -> None:
    """Make all of it; a second run changes nothing."""
    os.umask(0o077)
    SECRETS.mkdir(parents=True, exist_ok=True)
    found = known()
    words = f"{found['vnc']}\n{found['view_vnc']}\n".encode()
    line = ["tigervncpasswd", "-f"]
    hidden = subprocess.run(line, input=words, stdout=subprocess.PIPE, check=True)
    keep("desktop-vnc", hidden.stdout)
    keep("desktop-tokens", f"{found['token']}: {SOCKET}\n".encode())
    keep("desktop-nginx.conf", nginx(found).encode())
    keep("desktop.json", (json.dumps(found, indent=1) + "\n").encode())
    certificate()


if __name__ == "__main__":
    main()
