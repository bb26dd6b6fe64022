"""Dask and JupyterLab on rented machines: as on the user's own, kept running by systemd. Pure.

On every machine is a folder in the layout of ``roost.home`` (``machine/cluster.py`` writes it at
each boot), so that the same modules run as they do at home. Scheduler and workers speak TLS on
their private addresses; all else listens on loopback.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import roost
from roost.home import Folder
from roost.machine.cluster import HOME, PACKAGE, PORT, VARIABLES
from roost.notebook.dask.discovery import tls_variables
from roost.notebook.dask.elsewhere import client_variables
from roost.notebook.dask.retire import MARK_VARIABLE
from roost.recipes.base import Recipe, UploadSource
from roost.recipes.dask import options
from roost.recipes.dask import remote_environment as environment
from roost.recipes.local import ONE_THREAD, node_variables
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Service, Step, Upload
from roost.recipes.unit import UNITS, quoted, unit

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Cluster

BIN = "/opt/roost/bin"
RUN = "/usr/lib/roost/run"
RETIRE = (f"{BIN}/release",)
"""Run on the head, as root, with names of workers: they hand over their data and retire. It
ends with 1 where they cannot."""
INSIDE = (f"{BIN}/in-cluster",)
"""Put before a command on any node: run it in the user's folder and the cluster's environment."""
CONSTANTS = "/etc/roost/node.env"
JUPYTER_PORT, DASHBOARD_PORT = 8888, 8787
"""Ports on the head's loopback; ``roost open`` makes a tunnel to JupyterLab, or to Dask's pages."""
SHARED = ("dask-ca.pem", "dask-cert.pem", "dask-key.pem")
"""Secrets that the head makes and every worker needs."""
PACKAGE_KEY, NOTEBOOK = "roost", "notebook"
"""Keys of uploads."""
BROUGHT = f"{environment.AT}/project"
"""Below it is what was brought, as it came."""
NOTHING = f"{BROUGHT}/none"
"""A folder that is not there."""
PACKAGE_PARTS = ("__init__.py", "errors.py", "home.py", "notebook", "dask")
"""The modules of roost that run on the nodes."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READ_ONLY = (f"ReadOnlyPaths=-{BROUGHT}",)
"""Where machines share no folder, a task that writes a relative path fails: what it wrote would be
on this machine alone, and lost with it."""
MACHINE_WIDE = (
    # The nanny survives when the system kills a worker that took too much memory.
    "OOMPolicy=continue",
    "OOMScoreAdjust=500",
    "RuntimeDirectory=roost-worker",
    "RuntimeDirectoryPreserve=yes",
)
GENTLE_STOP = ("KillMode=mixed", "TimeoutStopSec=20s", "LimitNOFILE=1048576", "TasksMax=infinity")
"""The first process ends the others by itself; thousands of connections."""


def uploads(spec: Cluster) -> dict[str, UploadSource]:
    """Return the project, roost's own modules, and a notebook that is in no project."""
    package = UploadSource(path=Path(roost.__file__).parent, only=PACKAGE_PARTS)
    found = {**environment.uploads(spec), PACKAGE_KEY: package}
    if spec.environment.project is None and spec.jupyter.notebook is not None:
        found[NOTEBOOK] = UploadSource(path=spec.folder, only=(spec.jupyter.notebook,))
    return found


def steps(spec: Cluster, role: Role, sums: Mapping[str, str]) -> tuple[Step, ...]:
    """Return all steps of a head or a worker; ``sums`` has the checksums of uploads."""
    services = _head(spec) if role == "head" else (_worker(spec),)
    return (
        *environment.steps(spec, sums),
        _project(spec, role, sums),
        _node(spec, role, sums),
        *services,
        _ready(services),
    )


RECIPE = Recipe(
    steps=lambda spec, role, context: steps(spec, role, context.uploads),
    uploads=uploads,
    secret_generators={"dask-secrets": "dask-secrets"},
    shared=SHARED,
    retire=RETIRE,
)


# --- the user's folder -------------------------------------------------------------------------


def folder(name: str) -> Folder:
    """Return the folder of the cluster on each of its machines."""
    return Folder(Path(HOME) / "local" / name)


def token_file(name: str) -> str:
    """Return the user's file with JupyterLab's token, on the head."""
    return str(folder(name).token)


def dashboard_file(name: str) -> str:
    """Return the user's file with the secret of Dask's pages, on the head."""
    return str(folder(name).dashboard)


def work_folder(spec: Cluster) -> str:
    """Return the work folder: the project, below the shared folder, or at home."""
    project = spec.environment.project
    name = project.name if project is not None and project.name else spec.name
    return f"{spec.shared}/{name}" if spec.shared else f"~/{name}"


def _project(spec: Cluster, role: Role, sums: Mapping[str, str]) -> Step:
    """Return the project's step. The head's copy is the user's to change; workers read theirs."""
    work = work_folder(spec)
    home = f"~/{work.rpartition('/')[2]}"
    source, more = _brought(spec, sums)
    commands = []
    if role == "head":
        commands.append((RUN, "project", "bring", source, work))
    if spec.shared:
        commands.append((RUN, "project", "link", work, home))
    elif role != "head" and source != NOTHING:
        commands.append((RUN, "project", "link", source, home))
    return Step(
        name="project",
        title="bringing the project",
        uploads=more,
        commands=tuple(Command(argv=argv, user="user", seconds=600) for argv in commands),
        # The folder may be on a volume, which is no part of an image.
        own=True,
    )


def _brought(spec: Cluster, sums: Mapping[str, str]) -> tuple[str, tuple[Upload, ...]]:
    """Return the folder of the unpacked upload that the user works on, and the upload."""
    if spec.environment.project is not None:
        return environment.project(sums), ()
    if NOTEBOOK in sums:
        at = f"{BROUGHT}/{sums[NOTEBOOK][:16]}"
        return at, (Upload(key=NOTEBOOK, sha256=sums[NOTEBOOK], to=at, unpack=True),)
    return NOTHING, ()


# --- the node ----------------------------------------------------------------------------------


def _node(spec: Cluster, role: Role, sums: Mapping[str, str]) -> Step:
    """Return a step with roost's modules, the programs, and this machine's place in its cluster."""
    package = Upload(key=PACKAGE_KEY, sha256=sums[PACKAGE_KEY], to=PACKAGE, unpack=True)
    constants = {
        **ONE_THREAD,
        **options.variables(spec),
        **spec.env,
        **node_variables(folder(spec.name), environment.path(spec)),
        **tls_variables(folder(spec.name)),
        **client_variables(folder(spec.name)),
    }
    lines = [f"{key}={shlex.quote(value)}\n" for key, value in constants.items()]
    return Step(
        name="node",
        title="joining the cluster",
        files=(
            File(CONSTANTS, "".join(lines)),
            *_programs(role),
            File(f"{UNITS}/roost-node.service", _node_unit(work_folder(spec))),
        ),
        uploads=(package,),
        services=("roost-node.service",),
    )


def _programs(role: Role) -> tuple[File, ...]:
    common = {
        f"{BIN}/environment.sh": "environment.sh",
        f"{BIN}/in-cluster": "in-cluster",
        f"{BIN}/as-user": "as-user",
        "/etc/profile.d/roost-cluster.sh": "profile.sh",
    }
    head = {
        f"{BIN}/release": "dask-release",
        "/etc/roost/busy.d/50-dask": "dask-busy",
        "/etc/roost/work.d/50-dask": "dask-work",
        "/etc/roost/busy.d/60-notebooks": "notebooks-busy",
    }
    worker = {
        "/etc/roost/retire.d/50-dask": "dask-retire",
        "/etc/roost/rebalance.d/50-dask": "dask-rebalance",
    }
    found = {**common, **(head if role == "head" else worker)}
    return tuple(
        File(path, program(name), "0644" if path.endswith(".sh") else "0755")
        for path, name in found.items()
    )


def _node_unit(work: str) -> str:
    lines = [
        "[Unit]",
        "Description=roost: where this machine is in its cluster",
        "ConditionPathExists=/etc/roost/machine.json",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        f"ExecStart={RUN} cluster {quoted(work)}",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


# --- services ----------------------------------------------------------------------------------


def _head(spec: Cluster) -> tuple[Step, ...]:
    lab = (_jupyter(spec),) if spec.jupyter.enabled else ()
    return (_scheduler(spec), *lab)


def _scheduler(spec: Cluster) -> Step:
    service = Service(
        name="scheduler",
        argv=(
            *_dask(spec, "roost.notebook.dask.scheduler"),
            *("--host", "${ROOST_ADDRESS}", "--port", str(PORT)),
            *("--dashboard-port", str(DASHBOARD_PORT)),
        ),
    )
    return _step(spec, service, "starting Dask", "Dask's scheduler", GENTLE_STOP)


def _worker(spec: Cluster) -> Step:
    service = Service(
        name="worker",
        argv=(
            *_dask(spec, "roost.notebook.dask.worker"),
            *("--host", "${ROOST_ADDRESS}", "--name", "${ROOST_NODE}"),
            *("--local-directory", "${ROOST_SCRATCH}"),
            *options.worker_words(spec),
        ),
    )
    return _step(
        spec, service, "starting Dask", "Dask's worker", (*GENTLE_STOP, *READ_ONLY, *MACHINE_WIDE)
    )


def _jupyter(spec: Cluster) -> Step:
    notebook = spec.jupyter.notebook
    service = Service(
        name="jupyter",
        argv=(
            *_module(spec, "roost.notebook.lab.server"),
            *("--port", str(JUPYTER_PORT)),
            *(("--notebook", notebook) if notebook else ()),
        ),
    )
    return _step(spec, service, "starting JupyterLab", "JupyterLab", GENTLE_STOP)


def _module(spec: Cluster, module: str) -> tuple[str, ...]:
    python = str(environment.path(spec) / "bin" / "python")
    return (python, "-m", module, "--folder", str(folder(spec.name).path))


def _dask(spec: Cluster, module: str) -> tuple[str, ...]:
    """Return a command like ``_module``, without the project on the path until Dask has started."""
    path = node_variables(folder(spec.name), environment.path(spec))["PYTHONPATH"]
    return ("/usr/bin/env", f"PYTHONPATH={path}", *_module(spec, module))


def _step(
    spec: Cluster, service: Service, title: str, description: str, more: tuple[str, ...]
) -> Step:
    # The variables are in a unit too, so that it starts anew when they change.
    env = {"PATH": f"{environment.path(spec)}/bin:{SYSTEM_PATH}", **options.variables(spec)}
    if service.name == "worker":
        env[MARK_VARIABLE] = "/run/roost-worker/retired"
    # Python imports from the folder in which it starts: not from the user's own.
    service = replace(service, cwd=str(folder(spec.name).path))
    made = unit(service, description=description, files=(CONSTANTS, VARIABLES), env=env, more=more)
    name = f"roost-{service.name}.service"
    return Step(name=service.name, title=title, files=(made,), services=(name,))


def _ready(services: tuple[Step, ...]) -> Step:
    names = tuple(step.name for step in services)
    wait = Command(argv=(RUN, "ready_check", *names), seconds=300)
    return Step(name="joined", title="waiting for Dask", commands=(wait,), own=True)
