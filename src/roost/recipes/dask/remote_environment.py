"""The locked Python environment of rented machines: by uv, from the project's lock. Pure.

The project's folder comes as it is on the user's computer, and the environment is made from that
copy, so that it is the same on every machine whatever is edited on one of them later.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from roost.recipes.base import UploadSource
from roost.recipes.dask.environment import environment_path
from roost.recipes.step import Command, Step, Upload

if TYPE_CHECKING:
    from roost.spec import Cluster

AT = Path("/opt/roost")
"""The folder of the environments on a machine; an image of the machine keeps it."""
UV = "0.13.8"
PYTHONS = {"ubuntu-24.04": "3.12", "debian-12": "3.11", "debian-13": "3.13"}
"""The Python that each system has. Sources: its package lists."""
PROJECT = "project"
"""The key of the project's upload."""


def uploads(spec: Cluster) -> dict[str, UploadSource]:
    """Return the project's folder; without a project, the source of the built-in environment."""
    wanted = spec.environment
    return {PROJECT: UploadSource(path=wanted.locked, secrets=wanted.secrets)}


def steps(spec: Cluster, sums: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the steps for uv and the environment; ``sums`` has the checksums of uploads."""
    return (uv_step(), _environment(spec, sums[PROJECT]))


def path(spec: Cluster) -> Path:
    """Return the folder of the environment on every machine."""
    return environment_path(spec.environment, AT)


def project(sums: Mapping[str, str]) -> str:
    """Return the folder of the uploaded project."""
    return f"{AT}/project/{sums[PROJECT][:16]}"


def uv_step() -> Step:
    """Install uv from PyPI: no system packages it yet."""
    at = f"{AT}/uv"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir")
    return Step(
        name="uv",
        title="installing uv",
        packages=("ca-certificates", "python3-venv"),
        commands=(
            Command(argv=("/usr/bin/python3", "-m", "venv", "--clear", at), seconds=300),
            Command(argv=(f"{at}/bin/python", *pip, f"uv=={UV}"), seconds=600),
            Command(argv=("ln", "-sfn", f"{at}/bin/uv", "/usr/local/bin/uv"), seconds=60),
        ),
    )


def _environment(spec: Cluster, sha256: str) -> Step:
    """Return the step of the environment, run as the user: it stays hers to change."""
    where = {
        "UV_PROJECT_ENVIRONMENT": str(path(spec)),
        # Beside the environments, so that its files are links and not copies.
        "UV_CACHE_DIR": f"{AT}/cache",
        "UV_PYTHON_INSTALL_DIR": f"{AT}/pythons",
        # The authorities that the system trusts: an institute's mirror may have its own.
        "UV_SYSTEM_CERTS": "1",
        "UV_NO_PROGRESS": "1",
    }
    folders = tuple(f"{AT}/{name}" for name in ("environments", "cache", "pythons"))
    made = f"{AT}/project/{sha256[:16]}"
    sync = ("sync", "--frozen", "--no-dev", "--compile-bytecode", "--project", made)
    return Step(
        name="environment",
        title="installing the Python environment",
        uploads=(Upload(key=PROJECT, sha256=sha256, to=made, unpack=True),),
        commands=(
            Command(argv=("install", "-d", "-o", "1000", *folders), seconds=60),
            Command(
                argv=(f"{AT}/uv/bin/uv", *sync, *_python(spec)),
                user="user",
                env=tuple(where.items()),
            ),
        ),
    )


def _python(spec: Cluster) -> tuple[str, ...]:
    """Return the option for a Python other than the one that uv finds by itself.

    Head and workers send each other code, so they need the same one: machines of different
    systems take that of the head's.
    """
    wanted = spec.environment.python
    if wanted is None and spec.head.image != spec.workers.image:
        wanted = PYTHONS.get(spec.head.image)
    return ("--python", wanted) if wanted else ()
