"""The services' own environment: installed once by uv from pinned versions, and kept by their hash.

They never share one with roost: they want other versions of what both use.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.places import alone
from tests.openstack.places import HERE, cache

NEWEST = (3, 13)
"""The newest Python for which all of them have been released in a form that runs."""
LONG = 30 * 24 * 3600.0
SERVERS, CLIENT = "constraints.txt", "constraints-client.txt"


class CannotInstall(Exception):  # noqa: N818 - shown by its text only
    """There is no network, or no package for this computer."""


def missing() -> str | None:
    """Why there can be no OpenStack here."""
    if importlib.util.find_spec("keystoneauth1") is None:
        return "OpenStack's services need openstacksdk to be set up (uv run --group dev)"
    if sys.version_info[:2] > NEWEST:
        return f"OpenStack's services need Python {NEWEST[0]}.{NEWEST[1]} or older"
    if shutil.which("uv") is None:
        return "OpenStack's services are installed by uv, which is not here"
    try:
        environment()
    except CannotInstall as why:
        return f"OpenStack's services cannot be installed: {why}"
    return None


def environment(constraints: str = SERVERS) -> Path:
    """A virtual environment with exactly these versions; half a minute where it is not there."""
    folder = cache() / f"openstack-{key(constraints)}"
    with alone(cache() / "openstack.lock"):
        if not (folder / "complete").is_file():
            _install(folder, HERE / constraints)
        os.utime(folder)
        _forget_old()
    return folder


def is_installed(constraints: str = SERVERS) -> bool:
    """Tell whether the environment is there already."""
    return (cache() / f"openstack-{key(constraints)}" / "complete").is_file()


def key(constraints: str, *more: str) -> str:
    """The hash of what is installed, and of the Python that runs it."""
    text = "\n".join([sys.version, (HERE / constraints).read_text(), *more])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _install(folder: Path, constraints: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    where = ["--python", str(folder / "bin" / "python")]
    _uv("venv", "--python", sys.executable, str(folder))
    _uv("pip", "install", "--compile-bytecode", *where, "-r", str(constraints))
    (folder / "complete").touch()


def _uv(*words: str) -> None:
    # Where uv runs the tests it says in the environment which project is meant.
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    line = ["uv", "--quiet", *words]
    done = subprocess.run(
        line, env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotInstall(done.stderr.strip()[-1000:])


def _forget_old() -> None:
    for one in cache().glob("openstack-*"):
        if one.is_dir() and time.time() - one.stat().st_mtime > LONG:
            shutil.rmtree(one, ignore_errors=True)
