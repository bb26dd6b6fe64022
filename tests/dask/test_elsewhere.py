"""The warning for clients in another folder than their workers', and for no other clients."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from roost.home import Folder, folder
from roost.notebook.dask import elsewhere

ADDRESS = "tls://127.0.0.1:8786"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A cluster whose project is the working folder."""
    made = folder("ndvi", tmp_path / "home")
    made.path.mkdir(parents=True)
    project = tmp_path / "project"
    project.mkdir()
    made.project.write_text(f"{project}\n")
    made.scheduler.write_text(json.dumps({"address": ADDRESS}))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROOST_NAME", "ndvi")
    monkeypatch.chdir(project)
    return made


def warned(address: str) -> list[str]:
    client = SimpleNamespace(scheduler=SimpleNamespace(address=address))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        elsewhere.dask_setup(client)
    return [str(warning.message) for warning in caught]


def test_only_a_client_of_this_cluster_in_another_folder(
    place: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warned(ADDRESS) == []
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "project")
    monkeypatch.chdir(link)
    assert warned(ADDRESS) == []
    monkeypatch.chdir(tmp_path)
    (said,) = warned(ADDRESS)
    assert f"the workers of {place.name} work in {tmp_path / 'project'}" in said
    assert warned("inproc://127.0.0.1/1") == []
    monkeypatch.delenv("ROOST_NAME")
    assert warned(ADDRESS) == []
