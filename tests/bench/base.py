"""The system that machines boot from: a real Debian 12, installed once and kept.

What an AMI of Debian has, is here: systemd, cloud-init, sshd, the user ``admin``. What only this
place has (its mirror's settings, its certificates) is copied from the computer that it runs on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.places import CACHE, HERE, alone, run

RELEASE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "libpam-systemd", "libnss-myhostname"),
    *("cloud-init", "cloud-guest-utils", "openssh-server", "sudo", "ca-certificates", "gnupg"),
    *("python3", "python3-venv", "iproute2", "iputils-ping", "netbase", "curl", "locales"),
    *("e2fsprogs", "xfsprogs", "fdisk", "parted", "gdisk", "util-linux-extra"),
    *("procps", "kmod", "less", "nano", "rsync", "xz-utils"),
)
"""Debian's own image for EC2 has these and more."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
SETTINGS = (
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT"),
    *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""How this computer reaches its registries; machines must reach them in the same way."""
LONG = 14 * 24 * 3600.0
APT = ("Acquire::http", "Acquire::https", "Acquire::Check-")


@dataclass(frozen=True, slots=True)
class Base:
    """A folder that holds a root file system; nobody writes to it."""

    folder: Path
    key: str

    @property
    def image(self) -> str:
        """The id of its AMI."""
        return f"ami-{self.key:0<17}"[:21]


def sources() -> Path | None:
    """The file by which this computer's apt knows Debian 12."""
    for one in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        path = Path(one)
        if path.is_file() and RELEASE in path.read_text():
            return path
    return None


def base() -> Base:
    """The base system, built now if it is not there: about a minute."""
    place = sources()
    if place is None:
        raise FileNotFoundError(f"apt knows no Debian {RELEASE} here")
    files = _files()
    finish = (HERE / "programs" / "finish-base.sh").read_text()
    recipe = json.dumps([RELEASE, PACKAGES, place.read_text(), finish, sorted(files.items())])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:17]
    folder = CACHE / f"base-{key}"
    with alone(CACHE / "base.lock"):
        if not folder.is_dir():
            _build(folder, place, files)
        os.utime(folder)
        _forget_old()
    return Base(folder, key)


def _forget_old() -> None:
    """Systems and layers that nobody has used for long: they are of recipes of before."""
    for one in CACHE.iterdir():
        known = one.name.startswith(("base-", "layer-")) and one.is_dir()
        if known and time.time() - one.stat().st_mtime > LONG:
            shutil.rmtree(one, ignore_errors=True)


def _build(folder: Path, place: Path, files: dict[str, str]) -> None:
    building = folder.with_name(f".{folder.name}")
    overlay = folder.with_name(f".files-{folder.name}")
    for old in (building, overlay):
        shutil.rmtree(old, ignore_errors=True)
    for path, content in files.items():
        target = overlay / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(0o755 if content.startswith("#!") else 0o644)
    run(
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
        *(f"--aptopt={line}" for line in _apt_settings()),
        '--aptopt=Apt::Install-Recommends "false"',
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        f'--customize-hook=cp -a --no-preserve=ownership "{overlay}/." "$1/"',
        f'--customize-hook=sh "{HERE}/programs/finish-base.sh" "$1"',
        *(RELEASE, building, place),
        seconds=1800,
    )
    shutil.rmtree(overlay)
    building.rename(folder)


def _files() -> dict[str, str]:
    """What is put into it, by path."""
    found = {
        f"/{path.relative_to(HERE / 'files')}": path.read_text()
        for path in sorted((HERE / "files").rglob("*"))
        if path.is_file()
    }
    found["/etc/apt/apt.conf.d/90bench"] = "".join(f"{line}\n" for line in _apt_settings())
    if CERTIFICATES.is_file():
        found[str(CERTIFICATES)] = CERTIFICATES.read_text()
    pip = Path("/etc/pip.conf")
    if pip.is_file():
        found[str(pip)] = pip.read_text()
    settings = _settings()
    found["/etc/environment"] = "".join(f"{k}={v}\n" for k, v in settings.items())
    words = " ".join(f'"{k}={v}"' for k, v in settings.items())
    unit = f"[Manager]\nDefaultEnvironment={words}\n"
    found["/etc/systemd/system.conf.d/90-bench.conf"] = unit
    return found


def _settings() -> dict[str, str]:
    return {name: os.environ[name] for name in SETTINGS if os.environ.get(name)}


def _apt_settings() -> list[str]:
    """As lines of apt.conf."""
    dumped = run("apt-config", "dump").splitlines()
    return [line for line in dumped if line.startswith(APT) and not line.endswith('"";')]
