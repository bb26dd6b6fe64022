"""JupyterLab's configuration, as data: no file that the user could have changed is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from roost.home import Folder
from roost.notebook.dask.ports import LOOPBACK
from roost.notebook.lab.extension import MODULE, cluster_id
from roost.notebook.lab.workspace import dashboard_path

KERNEL = "python3"
"""The kernel of the environment that JupyterLab itself runs in."""
LABEXTENSIONS = Path(__file__).parent / "labextension"
NOT_OURS = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTERLAB_DIR", "JUPYTER_TOKEN")
"""Variables of the user's that would mix another Jupyter's kernels and settings into this one."""


def workspaces(place: Folder) -> Path:
    """Return JupyterLab's folder of layouts."""
    return place.path / "jupyter" / "workspaces"


def overrides_file(place: Folder) -> Path:
    """Return the file in which JupyterLab looks for defaults other than its own."""
    return place.path / "jupyter" / "config" / "labconfig" / "default_setting_overrides.json"


def variables(place: Folder) -> dict[str, str]:
    """Return Jupyter's folders: this cluster's own, so that it ignores the user's other Jupyter."""
    at = place.path / "jupyter"
    return {
        "JUPYTER_CONFIG_DIR": str(at / "config"),
        "JUPYTER_DATA_DIR": str(at / "data"),
        "JUPYTER_RUNTIME_DIR": str(at / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(at / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(workspaces(place)),
    }


def traits(
    place: Folder, *, project: Path, notebook: str | None, port: int, token: str, panes: bool = True
) -> dict[str, dict[str, Any]]:
    """Return the settings of JupyterLab and its server, by class; ``panes``: with Dask's."""
    return {
        "ServerApp": {
            "ip": LOOPBACK,
            "port": port,
            "port_retries": 0,
            "root_dir": str(project),
            "open_browser": False,
            # roost runs as who called it and listens on loopback only: that root is not somebody
            # else's root.
            "allow_root": True,
            # Shutting down belongs to roost, which would start it again.
            "quit_button": False,
            "answer_yes": True,
            "jpserver_extensions": {MODULE: panes},
        },
        "IdentityProvider": {"token": token},
        "LabApp": {
            "default_url": f"/lab/tree/{quote(notebook)}" if notebook else "/lab",
            # Neither uses the network: it works offline, and reports to no server.
            "extension_manager": "readonly",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
            "extra_labextensions_path": [str(LABEXTENSIONS)],
        },
        "KernelSpecManager": {"allowed_kernelspecs": {KERNEL}},
        "MappingKernelManager": {"default_kernel_name": KERNEL},
        "KernelManager": {"shutdown_wait_time": 2.0},
        "ServerProxy": {"host_allowlist": ["localhost", LOOPBACK]},
        "Roost": {"folder": str(place.path)},
    }


def overrides(place: Folder) -> dict[str, dict[str, Any]]:
    """Return defaults for JupyterLab's settings; the user's own settings come before them."""
    return {
        "dask-labextension:plugin": {"defaultURL": dashboard_path(cluster_id(place.name))},
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        },
        # There is one kernel, so Jupyter need not ask for one.
        "@jupyterlab/notebook-extension:tracker": {"autoStartDefaultKernel": True},
    }
