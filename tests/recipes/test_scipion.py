"""Scipion on a desktop: its steps whole, what changes them, and its program by itself."""

from __future__ import annotations

import json
import os
import sys
from configparser import RawConfigParser
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from roost import machine as machine_package
from roost.errors import SpecError
from roost.recipes.apps import scipion
from roost.spec import Desktop, from_json, load

GOLDEN = Path(__file__).parent / "golden" / "scipion.json"
PROGRAM = Path(machine_package.__file__).parent / "programs" / "scipion-install"
PLACES = {
    "/usr/lib/roost/scipion/install": "scipion-install",
    "/usr/lib/roost/icon-trust": "icon-trust",
}
HEAD = """\
name = "stars"
kind = "desktop"
[aws]
region = "eu-central-1"
[machine]
cpus = 4
"""
VOLUMES = """\
[[volumes]]
name = "fast"
size = "100GB"
park = "discard"
[[volumes]]
name = "data"
size = "100GB"
"""
PLAIN = "[scipion]\n"
FULL = """\
[scipion]
versions = { scipion = "3.8.3", scipion-old = "3.7.1" }
plugins = ["scipion-em-relion==5.0.2", "scipion-em-xmipp"]
binaries = ["relion-4.0"]
conda = true
datasets = ["relion_tutorial"]
"""


def spec_of(folder: Path, text: str, head: str = HEAD) -> Desktop:
    file = folder / "roost.toml"
    file.write_text(head + text)
    spec = load(file)
    assert isinstance(spec, Desktop)
    return spec


def steps_of(folder: Path, text: str, head: str = HEAD) -> dict[str, dict[str, Any]]:
    found = [step.to_json() for step in scipion.steps(spec_of(folder, text, head))]
    return json.loads(json.dumps({step["name"]: step for step in found}))


def facts_of(step: dict[str, Any]) -> dict[str, Any]:
    (found,) = (file for file in step["files"] if file["path"].endswith(".json"))
    return json.loads(found["content"])


def changed(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name]["digest"] != after[name]["digest"]}


# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.golden
def test_all_steps(tmp_path: Path) -> None:
    """`make docs` writes them; the program and digests are left out."""
    found = steps_of(tmp_path, VOLUMES + FULL)
    for step in found.values():
        del step["digest"]
        for file in step["files"]:
            if file["path"] in PLACES:
                assert file["content"] == PROGRAM.with_name(PLACES[file["path"]]).read_text()
                file["content"] = "..."
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_without_scipion_there_is_nothing(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.toml"
    cluster.write_text('name = "stars"\nkind = "cluster"\n')
    assert scipion.steps(spec_of(tmp_path, VOLUMES)) == ()
    assert scipion.steps(load(cluster)) == ()


def test_one_version_by_default(tmp_path: Path) -> None:
    found = steps_of(tmp_path, PLAIN)
    assert list(found) == ["scipion", "scipion-icons"]
    facts = facts_of(found["scipion"])
    assert facts == {
        "home": "/opt/scipion/scipion",
        "tools": "/opt/scipion/.tools",
        "version": "3.8.3",
        "plugins": [],
        "binaries": [],
        "conda": False,
        "user_data": "~/ScipionUserData",
        "tests": "~/ScipionTests",
        "scratch": None,
    }
    commands = [file["path"] for file in found["scipion"]["files"] if "/bin/" in file["path"]]
    assert commands == ["/usr/local/bin/scipion", "/usr/local/bin/scipion3"]


def test_the_first_version_alone_is_scipion3(tmp_path: Path) -> None:
    found = steps_of(tmp_path, FULL)
    starters = {
        file["path"].rpartition("/")[2]: file["content"].splitlines()[-1]
        for step in found.values()
        for file in step["files"]
        if "/bin/" in file["path"]
    }
    assert starters == {
        "scipion": 'exec /opt/scipion/scipion/scipion3 "$@"',
        "scipion3": 'exec /opt/scipion/scipion/scipion3 "$@"',
        "scipion-old": 'exec /opt/scipion/scipion-old/scipion3 "$@"',
    }
    only = steps_of(tmp_path, '[scipion]\nversions = { scipion3 = "3.8.3" }\n')["scipion3"]
    assert [f["path"] for f in only["files"] if "/bin/" in f["path"]] == ["/usr/local/bin/scipion3"]


@pytest.mark.parametrize(
    ("text", "again"),
    [
        (VOLUMES.replace("100GB", "200GB") + FULL, set()),
        (VOLUMES + FULL.replace("3.7.1", "3.6.0"), {"scipion-old"}),
        (VOLUMES + FULL.replace('"relion_tutorial"', ""), None),
        (VOLUMES + FULL.replace("relion_tutorial", "xmipp_tutorial"), {"scipion-datasets"}),
        (VOLUMES + FULL.replace("conda = true\n", ""), {"scipion", "scipion-old"}),
        (VOLUMES.replace("data", "other") + FULL, {"scipion", "scipion-old"}),
    ],
)
def test_what_is_done_again(tmp_path: Path, text: str, again: set[str] | None) -> None:
    before = steps_of(tmp_path, VOLUMES + FULL)
    after = steps_of(tmp_path, text)
    if again is None:
        assert before.keys() - after.keys() == {"scipion-datasets"}
    else:
        assert changed(before, after) == again
    assert changed(before, steps_of(tmp_path, VOLUMES + FULL)) == set()


@pytest.mark.parametrize(
    ("prefix", "own"), [("/opt/scipion", False), ("/data/sw", True), ("/database", False)]
)
def test_an_image_holds_what_is_on_no_volume(tmp_path: Path, prefix: str, own: bool) -> None:
    found = steps_of(tmp_path, f'{VOLUMES}{FULL}prefix = "{prefix}"\n')
    assert {name: step["own"] for name, step in found.items()} == {
        "scipion": own,
        "scipion-old": own,
        "scipion-icons": True,
        "scipion-datasets": True,
    }


@pytest.mark.parametrize(
    ("machine", "there"),
    [
        ("gpus = 1", True),
        ('gpu = "T4"', True),
        ('type = "g4dn.xlarge"', True),
        ("cpus = 4", False),
        ('type = "m7i.large"', False),
        ('type = "g4dn.xlarge"\nimage = "debian-12"', False),
    ],
)
def test_cuda_where_there_is_a_gpu(tmp_path: Path, machine: str, there: bool) -> None:
    packages = steps_of(tmp_path, PLAIN, HEAD.replace("cpus = 4", machine))["scipion"]["packages"]
    assert ("nvidia-cuda-toolkit" in packages) == there


# --- the file ------------------------------------------------------------------------------------


def test_it_is_kept_as_it_is(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, VOLUMES + FULL)
    assert from_json(spec.to_json()) == spec
    assert spec.scipion is not None
    assert list(spec.scipion.versions) == ["scipion", "scipion-old"]


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ('versions = { ls = "3.8.3" }', "scipion.versions.ls", None),
        ('versions = { scipion = "newest" }', "scipion.versions.scipion", None),
        ("versions = {}", "scipion.versions", None),
        ('plugins = ["relion"]', "scipion.plugins[1]", 'did you mean "scipion-em-relion"?'),
        ('plugins = ["scipion-em-relion; rm -r /"]', "scipion.plugins[1]", None),
        ('binaries = ["--help"]', "scipion.binaries[1]", None),
        ('binaries = ["relion"]', "scipion.binaries[1]", None),
        ('datasets = ["s3://bucket/relion13_tutorial"]', "scipion.datasets[1]", None),
        ('datasets = ["../etc"]', "scipion.datasets[1]", None),
        ('prefix = "/usr"', "scipion.prefix", None),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, where: str, hint: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, f"{PLAIN}{text}\n")
    (problem,) = caught.value.problems
    assert (problem.where, problem.hint) == (where, hint)


# --- the program ---------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, with a home of its own and no GPU."""
    loader = SourceFileLoader("scipion_install", str(PROGRAM))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(found)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


class Fake:
    """An installed Scipion: its ``scipion3`` notes its words and does what ``body`` says."""

    def __init__(self, module: ModuleType, root: Path, **facts: object) -> None:
        self.root = root
        self.home = root / "scipion"
        (self.home / "config").mkdir(parents=True)
        everything = {
            **{"home": str(self.home), "tools": str(root / "tools"), "version": "3.8.3"},
            **{"plugins": [], "binaries": [], "conda": False, "scratch": None},
            **{"user_data": "~/ScipionUserData", "tests": "/data/ScipionTests", **facts},
        }
        self.it = module.Scipion(everything)
        self.program("xvfb-run", 'shift; exec "$@"')

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def scipion3(self, body: str) -> None:
        path = self.home / "scipion3"
        path.write_text(f'#!/bin/sh\necho "$@" >>{self.root}/words\n{body}\n')
        path.chmod(0o755)

    @property
    def words(self) -> list[str]:
        path = self.root / "words"
        return path.read_text().splitlines() if path.exists() else []

    def settings(self) -> dict[str, str]:
        parser = RawConfigParser()
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(self.home / "config" / "scipion.conf")
        return dict(parser["PYWORKFLOW"])


CONFIG = """\
cat >$(dirname $0)/config/scipion.conf <<'END'
[PYWORKFLOW]
SCIPION_NOTIFY = True
SCIPION_LOG_FORMAT = %%(message)s
END
"""


def test_its_settings_are_written_once(module: ModuleType, tmp_path: Path) -> None:
    fake = Fake(module, tmp_path, scratch="/fast/scipion", conda=True)
    fake.scipion3(CONFIG)
    fake.it.configure()
    data = f"{tmp_path}/me/ScipionUserData"
    assert fake.settings() == {
        "SCIPION_NOTIFY": "False",
        "SCIPION_LOG_FORMAT": "%%(message)s",
        "SCIPION_USER_DATA": data,
        "SCIPION_LOGS": f"{data}/logs",
        "SCIPION_LOG": f"{data}/logs/scipion.log",
        "SCIPION_TESTS_OUTPUT": f"{data}/Tests",
        "SCIPION_TESTS": "/data/ScipionTests",
        "SCIPION_SCRATCH": "/fast/scipion",
        "CUDA": "False",
        "CONDA_ACTIVATION_CMD": f'eval "$({tmp_path}/tools/conda/bin/conda shell.bash hook)"',
    }
    config = fake.home / "config" / "scipion.conf"
    config.write_text(config.read_text().replace("NOTIFY = False", "NOTIFY = mine"))
    fake.it.configure()
    assert fake.settings()["SCIPION_NOTIFY"] == "mine"
    assert fake.words == ["config --unattended"]


def test_a_gpu_is_used_where_its_driver_and_compiler_are(
    module: ModuleType, tmp_path: Path
) -> None:
    fake = Fake(module, tmp_path)
    assert fake.it.cuda() == {"CUDA": "False"}
    fake.program("nvcc", "exit 0")
    assert fake.it.cuda() == {"CUDA": "False"}
    fake.program("nvidia-smi", "exit 9")
    assert fake.it.cuda() == {"CUDA": "False"}
    fake.program("nvidia-smi", "exit 0")
    at = {"CUDA": "True", "CUDA_BIN": f"{tmp_path}/bin", "CUDA_LIB": "/usr/lib/x86_64-linux-gnu"}
    assert fake.it.cuda() == at
    (tmp_path / "lib64").mkdir()
    assert fake.it.cuda() == {**at, "CUDA_LIB": f"{tmp_path}/lib64"}


LISTED = "relion                   4.0     [{}]     5.0     [ ]     "


def test_a_program_that_is_there_is_not_installed_again(module: ModuleType, tmp_path: Path) -> None:
    fake = Fake(module, tmp_path)
    fake.scipion3(f'echo "{LISTED.format("X")}"')
    fake.it.binary("relion-4.0")
    assert fake.words == ["installb --help"]


def test_a_program_is_installed(module: ModuleType, tmp_path: Path) -> None:
    fake = Fake(module, tmp_path)
    fake.scipion3(
        f'case "$2" in --help) [ -e {tmp_path}/done ] && X=X || X=" ";'
        f' echo "{LISTED.format("$X")}";; *) touch {tmp_path}/done;; esac'
    )
    fake.it.binary("relion-4.0")
    assert fake.words == [
        "installb --help",
        f"installb relion-4.0 -j {os.cpu_count()}",
        "installb --help",
    ]


@pytest.mark.parametrize("name", ["relion-3.1", "relion-5.0", "relio-4.0", "relion-4"])
def test_a_program_that_did_not_come_is_a_failure(
    module: ModuleType, tmp_path: Path, name: str
) -> None:
    """It says "ERROR: Could not find target", and ends with 0."""
    fake = Fake(module, tmp_path)
    fake.scipion3(f'echo "{LISTED.format("X")}"')
    with pytest.raises(SystemExit, match=f"{name} is not installed"):
        fake.it.binary(name)


@pytest.mark.parametrize(
    ("version", "asked"),
    [((3, 8), False), ((3, 11), False), ((3, 12), True), ((3, 7), True), ((3, 14), True)],
)
def test_a_python_that_scipion_can_use(
    module: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
    asked: bool,
) -> None:
    fake = Fake(module, tmp_path)
    uv = tmp_path / "tools" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(
        f'#!/bin/sh\necho "$UV_PYTHON_INSTALL_DIR $@" >>{tmp_path}/uv\n'
        '[ "$2" = install ] || echo /fetched/python3.11\n'
    )
    uv.chmod(0o755)
    monkeypatch.setattr(module.sys, "version_info", (*version, 0))
    assert fake.it.python() == ("/fetched/python3.11" if asked else "/usr/bin/python3")
    at = f"{tmp_path}/tools/python python"
    find = f"{at} find --no-project --managed-python 3.11"
    said = (tmp_path / "uv").read_text().splitlines() if asked else []
    assert said == ([f"{at} install --no-bin 3.11", find] if asked else [])


def test_the_version_that_is_there_stays(module: ModuleType, tmp_path: Path) -> None:
    fake = Fake(module, tmp_path)
    fake.scipion3("exit 1")
    place = fake.home / "env" / "lib" / "python3.11" / "site-packages"
    (place / "scipion_app-3.8.3.dist-info").mkdir(parents=True)
    (place / "scipion_app_more-1.0.dist-info").mkdir()
    assert fake.it.version() == "3.8.3"
    fake.it.core()
    assert fake.words == []
    assert not (fake.home / "constraint.txt").exists()


@pytest.mark.parametrize(
    ("conda", "words", "activation"),
    [
        (False, "-noAsk -venv -n env -python /usr/bin/python3.10", ""),
        (True, "-noAsk -conda -n scipion", 'eval "$(TOOLS/conda/bin/conda shell.bash hook)"'),
    ],
)
def test_upstreams_installer_makes_the_environment(
    module: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    conda: bool,
    words: str,
    activation: str,
) -> None:
    fake = Fake(module, tmp_path, conda=conda)
    tools = tmp_path / "tools"
    env = tools / "conda" / "envs" / "scipion" if conda else fake.home / "env"
    monkeypatch.setattr(module.Scipion, "python", lambda self: "/usr/bin/python3.10")
    monkeypatch.delenv("CONDA_ACTIVATION_CMD", raising=False)
    python = tools / "bin" / "python3"
    python.parent.mkdir(parents=True)
    place = f"{env}/lib/python3.10/site-packages/scipion_app-3.8.3.dist-info"
    python.write_text(
        f'#!/bin/sh\necho "$@" >{tmp_path}/words\necho "$CONDA_ACTIVATION_CMD" >>{tmp_path}/words\n'
        f'cat "$PIP_CONSTRAINT" >>{tmp_path}/words\nmkdir -p {place}\n'
    )
    python.chmod(0o755)
    fake.it.core()
    assert fake.words == [
        f"-m scipioninstaller {words} {fake.home}",
        activation.replace("TOOLS", str(tools)),
        "scipion-app==3.8.3",
    ]


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("[ RUN   OK ] a\n[ RUN   OK ] b", None),
        ("[ RUN   OK ] a\n[   FAILED ] b", "1 passed, 1 failed"),
        ("no display", "0 passed, 0 failed"),
    ],
)
def test_what_its_own_tests_say(
    module: ModuleType,
    tmp_path: Path,
    said: str,
    end: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = Fake(module, tmp_path)
    fake.scipion3(f'echo "$SCIPION_USER_DATA" >{tmp_path}/place; printf "{said}"')
    if end is None:
        fake.it.check()
        assert capsys.readouterr().out == "Scipion's tests: 2 passed\n"
    else:
        with pytest.raises(SystemExit, match=end):
            fake.it.check()
    place = (tmp_path / "place").read_text().strip()
    assert place.startswith("/tmp/")
    assert not Path(place).exists()
    assert fake.words == ["test --grep pyworkflowtests --run"]


def test_data_sets_come_or_are_missed(module: ModuleType, tmp_path: Path) -> None:
    fake = Fake(module, tmp_path, tests=str(tmp_path / "tests"))
    fake.scipion3(f"mkdir -p {tmp_path}/tests/one")
    fake.it.datasets(["one"])
    assert fake.words == ["testdata --download one"]
    with pytest.raises(SystemExit, match="two did not come"):
        fake.it.datasets(["one", "two"])
