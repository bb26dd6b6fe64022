"""What needs no Jupyter: the address, the layout, the configuration, the keeper."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from roost.errors import RoostError
from roost.home import Folder
from roost.notebook.dask.ranges import Range, read_range, write_range
from roost.notebook.lab import config, extension, server
from roost.notebook.lab.address import address
from roost.notebook.lab.extension import Keeper, cluster_id, dask_settings
from roost.notebook.lab.workspace import DASK, workspace

PLACE = Folder(Path("/somewhere/local/demo"))
ID = "3c589151-986c-5f2c-869a-ebccd6a57607"


def test_the_address_opens_the_door():
    jupyter = {"url": "http://127.0.0.1:4711/", "port": 4711, "pid": 1}
    assert address(jupyter, "a-b_c") == "http://127.0.0.1:4711/?token=a-b_c"
    assert address(jupyter, "a&b") == "http://127.0.0.1:4711/?token=a%26b"


def test_the_id_never_changes_because_saved_layouts_contain_it():
    assert cluster_id("demo") == ID
    assert cluster_id("demo2") != ID
    assert re.fullmatch(r"\w+-\w+-\w+-\w+-\w+", ID), "as dask-labextension's addresses want it"


# --- the layout ----------------------------------------------------------------------------------


def tabs(area: dict[str, Any]) -> list[list[str]]:
    if area["type"] == "tab-area":
        return [area["widgets"]]
    return [found for child in area["children"] for found in tabs(child)]


def layout(notebook: str | None) -> dict[str, Any]:
    return workspace(ID, notebook)["data"]["layout-restorer:data"]


def test_the_notebook_is_left_and_the_panes_are_right_one_above_the_other():
    dock = layout("a/b.ipynb")["main"]["dock"]
    left, right = dock["children"]
    assert dock["orientation"] == "horizontal"
    assert tabs(left) == [["notebook:a/b.ipynb"]]
    assert right["orientation"] == "vertical"
    assert tabs(right) == [
        [f"{DASK}:/individual-task-stream"],
        [f"{DASK}:/individual-progress", f"{DASK}:/individual-workers-memory"],
    ]
    assert layout("a/b.ipynb")["main"]["current"] == "notebook:a/b.ipynb"


def test_without_a_notebook_there_are_only_panes_for_the_plugin_to_add_a_launcher_to():
    dock = layout(None)["main"]["dock"]
    assert all(w.startswith(DASK) for widgets in tabs(dock) for w in widgets)


@pytest.mark.parametrize("notebook", [None, "n.ipynb"])
def test_every_widget_of_the_main_area_can_be_made_again(notebook):
    data = json.loads(json.dumps(workspace(ID, notebook)))["data"]
    named = {w for widgets in tabs(layout(notebook)["main"]["dock"]) for w in widgets}
    assert named == data.keys() - {"layout-restorer:data", DASK}
    assert layout(notebook)["main"]["current"] in named


def test_dasks_sidebar_is_open_on_this_cluster():
    left = layout("n.ipynb")["left"]
    assert left["current"] == DASK
    assert DASK in left["widgets"]
    assert not left["collapsed"]
    data = workspace(ID, "n.ipynb")["data"]
    assert data[DASK] == {"url": f"dask/dashboard/{ID}", "cluster": ID}


# --- the configuration ---------------------------------------------------------------------------


def traits(notebook: str | None = None, port: int = 4711) -> dict[str, dict[str, Any]]:
    project = Path("/project")
    return config.traits(PLACE, project=project, notebook=notebook, port=port, token="secret")


def test_it_listens_on_loopback_on_one_port_and_wants_the_token():
    said = traits()
    assert said["ServerApp"]["ip"] == "127.0.0.1"
    assert said["ServerApp"]["port"] == 4711
    assert said["ServerApp"]["port_retries"] == 0
    assert said["IdentityProvider"] == {"token": "secret"}
    assert said["ServerProxy"]["host_allowlist"] == ["localhost", "127.0.0.1"]


def test_the_token_is_nowhere_else():
    said = traits()
    del said["IdentityProvider"]
    assert "secret" not in json.dumps(said, default=str)
    assert "secret" not in json.dumps([config.variables(PLACE), config.overrides(PLACE)])


def test_the_page_is_the_notebook():
    assert traits("a b/c.ipynb")["LabApp"]["default_url"] == "/lab/tree/a%20b/c.ipynb"
    assert traits()["LabApp"]["default_url"] == "/lab"


def test_all_of_jupyters_folders_are_the_clusters_own():
    assert all(v.startswith(f"{PLACE.path}/jupyter/") for v in config.variables(PLACE).values())


def test_dasks_pane_finds_the_cluster():
    said = config.overrides(PLACE)["dask-labextension:plugin"]
    assert said == {"defaultURL": f"dask/dashboard/{ID}"}
    settings = dask_settings(PLACE)
    assert settings["labextension.factory.kwargs"] == {"name": "demo", "home": "/somewhere"}
    assert settings["labextension.initial"] == []


def test_the_plugin_is_where_the_configuration_says():
    found = list(config.LABEXTENSIONS.glob("*/package.json"))
    assert len(found) == 1
    package = json.loads(found[0].read_text())
    assert package["name"] == found[0].parent.name, "JupyterLab takes the one for the other"
    script = found[0].parent / package["jupyterlab"]["_build"]["load"]
    assert f"_JUPYTERLAB['{package['name']}']" in script.read_text()


# --- the keeper ----------------------------------------------------------------------------------


class Manager:
    """As dask-labextension's: knows clusters by id; cannot start any while ``down``."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._clusters = self.names
        self._adaptives: dict[str, Any] = {}
        self.attempts = 0
        self.down = False

    def get_cluster(self, cluster: str) -> str | None:
        return self.names.get(cluster)

    async def start_cluster(self, cluster: str, configuration: dict[str, str]) -> None:
        self.attempts += 1
        if self.down:
            raise OSError("nobody is there")
        self.names[cluster] = configuration["name"]


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, line: str, *words: object) -> None:
        self.lines.append("W " + line % words)

    def info(self, line: str, *words: object) -> None:
        self.lines.append("I " + line % words)


@pytest.fixture
def keeper(tmp_path):
    return Keeper(Folder(tmp_path / "local" / "demo"), Manager(), Log())


def look(keeper: Keeper, times: int = 1) -> list[float]:
    """Look so often; the pauses after each look."""
    pauses = []
    for _ in range(times):
        asyncio.run(keeper.look())
        pauses.append(keeper.pause)
    return pauses


def test_the_keeper_attaches_once_under_the_fixed_id(keeper):
    look(keeper, 3)
    assert keeper.manager.names == {ID: "demo"}
    assert keeper.manager.attempts == 1
    assert keeper.log.lines == []


def test_the_sidebar_shows_the_range_that_holds_whoever_set_it(keeper):
    look(keeper)
    assert keeper.manager._adaptives == {}
    keeper.place.path.mkdir(parents=True)
    write_range(keeper.place, Range(minimum=1, maximum=7, by="the file"))
    look(keeper)
    shown = keeper.manager._adaptives[ID]
    assert (shown.minimum, shown.maximum) == (1, 7)
    keeper.place.range.write_text('{"minimum": 3, "maximum": -1, "by": "a hand"}')
    assert read_range(keeper.place) is None
    look(keeper)
    assert keeper.manager._adaptives == {}


def test_it_tries_ever_more_seldom_and_says_so_once(keeper):
    keeper.manager.down = True
    pauses = look(keeper, 10)
    assert pauses == sorted(pauses)
    assert pauses[0] == extension.FIRST_PAUSE
    assert pauses[-1] == extension.LONGEST_PAUSE
    assert keeper.log.lines == ["W roost: cannot attach to demo yet: nobody is there"]
    keeper.manager.down = False
    assert look(keeper) == [extension.WATCH]
    assert keeper.log.lines[1:] == ["I roost: attached to demo"]


def test_a_cluster_that_was_closed_in_the_sidebar_comes_back(keeper):
    look(keeper)
    keeper.manager.names.clear()
    look(keeper)
    assert keeper.manager.names == {ID: "demo"}


def test_new_kernels_get_the_address_of_a_scheduler_that_moved(keeper, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    place = keeper.place
    place.path.mkdir(parents=True)
    place.control.write_text("{}")
    for port in (1, 2):
        place.scheduler.write_text(json.dumps({"address": f"tls://127.0.0.1:{port}"}))
        look(keeper)
        assert os.environ["DASK_SCHEDULER_ADDRESS"] == f"tls://127.0.0.1:{port}"


def test_what_is_made_absent_is_there_again_afterwards():
    module = "this"
    with server._absent(module), pytest.raises(ImportError):
        importlib.import_module(module)
    assert module not in sys.modules


# --- what is missing -----------------------------------------------------------------------------


def test_without_jupyterlab_it_says_what_to_add(tmp_path):
    """This environment has none."""
    place = Folder(tmp_path)
    place.project.write_text("/the/project")
    place.token.write_text("secret")
    words = ["-m", "roost.notebook.lab.server", "--folder", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert 'add "jupyterlab"' in done.stderr
    assert "/the/project/pyproject.toml" in done.stderr


def test_without_a_scheduler_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 0.1)
    with pytest.raises(RoostError, match=r"no scheduler wrote .* within 0.1 s"):
        server._find_scheduler(Folder(tmp_path))


def test_a_fixed_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RoostError, match=f"port {port} is taken"):
            server._port(Folder(tmp_path), port)


def test_without_the_dask_extension_there_are_no_panes(monkeypatch, capsys):
    monkeypatch.setattr(server, "find_spec", lambda name: None if "dask" in name else object())
    assert server._check_packages(Path("/p")) is False
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("notebook", ["gone.ipynb", "../outside.ipynb", "/outside.ipynb"])
def test_a_notebook_that_is_not_in_the_project_is_not_opened(tmp_path, capsys, notebook):
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside.ipynb").touch()
    assert server._existing(project, notebook) is None
    assert notebook in capsys.readouterr().err
