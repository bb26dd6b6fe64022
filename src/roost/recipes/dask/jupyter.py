"""JupyterLab as a service of the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.home import Folder
from roost.recipes.step import Service

if TYPE_CHECKING:
    from roost.spec.cluster import Jupyter

NICE = 5
"""JupyterLab starts beside the scheduler and workers, and should not slow them."""


def lab(python: str, place: Folder, jupyter: Jupyter) -> Service:
    """Return the service; it is ready once it listens and has written its address."""
    notebook = ("--notebook", jupyter.notebook) if jupyter.notebook else ()
    port = ("--port", str(jupyter.port)) if jupyter.port else ()
    return Service(
        name="jupyter",
        argv=(
            python,
            "-m",
            "roost.notebook.lab.server",
            "--folder",
            str(place.path),
            *notebook,
            *port,
        ),
        ready_file=str(place.jupyter),
        nice=NICE,
    )
