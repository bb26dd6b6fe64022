"""``python -m roost.notebook.lab.server --folder F``: JupyterLab for one name.

It listens on loopback and wants the token that is in the name's folder. ``jupyter.json`` says
where it is from when it listens to when it ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, cast

from roost.errors import RoostError
from roost.home import Folder, write_private
from roost.notebook.dask.discovery import Attachment, dashboard, tls_variables, wait_for_scheduler
from roost.notebook.dask.ports import LOOPBACK, free, take
from roost.notebook.dask.project import project_folder
from roost.notebook.lab.config import (
    NOT_OURS,
    overrides,
    overrides_file,
    traits,
    variables,
    workspaces,
)
from roost.notebook.lab.extension import cluster_id
from roost.notebook.lab.workspace import NAME, workspace

PATIENCE = 60.0
"""Seconds to wait for a scheduler; the supervisor starts us again after that."""
SLOW_IMPORT = "rfc3987_syntax"
"""jsonschema's optional check of international addresses: importing it builds a grammar for a
second, half of what a start takes, and nothing in Jupyter's schemas is such an address."""


def main() -> int:
    """Run until told to stop. 1, and a line that says why, where it cannot start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--notebook", help="a path in the project's folder")
    parser.add_argument("--port", type=int, help="this port and no other")
    options = parser.parse_args()
    place = Folder(options.folder.absolute())
    # The file of a killed JupyterLab would send browsers to a dead address.
    place.jupyter.unlink(missing_ok=True)
    try:
        server = _prepare(place, options.notebook, options.port)
    except RoostError as error:
        _say(f"{error.what}: {error.next}" if error.next else error.what)
        return 1
    _serve(place, server)
    return 0


def _prepare(place: Folder, notebook: str | None, port: int | None) -> Any:
    """Prepare all that can fail, up to a server that is bound to its port."""
    panes = _check_packages(Path(_read(place.project)))
    project, token = project_folder(place), _read(place.token)
    notebook = _existing(project, notebook)
    port = _port(place, port)
    _set_environment(place)
    # The imports take longer than the scheduler: first them, then see whether it is there.
    lab_app = _import_lab()
    _find_scheduler(place)
    _write_defaults(place, notebook, panes=panes)
    config = traits(place, project=project, notebook=notebook, port=port, token=token, panes=panes)
    # A kernel or terminal that is made for no notebook starts where the server is.
    os.chdir(project)
    return _bind(lab_app, config)


def _serve(place: Folder, server: Any) -> None:
    """Serve; ``jupyter.json`` exists for exactly as long."""
    here = {"url": f"http://{LOOPBACK}:{server.port}/", "port": server.port, "pid": os.getpid()}
    server.io_loop.add_callback(write_private, place.jupyter, json.dumps(here))
    try:
        server.start()
    finally:
        place.jupyter.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(f"roost: {line}", file=sys.stderr, flush=True)  # noqa: T201


# --- what is there -------------------------------------------------------------------------------


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise RoostError(f"cannot read {file}: {error.strerror}") from None


def _check_packages(project: Path) -> bool:
    """Return whether Dask panes are possible. Raises RoostError where JupyterLab is not."""
    where = project / "pyproject.toml"
    if find_spec("jupyterlab") is None:
        raise RoostError(
            "jupyterlab is not in this environment",
            next=f'add "jupyterlab" and "dask-labextension" to the dependencies in {where}, '
            "then `uv lock`",
        )
    if find_spec("dask_labextension") is None:
        _say(f'no Dask panes: add "dask-labextension" to the dependencies in {where}')
        return False
    return True


def _existing(project: Path, notebook: str | None) -> str | None:
    """Return the notebook if it is in the project, else None and print a line."""
    if notebook is None:
        return None
    path = PurePosixPath(notebook)
    if ".." in path.parts or path.is_absolute() or not (project / path).is_file():
        _say(f"there is no notebook {notebook} in {project}: showing the launcher instead")
        return None
    return str(path)


def _port(place: Folder, fixed: int | None) -> int:
    if fixed is None:
        return take(place, "jupyter")
    if not free(fixed):
        raise RoostError(
            f"port {fixed} is taken by another program",
            next="end that program, or choose another `port` under [jupyter], or leave it out",
        )
    return fixed


def _find_scheduler(place: Folder) -> None:
    """Give kernels the scheduler's address. Raises RoostError where there is no scheduler."""
    said = wait_for_scheduler(place, PATIENCE)
    if said is None:
        raise RoostError(f"no scheduler wrote {place.scheduler} within {PATIENCE:g} s")
    found = Attachment(place, said["address"], dashboard(said))
    os.environ.update(found.environment())


# --- Jupyter -------------------------------------------------------------------------------------


def _set_environment(place: Folder) -> None:
    """Set the variables that Jupyter and Dask read when they are imported."""
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ.update(variables(place) | tls_variables(place))


def _import_lab() -> Any:
    """Import JupyterLab's application, which takes most of the time of a start."""
    if find_spec("dask_labextension") is not None:
        import distributed  # noqa: F401
    with _absent(SLOW_IMPORT):
        from jupyterlab.labapp import LabApp  # type: ignore[import-not-found]

        return LabApp


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Let the import of ``module`` fail meanwhile, as if it were not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = cast(Any, None)
    try:
        yield
    finally:
        del sys.modules[module]


def _write_defaults(place: Folder, notebook: str | None, *, panes: bool) -> None:
    """Write defaults always; the layout once, because from then on it is the user's."""
    file = overrides_file(place)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, json.dumps(overrides(place)))
    from jupyterlab_server.workspaces_handler import (  # type: ignore[import-not-found]
        WorkspacesManager,
    )

    manager = WorkspacesManager(str(workspaces(place)))
    if panes and not manager.load(NAME)["data"]:
        manager.save(NAME, json.dumps(workspace(cluster_id(place.name), notebook)))


def _bind(lab_app: Any, config: dict[str, dict[str, Any]]) -> Any:
    """Return a server that listens, and serves when it is started."""
    from traitlets.config import Config  # type: ignore[import-not-found]

    server = lab_app.initialize_server(argv=[], config=Config(config))
    server.no_browser_open_file = True  # it would contain the token
    return server


if __name__ == "__main__":
    sys.exit(main())
