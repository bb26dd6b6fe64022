"""The example's own locked environment, and clusters in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from by_hand import NOTEBOOK, REPOSITORY, Lab, eventually


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of the example's environment, synced from its lock."""
    path = tmp_path_factory.mktemp("environment") / "env"
    subprocess.run(
        ["uv", "sync", "--frozen", "--quiet", "--project", REPOSITORY / "examples" / "ndvi"],
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(path)},
        check=True,
    )
    return path / "bin" / "python"


@pytest.fixture
def lab(environment: Path, tmp_path: Path) -> Iterator[Lab]:
    """A cluster's folder with nothing started."""
    made = Lab(environment, tmp_path)
    yield made
    made.stop_all()


@pytest.fixture(scope="module")
def running(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster with one worker and JupyterLab, shared by the tests that change nothing."""
    made = Lab(environment, tmp_path_factory.mktemp("running"))
    try:
        made.start_scheduler()
        made.start_worker()
        made.start_lab("--notebook", NOTEBOOK)
        made.wait_until_it_listens()
        eventually(lambda: made.workers() == 1)
        yield made
    finally:
        made.stop_all()
