"""The first layout in the browser: the notebook, Dask's panes beside it, Dask's sidebar open.

JupyterLab saves its layout as a *workspace*: one JSON object ``{"data": ..., "metadata": ...}``.
``data`` is its state database, written by ``LayoutRestorer`` (JupyterLab's
``packages/application/src/layoutrestorer.ts``) under ``layout-restorer:data``, and by each kind of
widget under ``<kind>:<name>`` with the arguments of the command that makes the widget again. The
kind ``dask-dashboard-launcher`` is dask-labextension's (``src/index.ts``): its names are the routes
of the dashboard's single plots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NAME = "default"
"""The workspace of ``/lab``, which is the one that a browser without a wish gets."""
DASK = "dask-dashboard-launcher"
"""dask-labextension's sidebar, and the kind of its panes."""
LEFT_SIDEBAR = (
    "filebrowser",
    "running-sessions",
    DASK,
    "@jupyterlab/toc:plugin",
    "extensionmanager.main-view",
)
RIGHT_SIDEBAR = ("jp-property-inspector", "debugger-sidebar")


@dataclass(frozen=True, slots=True)
class Pane:
    """One plot of the dashboard."""

    route: str
    label: str

    @property
    def widget(self) -> str:
        """Its name in the layout."""
        return f"{DASK}:{self.route}"

    @property
    def state(self) -> Json:
        """The state from which JupyterLab makes the pane again."""
        item = {"route": self.route, "label": self.label, "key": self.label}
        return {"data": {"item": item}}


TASK_STREAM = Pane("/individual-task-stream", "Task Stream")
PROGRESS = Pane("/individual-progress", "Progress")
WORKERS_MEMORY = Pane("/individual-workers-memory", "Workers Memory")


def dashboard_path(cluster: str) -> str:
    """Return the path at which JupyterLab proxies the dashboard of the cluster with this id."""
    return f"dask/dashboard/{cluster}"


def workspace(cluster: str, notebook: str | None) -> Json:
    """Return the saved layout for the cluster with this id (see ``extension.cluster_id``).

    Without a notebook only the panes are in it: a layout cannot contain a launcher, so the small
    frontend plugin in ``labextension/`` puts one in the notebook's place.
    """
    panes = (TASK_STREAM, PROGRESS, WORKERS_MEMORY)
    states: Json = {pane.widget: pane.state for pane in panes}
    if notebook is not None:
        states[f"notebook:{notebook}"] = {"data": {"path": notebook, "factory": "Notebook"}}
    return {
        "data": {
            "layout-restorer:data": _layout(notebook),
            DASK: {"url": dashboard_path(cluster), "cluster": cluster},
            **states,
        },
        "metadata": {"id": NAME},
    }


def _layout(notebook: str | None) -> Json:
    left = f"notebook:{notebook}" if notebook is not None else None
    return {
        "main": {"dock": _dock(left), "current": left or TASK_STREAM.widget},
        "down": {"size": 0, "widgets": []},
        "left": {
            "collapsed": False,
            "visible": True,
            "current": DASK,
            "widgets": list(LEFT_SIDEBAR),
        },
        "right": {"collapsed": True, "visible": True, "widgets": list(RIGHT_SIDEBAR)},
        "relativeSizes": [0.18, 0.82, 0],
        "top": {"simpleVisibility": True},
    }


def _dock(left: str | None) -> Json:
    """Return the main area: Task Stream above Progress, beside ``left``."""
    panes = _split("vertical", _tabs(TASK_STREAM.widget), _tabs(*_LOWER))
    return panes if left is None else _split("horizontal", _tabs(left), panes)


_LOWER = (PROGRESS.widget, WORKERS_MEMORY.widget)


def _split(orientation: str, *children: Json) -> Json:
    return {
        "type": "split-area",
        "orientation": orientation,
        "sizes": [1 / len(children)] * len(children),
        "children": list(children),
    }


def _tabs(*widgets: str) -> Json:
    return {"type": "tab-area", "currentIndex": 0, "widgets": list(widgets)}
