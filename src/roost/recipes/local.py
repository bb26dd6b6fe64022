"""The set-up and services of an instance on the user's own machine, from the recorded spec."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from roost.home import Folder
from roost.machine.cluster import STARTUP
from roost.model.resources import Instance
from roost.notebook.dask.elsewhere import client_variables
from roost.recipes.dask import jupyter, local, options
from roost.recipes.dask.environment import environment_step
from roost.recipes.step import Boot, Service

if TYPE_CHECKING:
    from roost.spec import Cluster

ONE_THREAD = {
    # Dask parallelises; a thread pool inside every task would only fight with it.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def boot(record: str, instance: Instance, place: Folder) -> Boot:
    """Return the set-up and services of one instance of the cluster that ``record`` describes."""
    from roost.spec import Cluster, from_json

    spec = from_json(record)
    assert isinstance(spec, Cluster)  # the spec refuses any other kind here
    at = place.path.parent.parent
    python = str(place.environment / "bin" / "python")
    # A configuration that the user has chosen is hers.
    clients = {} if os.environ.get("DASK_CONFIG") else client_variables(place)
    return Boot(
        bin=str(place.environment / "bin"),
        setup=(environment_step(spec.environment, at),),
        services=_services(spec, instance, place, python),
        env={
            **clients,
            **ONE_THREAD,
            **options.variables(spec),
            **spec.env,
            **node_variables(place, place.environment),
        },
    )


def node_variables(place: Folder, environment: Path) -> dict[str, str]:
    """Return the environment of every process of a node; secrets only as paths to files."""
    modules = place.path / "python"
    return {
        "ROOST_NAME": place.name,
        "ROOST_HOME": str(place.path.parent.parent),
        "PYTHONPATH": os.pathsep.join((str(modules), str(modules / STARTUP))),
        "VIRTUAL_ENV": str(environment),
    }


def _services(spec: Cluster, instance: Instance, place: Folder, python: str) -> tuple[Service, ...]:
    if instance.role == "worker":
        return (local.worker(python, place, instance, options.worker_words(spec)),)
    lab = (jupyter.lab(python, place, spec.jupyter),) if spec.jupyter.enabled else ()
    return (local.scheduler(python, place), *lab)
