"""A Jupyter server extension: Dask's sidebar knows this cluster, always under the same id.

dask-labextension gives a cluster that it starts a new random id each time, so that a saved layout
would point at nobody after a restart. Here the id comes from the cluster's name. "Starting" it
means attaching to what runs, and closing it means letting go (``roost.dask.RoostCluster``).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from roost.errors import RoostError
from roost.home import Folder
from roost.notebook.dask.discovery import find
from roost.notebook.dask.page_guard import HEADER
from roost.notebook.dask.ranges import read_range

MODULE = "roost.notebook.lab.extension"
WATCH = 2.0
"""Seconds between two looks whether the cluster is still in the sidebar."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
"""Seconds between two attempts to attach: they grow from the first to the longest."""

CONNECT = "5s"


def cluster_id(name: str) -> str:
    """Return the id that the cluster of this name has in every sidebar and layout."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"roost:{name}"))


def dask_settings(place: Folder) -> dict[str, Any]:
    """Return the Dask configuration that attaches dask-labextension to this cluster."""
    at = str(place.path.parent.parent)
    return {
        "labextension.factory.module": "roost.dask",
        "labextension.factory.class": "RoostCluster",
        "labextension.factory.args": [],
        "labextension.factory.kwargs": {"name": place.name, "home": at},
        # The user's own configuration of dask-labextension is for other clusters.
        "labextension.default": {"workers": None, "adapt": None},
        "labextension.initial": [],
        # On one machine an answer comes at once or not at all; with Dask's own 30 seconds the
        # sidebar would show the workers of a dead scheduler for so long.
        "distributed.comm.timeouts.connect": CONNECT,
    }


def carry_secret(handler: Any, place: Folder) -> None:
    """Let the proxy of this cluster's dashboard, and of no other's, give the dashboard's secret."""
    plain, mine = handler.proxy_request_headers, cluster_id(place.name)

    def proxy_request_headers(self: Any) -> Any:
        headers = plain(self)
        if mine in (*self.path_args, *self.path_kwargs.values()):
            with suppress(OSError):
                headers[HEADER] = place.dashboard.read_text().strip()
        return headers

    handler.proxy_request_headers = proxy_request_headers


class Keeper:
    """A task that keeps the cluster in dask-labextension's manager while the server lives."""

    def __init__(self, place: Folder, manager: Any, log: Any) -> None:
        self.place = place
        self.manager = manager
        self.log = log
        self.id = cluster_id(place.name)
        self.pause = WATCH
        self.failing = False

    async def run(self) -> None:
        """Look, attach where needed, wait; for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self.pause)

    async def look(self) -> None:
        """Attach if the cluster is not there; say the first of several failures."""
        try:
            if self.manager.get_cluster(self.id) is None:
                await self.manager.start_cluster(self.id, {"name": self.place.name})
        except Exception as error:  # whatever it is, the user's JupyterLab goes on
            self._failed(error)
            return
        if self.failing:
            self.log.info("roost: attached to %s", self.place.name)
        self.failing, self.pause = False, WATCH
        self._tell_kernels()
        self._show_range()

    def _failed(self, error: Exception) -> None:
        if not self.failing:
            said = str(error) or type(error).__name__
            self.log.warning("roost: cannot attach to %s yet: %s", self.place.name, said)
        self.pause = min(self.pause * 2, LONGEST_PAUSE) if self.failing else FIRST_PAUSE
        self.failing = True

    def _tell_kernels(self) -> None:
        """Tell kernels that start from now on the scheduler's present address."""
        with suppress(RoostError):
            found = find(self.place.name, self.place.path.parent.parent)
            os.environ.update(found.environment())

    def _show_range(self) -> None:
        """Let the sidebar show the range that holds now, whoever set it."""
        wish, cluster = read_range(self.place), self.manager._clusters.get(self.id)
        if wish is None:
            self.manager._adaptives.pop(self.id, None)
        elif cluster is not None:
            from roost.notebook.dask.cluster import Following

            self.manager._adaptives[self.id] = Following(cluster, wish.minimum, wish.maximum)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": MODULE}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Load the extension (called by Jupyter's server, which ``config.py`` tells the folder)."""
    place = Folder(Path(server.config.Roost.folder))
    try:
        import dask.config

        manager = importlib.import_module("dask_labextension.manager").manager
        pages = importlib.import_module("dask_labextension.dashboardhandler")
    except ImportError as error:
        server.log.warning("roost: no Dask panes: %s", error)
        return
    dask.config.set(dask_settings(place))
    carry_secret(pages.DaskDashboardHandler, place)
    keeper = Keeper(place, manager, server.log)
    server.io_loop.add_callback(keeper.run)
