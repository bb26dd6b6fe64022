"""Languages for a cluster where people write their own programs. Pure.

Compilers and interpreters are the system's, on every node. What people install with them goes to
``software`` in the shared folder: all nodes have it at once, and on a volume it outlives the
cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from roost.recipes.base import Recipe, UploadSource
from roost.recipes.dask import remote_environment as environment
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step, Upload

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec
    from roost.spec.cluster import Cluster

AT = "/usr/lib/roost/languages"
COMPILED = ("make", "cmake", "gdb", "openmpi-bin", "libopenmpi-dev")
"""Beside each compiler."""
PACKAGES = {
    "c": ("gcc", "libc6-dev", *COMPILED),
    "c++": ("g++", *COMPILED),
    "fortran": ("gfortran", *COMPILED),
    "r": ("r-base-core", "r-base-dev", "r-recommended"),
    "julia": ("ca-certificates", "curl"),
    "python": ("python3", "python3-dev", "python3-venv"),
}
JULIA = "1.10.11"
"""The release with long support. No system of today packages Julia: this is its makers' own."""
JULIA_FROM = "https://julialang-s3.julialang.org/bin/linux"
JULIA_SUMS = {
    "x86_64": "fb49c6b174600cd2051e37ba3f7330f8acf06dd00bce609bab6611387fdb37bf",
    "aarch64": "3004a980420e5f3a08847f44db9699105d9febc519205af52764fc97eb12c6b2",
}
"""SHA-256 of its archives. Source: the Dockerfiles of Docker's own Julia images."""


def steps(spec: Spec, role: Role, sums: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the system's step on every node; the shared steps, on the head only.

    A Dask cluster has its own Python: there ``python`` says nothing more.
    """
    if spec.kind != "cluster" or not _wanted(spec):
        return ()
    found = [_system(spec)]
    if role == "head" or spec.shared is None:
        languages = {"python": _python, "r": _r, "julia": _julia}
        for language in (one for one in languages if one in _wanted(spec)):
            found += languages[language](spec, sums)
    return tuple(found)


def uploads(spec: Spec) -> dict[str, UploadSource]:
    """Return the project whose packages are in the cluster's Python, if the file names one."""
    if spec.kind != "cluster" or "python" not in _wanted(spec):
        return {}
    return environment.uploads(spec) if _brings(spec) else {}


def _brings(spec: Cluster) -> bool:
    """Tell whether the file names a lock of its own."""
    return (spec.environment.project or spec.environment.lock) is not None


RECIPE = Recipe(
    steps=lambda spec, role, context: steps(spec, role, context.uploads), uploads=uploads
)


def software(spec: Cluster) -> str:
    """Return the folder for software that people install."""
    return f"{spec.shared or '/opt'}/software"


def _wanted(spec: Cluster) -> tuple[str, ...]:
    dask = spec.scheduler == "dask"
    return tuple(one for one in spec.environment.languages if not (dask and one == "python"))


def _system(spec: Cluster) -> Step:
    """Return a step with settings that hold for jobs too, which no login shell starts."""
    packages = [package for one in _wanted(spec) for package in PACKAGES[one]]
    place = software(spec)
    texts = {
        "r": ("/etc/R/Renviron.site", f"R_LIBS_USER={place}/R/%p-library/%v\n"),
        "julia": ("/usr/local/bin/julia", _text("languages-julia.sh", place)),
        "python": ("/usr/local/bin/python", _text("languages-python.sh", place)),
    }
    mine = [texts[one] for one in texts if one in _wanted(spec)]
    if "python" in _wanted(spec):
        mine.append(("/usr/local/bin/pip", _text("languages-pip.sh", place)))
    return Step(
        name="languages",
        title=f"installing {', '.join(_wanted(spec))}",
        packages=tuple(dict.fromkeys(packages)),
        files=(
            File("/etc/profile.d/roost-languages.sh", _text("languages-profile.sh", place)),
            *(File(path, text, "0755" if "/bin/" in path else "0644") for path, text in mine),
        ),
    )


def _python(spec: Cluster, sums: Mapping[str, str]) -> tuple[Step, ...]:
    """Make one environment for all nodes, with the locked packages of the project."""
    project = environment.project(sums) if _brings(spec) else ""
    brought = (
        Upload(key=environment.PROJECT, sha256=sums[environment.PROJECT], to=project, unpack=True)
        if project
        else None
    )
    place = software(spec)
    make = Command(
        argv=(f"{AT}/python", place, spec.environment.python or "", project),
        user="user",
        env=(("UV", f"{environment.AT}/uv/bin/uv"), ("UV_CACHE_DIR", f"{place}/cache/uv")),
    )
    step = Step(
        name="python",
        title="preparing Python",
        files=(_program("python"),),
        uploads=(brought,) if brought else (),
        commands=(_folder(place), make),
        own=True,
    )
    return (environment.uv_step(), step)


def _r(spec: Cluster, sums: Mapping[str, str]) -> tuple[Step, ...]:
    """Make R's folder: R reads packages only from a folder that exists when it starts."""
    del sums
    line = 'dir.create(Sys.getenv("R_LIBS_USER"), recursive = TRUE, showWarnings = FALSE)'
    make = Command(argv=("Rscript", "-e", line), user="user", seconds=300)
    return (
        Step(
            name="r",
            title="preparing R",
            commands=(_folder(software(spec)), make),
            own=True,
        ),
    )


def _julia(spec: Cluster, sums: Mapping[str, str]) -> tuple[Step, ...]:
    del sums
    words = (software(spec), JULIA_FROM, JULIA, *JULIA_SUMS.values())
    make = Command(argv=(f"{AT}/julia", *words), user="user")
    return (
        Step(
            name="julia",
            title="fetching Julia",
            files=(_program("julia"),),
            commands=(_folder(software(spec)), make),
            own=True,
        ),
    )


def _folder(place: str) -> Command:
    """Make a folder of the user's. It is on a volume, so no image has it."""
    return Command(argv=("install", "-d", "-o", "1000", place), seconds=60)


def _program(name: str) -> File:
    return File(f"{AT}/{name}", program(f"languages-{name}"), "0755")


def _text(name: str, place: str) -> str:
    return program(name).replace("SOFTWARE", place)
