"""What ``RoostCluster``'s keywords make: the very spec that a file would. Pure."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from roost.dask import environment
from roost.dask.environment import environment_of, pins_of, project_of
from roost.dask.launch import spec_for
from roost.dask.wish import Wish
from roost.errors import RoostError, SpecError
from roost.spec import load

HERE = Path(__file__).parent
EU = "eu-west-1"
PROJECT = HERE.parent / "life" / "environment"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a program, which is a project with a lock."""
    found = tmp_path / "My NDVI"
    shutil.copytree(PROJECT, found)
    return found


def test_the_same_spec_as_a_file(project: Path) -> None:
    file = project / "roost.toml"
    same = [
        (
            Wish(n_workers=8, cpus=4, memory="16GiB", cloud="aws", region="eu-west-1", idle="1h"),
            'cloud = "aws"\n[aws]\nregion = "eu-west-1"\n[schedule]\nidle = "1h"\n'
            '[workers]\ncount = 8\ncpus = 4\nmemory = "16GiB"\n',
        ),
        (  # What is rented stops by itself, also where nobody thought of it.
            Wish(
                cloud="aws", type="m7i.large", spot="first", keys={"aws": {"region": "eu-west-1"}}
            ),
            'cloud = "aws"\n[aws]\nregion = "eu-west-1"\n[schedule]\nidle = "20m"\n'
            '[workers]\ntype = "m7i.large"\nspot = "first"\n',
        ),
        (
            Wish(
                n_workers=3, cpus=2, memory="1GB", keys={"workers": {"max": 8}, "env": {"A": "1"}}
            ),
            '[local]\nthreads = 2\nmemory = "1GB"\n[workers]\ncount = 3\nmax = 8\n[env]\nA = "1"\n',
        ),
        (Wish(keys={"jupyter": {"enabled": True}}), "[jupyter]\nenabled = true\n"),
    ]
    for wish, text in same:
        head = 'name = "my-ndvi"\nkind = "cluster"\n'
        rest = '[environment]\nproject = "."\n'
        rest += "" if "[jupyter]" in text else "[jupyter]\nenabled = false\n"
        file.write_text(head + text + rest)
        assert spec_for(None, wish, project) == load(file), text
    assert spec_for("other", Wish(n_workers=1), project).name == "other"


def test_all_that_is_wrong_is_said(project: Path) -> None:
    with pytest.raises(SpecError) as error:
        spec_for(None, Wish(n_workers=-1, memory="16", keys={"worker": {}}), project)
    said = "\n".join(error.value.lines())
    assert error.value.what == "RoostCluster(...): 3 problems"
    assert all(part in said for part in ("workers.count", "local.memory", 'did you mean "workers"'))
    for wrong in (Wish(region="eu-west-1", n_workers=1), Wish(keys={"env": {"A": object()}})):
        with pytest.raises(RoostError):
            spec_for(None, wrong, project)


class Installed:
    """A package as ``importlib.metadata`` shows it."""

    def __init__(self, name: str, version: str, origin: str = "") -> None:
        self.metadata = {"Name": name}
        self.version = version
        self.origin = origin

    def read_text(self, name: str) -> str:
        assert name == "direct_url.json"
        return self.origin


def test_without_a_project_the_packages_of_the_program_are_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Installed("dask", "2026.1"), Installed("Bokeh", "3.1"), Installed("roost", "0.1")]
    pins = pins_of([*found, found[0]])
    assert pins == ("Bokeh==3.1", "dask==2026.1")
    made = tomllib.loads(project_of(pins))
    assert made["project"]["dependencies"] == ["Bokeh", "dask"]
    assert made["tool"]["uv"]["override-dependencies"] == list(pins)

    mine = Installed("mine", "1", '{"url": "file:///home/me/mine", "dir_info": {"editable": true}}')
    with pytest.raises(RoostError, match="mine is installed from a folder of this computer"):
        pins_of([mine])

    monkeypatch.setattr(environment, "locked", lambda at, pins: at / "locks" / str(len(pins)))
    assert environment_of(tmp_path, None)["lock"].startswith(str(environment.home()))
    assert environment_of(PROJECT, None) == {"project": "."}
    assert environment_of(tmp_path, "elsewhere") == {"project": "elsewhere"}
