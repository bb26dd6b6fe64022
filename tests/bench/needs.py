"""What a computer must have for a bench, and what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.bench.base import RELEASE, sources
from tests.bench.places import CommandFailed, run

PROGRAMS = ("mmdebstrap", "systemd-nspawn", "nft", "ip", "losetup", "unshare", "nsenter", "ssh")
PROBES = (
    (("unshare", "--mount", "--net", "--pid", "--fork", "true"), "namespaces"),
    (("nft", "list", "tables"), "nft rules"),
    (("losetup", "-f"), "loop devices"),
)
TRIES = 3


def missing() -> str | None:
    """Why there can be no bench here."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "the bench needs Linux and root (namespaces, loop devices, nft)"
    programs = [name for name in PROGRAMS if shutil.which(name) is None]
    if programs:
        return f"the bench needs {', '.join(programs)} (see .ci/run)"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the bench needs a kernel with overlay file systems"
    for probe, what in PROBES:
        try:
            run(*probe)
        except CommandFailed as why:
            return f"the bench needs {what}, and root may have none here: {why}"
    place = sources()
    if place is None:
        return f"the bench needs a mirror of Debian {RELEASE} in apt's sources"
    address = mirror(place.read_text())
    if not answers(address):
        return f"the bench needs a mirror of Debian {RELEASE}; {address} does not answer"
    return None


def mirror(text: str) -> str:
    """The first address in a file of apt's sources, of either kind. Pure."""
    found = re.search(r"^(?:URIs:|deb(?:\s+\[.*?\])?)\s+(\S+)", text, re.MULTILINE)
    return found.group(1).rstrip("/") if found else ""


def answers(address: str) -> bool:
    """Whether the mirror has what begins a release; it may have a bad moment."""
    asked = urllib.request.Request(f"{address}/dists/{RELEASE}/Release", method="HEAD")
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(asked, timeout=20):
                return True
        except urllib.error.HTTPError:
            return True  # it is there; what is wrong with it apt will say
        except (OSError, ValueError):
            continue
    return False
