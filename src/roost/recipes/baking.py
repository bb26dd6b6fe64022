"""The user-data of the helper that makes a disk fit to be an image. Pure.

The helper boots from a copy of somebody's machine, so that machine's own programs begin too:
its guard could switch the helper off before it is clean. They are taken away before anything of
them has begun. Nothing here is secret.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from roost.recipes.programs import system
from roost.recipes.step import File
from roost.recipes.user_data import AT, UNITS, program

PROGRAMS = (
    *("__init__", "common", "platform", "identity", "devices", "volumes", "setup", "clean", "bake"),
)


def word(image: str, source: str) -> str:
    """Return the start of the helper's last console line: ``"roost: bake ndvi ami-1"``."""
    return f"roost: bake {image} {source}"


def verdict(console: str, said: str) -> str:
    """Return ``"clean"``, ``"failed: why"``, or nothing, by the console's text."""
    for line in reversed(console.splitlines()):
        _, found, rest = line.partition(f"{said}: ")
        if found and (rest.strip() == "clean" or rest.startswith("failed")):
            return rest.strip()
    return ""


def user_data(image: str, source: str) -> bytes:
    """Return the helper's user-data, packed."""
    text = json.dumps(cloud_config(image, source), separators=(",", ":"), ensure_ascii=False)
    return gzip.compress(f"#cloud-config\n{text}\n".encode(), compresslevel=9, mtime=0)


def cloud_config(image: str, source: str) -> dict[str, Any]:
    """Return a cloud-config: remove the old units, then clean after cloud-init's last file."""
    quiet = (
        f"rm -f {UNITS}/roost-*.timer {UNITS}/roost-*.service {UNITS}/*.wants/roost-*;"
        " systemctl daemon-reload; systemctl stop --no-block 'roost-*'"
    )
    begin = ["systemd-run", "--no-block", "--unit=bake", "--property=After=cloud-final.service"]
    files = (
        File(f"{AT}/roost/__init__.py", ""),
        *(program(name) for name in PROGRAMS),
        File(f"{AT}/run", system("run.sh"), "0755"),
    )
    return {
        "preserve_hostname": True,
        "bootcmd": [["sh", "-c", quiet]],
        "write_files": [
            {"path": file.path, "content": file.content, "permissions": file.mode} for file in files
        ],
        "runcmd": [[*begin, f"{AT}/run", "bake", word(image, source)]],
    }
