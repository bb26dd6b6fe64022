"""Each test has a roost home of its own; they share the environment."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.life.lab import Lab


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment is made once, and is in every test's home by a link."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def lab(shared_home: Path, tmp_path: Path) -> Iterator[Lab]:
    home = tmp_path / "home"
    home.mkdir()
    environments = shared_home / "environments"
    environments.mkdir(exist_ok=True)
    (home / "environments").symlink_to(environments)
    folder = tmp_path / "project"
    folder.mkdir()
    lab = Lab(home, folder, "life")
    lab.write()
    yield lab
    for process in lab.processes():
        process.send_signal(signal.SIGKILL)
    shutil.rmtree(home, ignore_errors=True)
