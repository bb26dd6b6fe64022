"""A Dask cluster on rented machines: its steps whole, and what changes which of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from roost.machine.cluster import STARTUP
from roost.model.resources import Role
from roost.recipes.dask import remote, remote_environment
from roost.recipes.step import Service, Step
from roost.recipes.unit import unit
from roost.spec import Cluster, load
from tests.recipes.slurm_cluster import PROGRAMS, readable

GOLDEN = Path(__file__).parent / "golden" / "dask.json"
CLUSTER = """\
name = "ndvi"
kind = "cluster"
cloud = "aws"
[aws]
region = "eu-central-1"
[environment]
project = "my project"
[jupyter]
notebook = "a first look.ipynb"
"""
SUMS = {"project": "a1" * 32, "roost": "b2" * 32, "notebook": "c3" * 32}
ROLES: tuple[Role, ...] = ("head", "worker")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a project."""
    project = tmp_path / "my project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    (project / "uv.lock").write_text("version = 1\n")
    for name in ("a first look.ipynb", "other.ipynb"):
        (project / name).write_text("{}")
        (tmp_path / name).write_text("{}")
    return tmp_path


def cluster(folder: Path, text: str = CLUSTER) -> Cluster:
    file = folder / "roost.toml"
    file.write_text(text)
    spec = load(file)
    assert isinstance(spec, Cluster)
    return spec


def steps(spec: Cluster, sums: dict[str, str] = SUMS) -> dict[str, Step]:
    """Those of head and worker."""
    needed = {key: sums[key] for key in remote.uploads(spec)}
    return {
        f"{role} {step.name}": step for role in ROLES for step in remote.steps(spec, role, needed)
    }


def changed(folder: Path, text: str, sums: dict[str, str] = SUMS) -> set[str]:
    """The steps that are others, or gone, or new."""
    before, now = steps(cluster(folder)), steps(cluster(folder, text), sums)
    return {name for name in before | now if before.get(name) != now.get(name)}


@pytest.mark.golden
def test_all_steps(folder: Path) -> None:
    """`make docs` writes them; programs and digests are left out."""
    found = readable(steps(cluster(folder)))
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


OTHER_NOTEBOOK = CLUSTER.replace("a first look", "other")
SHARED_FOLDER = CLUSTER.replace("kind", 'shared = "/shared"\nkind', 1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (CLUSTER + "[workers]\ncount = 7\n", set()),
        (CLUSTER + "port = 9999\n", set()),
        (OTHER_NOTEBOOK, {"head jupyter"}),
        (CLUSTER + "enabled = false\n", {"head jupyter", "head joined"}),
        (SHARED_FOLDER, {f"{role} {name}" for role in ROLES for name in ("project", "node")}),
        (CLUSTER + '[head]\nimage = "debian-12"\n', {f"{role} environment" for role in ROLES}),
    ],
    ids=["workers", "port on this computer", "notebook", "no JupyterLab", "shared", "system"],
)
def test_what_a_file_changes(folder: Path, text: str, names: set[str]) -> None:
    assert changed(folder, text) == names


def test_another_version_of_the_project_starts_no_service_again(folder: Path) -> None:
    """A notebook that is edited here must not cost anybody's results."""
    more = {**SUMS, "project": "d4" * 32}
    assert changed(folder, CLUSTER, more) == {
        *("head environment", "worker environment"),
        *("head project", "worker project"),
    }
    assert changed(folder, CLUSTER) == set()


def test_another_lock_is_another_environment(folder: Path) -> None:
    before = steps(cluster(folder))
    (folder / "my project" / "uv.lock").write_text("version = 1\nrevision = 2\n")
    now = steps(cluster(folder))
    assert {name for name in before if before[name] == now[name]} == {
        f"{role} {name}" for role in ROLES for name in ("uv", "project", "joined")
    }


def test_what_is_brought(folder: Path) -> None:
    found = remote.uploads(cluster(folder))
    assert set(found) == {"project", "roost"}
    assert found["project"].path == folder / "my project"
    package = found["roost"]
    assert all((package.path / part).exists() for part in package.only)


def test_without_a_project_only_the_notebook_is_the_users(folder: Path) -> None:
    spec = cluster(folder, CLUSTER.replace('project = "my project"\n', ""))
    found = remote.uploads(spec)
    assert found["notebook"].path == folder
    assert found["notebook"].only == ("a first look.ipynb",)
    step = steps(spec)["head project"]
    at = "/opt/roost/project/c3c3c3c3c3c3c3c3"
    assert [upload.to for upload in step.uploads] == [at]
    assert [command.argv[2:] for command in step.commands] == [("bring", at, "~/ndvi")]


def test_without_either_there_is_an_empty_folder(folder: Path) -> None:
    text = CLUSTER.replace('project = "my project"\n', "").partition("[jupyter]")[0]
    spec = cluster(folder, text)
    assert set(remote.uploads(spec)) == {"project", "roost"}
    step = steps(spec)["head project"]
    assert step.uploads == ()
    assert step.commands[0].argv[2:] == ("bring", "/opt/roost/project/none", "~/ndvi")
    assert steps(spec)["worker project"].commands == ()


def test_in_a_shared_folder_all_machines_see_the_same_files(folder: Path) -> None:
    found = steps(cluster(folder, CLUSTER.replace("kind", 'shared = "/shared"\nkind', 1)))
    link = ("/usr/lib/roost/run", "project", "link", "/shared/my project", "~/my project")
    assert [command.argv for command in found["worker project"].commands] == [link]
    assert [command.argv[2] for command in found["head project"].commands] == ["bring", "link"]
    assert found["head project"].commands[1].argv == link


def test_no_module_of_the_projects_is_in_the_way_of_dasks_start(folder: Path) -> None:
    """A unit's working folder is on Python's path, and so is PYTHONPATH, before its own."""
    place = "/var/lib/roost/cluster/local/ndvi"
    for name, module in (("head scheduler", "scheduler"), ("worker worker", "worker")):
        (made,) = steps(cluster(folder))[name].files
        lines = made.content.splitlines()
        assert f"WorkingDirectory={place}" in lines
        (start,) = (line for line in lines if line.startswith("ExecStart="))
        path = f"{place}/python:{place}/python/{STARTUP}"
        assert start.startswith(f"ExecStart=/usr/bin/env PYTHONPATH={path} /opt/roost/")
        assert f" -m roost.notebook.dask.{module} --folder {place}" in start


def test_a_worker_cannot_write_into_what_was_brought(folder: Path) -> None:
    """It is this machine's alone: what a task wrote there would be lost. A head's is the user's."""
    found = steps(cluster(folder))
    (link,) = found["worker project"].commands
    brought = link.argv[3]
    (worker,) = found["worker worker"].files
    assert brought.startswith("/opt/roost/project/")
    assert "ReadOnlyPaths=-/opt/roost/project" in worker.content.splitlines()
    assert "ReadOnlyPaths" not in found["head scheduler"].files[0].content


def python_words(folder: Path, text: str) -> list[tuple[str, ...]]:
    found = steps(cluster(folder, text))
    return [found[f"{role} environment"].commands[-1].argv[7:] for role in ROLES]


def test_head_and_workers_have_the_same_python(folder: Path) -> None:
    assert python_words(folder, CLUSTER) == [(), ()]
    own = CLUSTER.replace("[environment]", '[environment]\npython = "3.12.7"')
    assert python_words(folder, own) == [("--python", "3.12.7")] * 2
    mixed = CLUSTER + '[head]\nimage = "debian-12"\n'
    assert python_words(folder, mixed) == [("--python", "3.11")] * 2
    unknown = CLUSTER + '[head]\nimage = "ami-0123456789abcdef0"\n'
    assert python_words(folder, unknown) == [(), ()]


def test_no_secret_is_in_any_step(folder: Path) -> None:
    """They are made on the head, and only their names are anywhere else."""
    text = json.dumps([step.to_json() for step in steps(cluster(folder)).values()])
    assert "PRIVATE KEY" not in text
    assert "token" not in text
    assert set(remote.SHARED) == {"dask-ca.pem", "dask-cert.pem", "dask-key.pem"}
    assert list(remote.RECIPE.secret_generators) == ["dask-secrets"]


# --- units ---------------------------------------------------------------------------------------


def test_a_unit_whole() -> None:
    service = Service(
        name="it",
        argv=("/opt/a b/python", "-m", "x", "--name", "${NODE}", 'a "%h" $HOME ${x}\\'),
        nice=5,
    )
    made = unit(
        service,
        description="it",
        files=("/etc/a.env",),
        env={"PATH": "/opt/a b/bin:/bin"},
        more=("KillMode=mixed",),
    )
    assert made.path == "/etc/systemd/system/roost-it.service"
    assert made.content == (
        "[Unit]\n"
        "Description=roost: it\n"
        "Wants=network-online.target roost-node.service\n"
        "After=network-online.target roost-node.service\n"
        "StartLimitIntervalSec=0\n"
        "\n"
        "[Service]\n"
        "User=1000\n"
        "WorkingDirectory=~\n"
        'Environment="PATH=/opt/a b/bin:/bin"\n'
        "EnvironmentFile=-/etc/a.env\n"
        'ExecStart="/opt/a b/python" -m x --name ${NODE} "a \\"%%h\\" $$HOME $${x}\\\\"\n'
        "Restart=always\n"
        "RestartSec=2s\n"
        "Nice=5\n"
        "KillMode=mixed\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )


def test_the_environment_is_where_the_local_one_is_below_another_folder(folder: Path) -> None:
    spec = cluster(folder)
    assert str(remote_environment.path(spec)) == (
        f"/opt/roost/environments/{spec.environment.digest[:16]}"
    )


def test_programs_are_sh() -> None:
    mine = [*PROGRAMS.glob("dask-*"), PROGRAMS / "as-user", PROGRAMS / "in-cluster"]
    mine += [PROGRAMS / "notebooks-busy", PROGRAMS / "environment.sh", PROGRAMS / "profile.sh"]
    for path in mine:
        assert path.suffix == ".sh" or path.read_text().startswith("#!/bin/sh\n")
        subprocess.run(["sh", "-n", path], check=True, timeout=20)
