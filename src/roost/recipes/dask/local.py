"""A Dask scheduler and its workers, as services of their machines."""

from __future__ import annotations

from roost.home import Folder
from roost.model.resources import Instance
from roost.recipes.step import Service


def scheduler(python: str, place: Folder) -> Service:
    """Return the service; it is ready once it has written its address."""
    return Service(
        name="scheduler",
        argv=(python, "-m", "roost.notebook.dask.scheduler", "--folder", str(place.path)),
        ready_file=str(place.scheduler),
    )


def worker(python: str, place: Folder, instance: Instance, more: tuple[str, ...] = ()) -> Service:
    """Return a worker that finds the scheduler by itself, whichever starts first.

    ``more`` are further options of it.
    """
    memory = int(instance.shape.memory_gib * 2**30)
    return Service(
        name="worker",
        argv=(
            python,
            "-m",
            "roost.notebook.dask.worker",
            *("--folder", str(place.path)),
            *("--name", instance.name),
            *("--nthreads", str(instance.shape.cpus)),
            *("--memory-limit", str(memory)),
            *("--local-directory", str(place.machine(instance.name) / "scratch")),
            *more,
        ),
    )
