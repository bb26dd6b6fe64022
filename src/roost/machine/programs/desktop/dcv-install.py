#!/usr/bin/python3
"""Install Amazon DCV's server from Amazon's own archive, whose checksum is known here.

The checksums are those that AWS's own tools hold this version to (ParallelCluster's cookbook), so
they say more than a key that would come from the same place as the archive.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

VERSION = "2025.0-20103"
SITE = "https://d1uj6qtbmh3dt5.cloudfront.net"
SHA256 = {
    "ubuntu2404-x86_64": "a39374d39f2d849bd13ee101970bb9eea15a8c5ec743799b7cbb7f562ece9e17",
    "ubuntu2404-aarch64": "47205acfab5d35a7f6fe18f9311295aee51189636a2a76d14e0eca39f780192d",
    "ubuntu2204-x86_64": "2b996c4a422adaa7912a59cca06f38fcc59451b927be0dc0f49b362ecfcc23fb",
}
PACKAGES = ("nice-dcv-server", "nice-dcv-web-viewer", "nice-xdcv")
APT = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends"]
TRIES = 3


def system() -> str:
    """Return Amazon's name of this system: ``"ubuntu2404-x86_64"``."""
    found = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    name = found["ID"].strip('"') + found["VERSION_ID"].strip('"').replace(".", "")
    return f"{name}-{platform.machine()}"


def address(kind: str) -> str:
    """Return the address of the archive for a kind of system."""
    release = VERSION.partition("-")[0]
    return f"{SITE}/{release}/Servers/nice-dcv-{VERSION}-{kind}.tgz"


def fetch(url: str, sha256: str, target: Path) -> None:
    """Download the file, with a few tries. Raises OSError where its checksum differs."""
    for left in reversed(range(TRIES)):
        try:
            found = urllib.request.urlopen(url, timeout=120)  # noqa: S310 - https
            with found as answer, target.open("wb") as file:
                shutil.copyfileobj(answer, file)
            break
        except OSError:
            if not left:
                raise
            time.sleep(10)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != sha256:
        raise OSError(f"{url} has the SHA-256 {digest}, and should have {sha256}")


def packages(folder: Path) -> list[str]:
    """Return the wanted packages among the unpacked. Raises OSError where one is missing."""
    found = []
    for name in PACKAGES:
        files = sorted(folder.glob(f"*/{name}_*.deb"))
        if len(files) != 1:
            raise OSError(f"the archive has {len(files)} packages {name}")
        found.append(str(files[0]))
    return found


def main() -> None:
    """Fetch, check, install."""
    kind = system()
    if kind not in SHA256:
        sys.exit(f"Amazon DCV {VERSION} is not for {kind}; it is for {', '.join(SHA256)}")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # apt reads the packages as a user of its own
        archive = Path(folder) / "dcv.tgz"
        fetch(address(kind), SHA256[kind], archive)
        subprocess.run(["tar", "-xzf", str(archive), "-C", folder], check=True)
        subprocess.run([*APT, *packages(Path(folder))], check=True)
    subprocess.run(["usermod", "--append", "--groups", "video", "dcv"], check=True)


if __name__ == "__main__":
    main()
