"""Languages on a cluster: what each brings, and where people's own packages go; fetching Julia."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from roost.recipes.apps import languages
from roost.recipes.step import Step
from roost.spec import Cluster
from tests.recipes.slurm_cluster import CLUSTER, PROGRAMS, cluster, readable

GOLDEN = Path(__file__).parent / "golden" / "languages.json"
ALL = '["python", "r", "julia", "c", "c++", "fortran"]'
SUMS = {"project": "a" * 64}
TOOLS = ["make", "cmake", "gdb", "openmpi-bin", "libopenmpi-dev"]


def steps(spec: Cluster, role: str = "head") -> dict[str, Step]:
    found = languages.steps(spec, "head" if role == "head" else "worker", SUMS)
    return {step.name: step for step in found}


def with_languages(folder: Path, text: str, more: str = "") -> Cluster:
    return cluster(folder, CLUSTER.replace(ALL, text + more))


@pytest.mark.golden
def test_all_steps(tmp_path: Path) -> None:
    """`make docs` writes them; programs and digests are left out."""
    spec = cluster(tmp_path)
    found = readable({f"head {n}": s for n, s in steps(spec).items()})
    found |= readable({f"worker {n}": s for n, s in steps(spec, "worker").items()})
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize(
    ("wanted", "packages", "more"),
    [
        ('["c"]', ["gcc", "libc6-dev", *TOOLS], []),
        ('["fortran"]', ["gfortran", *TOOLS], []),
        ('["c", "c++"]', ["gcc", "libc6-dev", *TOOLS, "g++"], []),
        ('["r"]', ["r-base-core", "r-base-dev", "r-recommended"], ["r"]),
        ('["julia"]', ["ca-certificates", "curl"], ["julia"]),
        ('["python"]', ["python3", "python3-dev", "python3-venv"], ["uv", "python"]),
    ],
)
def test_each_language(tmp_path: Path, wanted: str, packages: list[str], more: list[str]) -> None:
    spec = with_languages(tmp_path, wanted)
    found = steps(spec)
    assert list(found["languages"].packages) == packages
    assert list(found) == ["languages", *more]
    assert list(steps(spec, "worker")) == ["languages"]
    assert steps(spec, "worker")["languages"] == found["languages"]


def test_no_languages_no_steps(tmp_path: Path) -> None:
    assert steps(with_languages(tmp_path, "[]")) == {}


def test_a_dask_cluster_has_its_own_python(tmp_path: Path) -> None:
    dask = CLUSTER.replace('scheduler = "slurm"\n', "")
    python = cluster(tmp_path, dask.replace(ALL, '["python"]'))
    assert steps(python) == {} == languages.uploads(python)
    more = steps(cluster(tmp_path, dask.replace(ALL, '["python", "c"]')))
    assert list(more) == ["languages"]
    assert "python3-dev" not in more["languages"].packages


def test_what_people_install_is_in_the_shared_folder_or_on_each_machine(tmp_path: Path) -> None:
    shared = cluster(tmp_path)
    assert languages.software(shared) == "/shared/software"
    alone = cluster(tmp_path, CLUSTER.replace('shared = "/shared"\n', ""))
    assert languages.software(alone) == "/opt/software"
    assert list(steps(alone, "worker")) == list(steps(alone)) == list(steps(shared))
    texts = [file.content for file in steps(shared)["languages"].files]
    assert not any("SOFTWARE" in text for text in texts)
    assert 'exec /shared/software/python/bin/python "$@"\n' in "".join(texts)


def test_the_projects_packages_are_in_the_clusters_python(tmp_path: Path) -> None:
    project = tmp_path / "work"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "work"\nversion = "1"\n')
    (project / "uv.lock").write_text("version = 1\n")
    spec = with_languages(tmp_path, '["python"]', '\nproject = "work"\npython = "3.12"')
    assert languages.uploads(spec)["project"].path == project
    step = steps(spec)["python"]
    (upload,) = step.uploads
    assert (upload.key, upload.sha256, upload.unpack) == ("project", "a" * 64, True)
    assert step.commands[-1].argv[1:] == ("/shared/software", "3.12", upload.to)
    plain = with_languages(tmp_path, '["python"]')
    assert languages.uploads(plain) == {}
    assert steps(plain)["python"].uploads == ()
    assert steps(plain)["python"].commands[-1].argv[1:] == ("/shared/software", "", "")


def test_packages_of_r_are_found_by_every_r(tmp_path: Path) -> None:
    (site,) = [f for f in steps(cluster(tmp_path))["languages"].files if "/R/" in f.path]
    assert site.path == "/etc/R/Renviron.site"
    assert site.content == "R_LIBS_USER=/shared/software/R/%p-library/%v\n"


# --- Julia ---------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Its makers' folder, with an archive that has a Julia which only says who it is."""
    if shutil.which("curl") is None:
        pytest.skip("the machine's program fetches with curl, which is not installed here")
    machine = platform.machine()
    place = {"x86_64": "x64", "aarch64": "aarch64"}[machine]
    folder = tmp_path / "mirror" / place / "1.10"
    folder.mkdir(parents=True)
    text = b"#!/bin/sh\necho julia version 1.10.11\n"
    with tarfile.open(folder / f"julia-1.10.11-linux-{machine}.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("julia-1.10.11/bin/julia")
        info.size, info.mode = len(text), 0o755
        tar.addfile(info, io.BytesIO(text))
    (tmp_path / "software").mkdir()
    return tmp_path / "mirror"


def fetch(folder: Path, mirror: Path, sha256: str) -> subprocess.CompletedProcess[str]:
    words = [folder / "software", f"file://{mirror}", "1.10.11", sha256, sha256]
    return subprocess.run(
        ["sh", PROGRAMS / "languages-julia", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_julia_is_fetched_once(tmp_path: Path, mirror: Path) -> None:
    (archive,) = mirror.rglob("*.tar.gz")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    first = fetch(tmp_path, mirror, sha256)
    assert (first.returncode, first.stdout) == (0, "julia version 1.10.11\n"), first.stderr
    archive.unlink()
    assert fetch(tmp_path, mirror, sha256).returncode == 0
    found = sorted(path.name for path in (tmp_path / "software").iterdir())
    assert found == ["julia", "julia-1.10.11", "julia-packages"]
    assert (tmp_path / "software/julia").resolve().name == "julia-1.10.11"


@pytest.mark.parametrize("missing", [True, False])
def test_no_julia_is_said_and_leaves_nothing(tmp_path: Path, mirror: Path, missing: bool) -> None:
    if missing:
        next(mirror.rglob("*.tar.gz")).unlink()
    failed = fetch(tmp_path, mirror, "0" * 64)
    assert failed.returncode == 1
    said = "Julia cannot be had from file://" if missing else "computed checksum did NOT match"
    assert said in failed.stderr
    assert list((tmp_path / "software").iterdir()) == []


def test_julias_archives_are_known_by_their_sums() -> None:
    assert set(languages.JULIA_SUMS) == {"x86_64", "aarch64"}
    assert all(len(found) == 64 for found in languages.JULIA_SUMS.values())
    assert json.loads(GOLDEN.read_text())["head julia"]["commands"][1]["argv"][3] == languages.JULIA
