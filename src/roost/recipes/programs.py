"""The machine's own programs as texts, to upload to a machine."""

from __future__ import annotations

from importlib.resources import files

FORMER = {
    "roost/recipes/__init__.py": "",
    "roost/recipes/machine/__init__.py": (
        "import roost.machine\n\n__path__[:0] = roost.machine.__path__\n"
    ),
}
"""Modules under their former name, which machines launched by an older roost run."""


def machine_programs() -> dict[str, str]:
    """Return all programs of a machine, by their path below the folder of its Python modules.

    Those of user-data too: a machine that an older roost launched gets the ones of today.
    """
    modules = {"roost/__init__.py": ""}
    for folder in ("machine", "machine/platforms"):
        for file in files("roost").joinpath(folder).iterdir():
            if file.name.endswith(".py"):
                modules[f"roost/{folder}/{file.name}"] = file.read_text()
    return modules | FORMER


def program(name: str) -> str:
    """Return one of the recipes' programs, as text."""
    return files("roost.machine").joinpath("programs", name).read_text()


def system(name: str) -> str:
    """Return one of the system's files, as text: a unit, a shell program, a configuration."""
    return files("roost.machine").joinpath("system", name).read_text()
