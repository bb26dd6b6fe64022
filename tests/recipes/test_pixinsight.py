"""PixInsight on a desktop: its steps whole, what changes them, and its programs by themselves."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from roost import machine as machine_package
from roost.errors import SpecError
from roost.recipes.apps import pixinsight
from roost.recipes.base import Context, UploadSource
from roost.spec import Desktop, from_json, load
from tests.recipes.pixinsight_stand_in import build

GOLDEN = Path(__file__).parent / "golden" / "pixinsight.json"
PROGRAMS = Path(machine_package.__file__).parent / "programs"
PLACES = {
    "/usr/local/bin/PixInsight": "pixinsight",
    "/usr/lib/roost/icon-trust": "icon-trust",
    "/usr/lib/roost/pixinsight/install": "pixinsight-install",
    "/usr/lib/roost/pixinsight/license": "pixinsight-license",
    "/usr/lib/roost/pixinsight/preferences": "pixinsight-preferences",
}
"""What is a program of ours, and which."""
SUM = "ab" * 32
HEAD = """\
name = "stars"
kind = "desktop"
[aws]
region = "eu-central-1"
[machine]
cpus = 4
"""
PIXINSIGHT = """\
[pixinsight]
installer = "PI-linux-x64-1.9.3-20250402-c.tar.xz"
"""
LICENSED = f'{PIXINSIGHT}license = "mine"\n'
VOLUMES = """\
[[volumes]]
name = "data"
size = "100GB"
[[volumes]]
name = "fast"
size = "100GB"
park = "discard"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(tmp_path)
    (tmp_path / "mine").write_text("a licence of nobody\n")
    return tmp_path


def spec_of(folder: Path, text: str, head: str = HEAD) -> Desktop:
    file = folder / "roost.toml"
    file.write_text(head + text)
    spec = load(file)
    assert isinstance(spec, Desktop)
    return spec


def steps_of(folder: Path, text: str, sha256: str = SUM) -> dict[str, dict[str, Any]]:
    context = Context(uploads={"pixinsight": sha256})
    found = [step.to_json() for step in pixinsight.steps(spec_of(folder, text), context)]
    return json.loads(json.dumps({step["name"]: step for step in found}))


def changed(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name]["digest"] != after[name]["digest"]}


# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.golden
def test_all_steps(folder: Path) -> None:
    """`make docs` writes them; programs and digests are left out."""
    found = steps_of(folder, VOLUMES + LICENSED)
    for step in found.values():
        del step["digest"]
        for file in step["files"]:
            if file["path"] in PLACES:
                assert file["content"] == PROGRAMS.joinpath(PLACES[file["path"]]).read_text()
                file["content"] = "..."
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_without_pixinsight_there_is_nothing(folder: Path) -> None:
    cluster = folder / "cluster.toml"
    cluster.write_text('name = "stars"\nkind = "cluster"\n')
    for spec in (spec_of(folder, VOLUMES), load(cluster)):
        assert pixinsight.steps(spec, Context()) == ()
        assert pixinsight.uploads(spec) == {}
        assert pixinsight.secrets(spec) == {}


def test_the_archive_is_an_upload_and_the_licence_a_secret(folder: Path) -> None:
    spec = spec_of(folder, LICENSED)
    assert pixinsight.uploads(spec) == {
        "pixinsight": UploadSource(path=folder / "PI-linux-x64-1.9.3-20250402-c.tar.xz")
    }
    assert pixinsight.secrets(spec) == {"pixinsight-license": folder / "mine"}
    steps = json.dumps(steps_of(folder, LICENSED))
    assert "a licence of nobody" not in steps
    assert str(folder) not in steps


def test_without_a_licence_the_folders_wait_for_the_first_start(folder: Path) -> None:
    found = steps_of(folder, PIXINSIGHT)
    with_one = steps_of(folder, LICENSED)
    assert pixinsight.secrets(spec_of(folder, PIXINSIGHT)) == {}
    first = found["pixinsight-preferences"]["commands"]
    assert [command["argv"] for command in first] == [
        ["/usr/lib/roost/icon-trust", "PixInsight.desktop"]
    ]
    assert found["pixinsight-preferences"]["files"] == with_one["pixinsight-preferences"]["files"]
    assert [c["argv"][0] for c in found["pixinsight-own"]["commands"]] == ["install"]
    assert changed(found, with_one) == {"pixinsight-own", "pixinsight-preferences"}


def test_only_what_is_one_machines_own_is_done_again_from_an_image(folder: Path) -> None:
    own = {name for name, step in steps_of(folder, LICENSED).items() if step["own"]}
    assert own == {"pixinsight-own", "pixinsight-preferences"}


@pytest.mark.parametrize(
    ("text", "again"),
    [
        (VOLUMES.replace("100GB", "200GB") + LICENSED, set()),
        (VOLUMES + LICENSED + '[tags]\nwho = "me"\n', set()),
        (VOLUMES + LICENSED + 'swap = ["/fast/a"]\n', {"pixinsight-own", "pixinsight-preferences"}),
        (
            VOLUMES + LICENSED + 'downloads = "/data/d"\n',
            {"pixinsight-own", "pixinsight-preferences"},
        ),
        (VOLUMES.replace("fast", "other") + LICENSED, {"pixinsight-own", "pixinsight-preferences"}),
    ],
)
def test_what_is_done_again(folder: Path, text: str, again: set[str]) -> None:
    before = steps_of(folder, VOLUMES + LICENSED)
    assert changed(before, steps_of(folder, VOLUMES + LICENSED)) == set()
    assert changed(before, steps_of(folder, text)) == again


def test_another_archive_installs_again_and_keeps_the_rest(folder: Path) -> None:
    before = steps_of(folder, LICENSED)
    assert changed(before, steps_of(folder, LICENSED, "cd" * 32)) == {"pixinsight"}


@pytest.mark.parametrize(
    ("text", "swap", "downloads"),
    [
        (
            "",
            [f"/var/tmp/pixinsight/swap{n}" for n in (1, 2, 3, 4)],
            "/var/tmp/pixinsight/downloads",
        ),
        (
            VOLUMES,
            [f"/fast/pixinsight/swap{n}" for n in (1, 2, 3, 4)],
            "/fast/pixinsight/downloads",
        ),
    ],
)
def test_folders_by_default(folder: Path, text: str, swap: list[str], downloads: str) -> None:
    spec = spec_of(folder, text + PIXINSIGHT)
    assert list(pixinsight.swap(spec)) == swap
    assert pixinsight.downloads(spec) == downloads
    argv = steps_of(folder, text + PIXINSIGHT)["pixinsight-own"]["commands"][0]["argv"]
    assert argv == ["install", "--directory", "--mode=1777", *swap, downloads]


def test_folders_of_the_file(folder: Path) -> None:
    text = VOLUMES + PIXINSIGHT + 'swap = ["/a/1", "/b/2"]\ndownloads = "/a/1"\n'
    found = steps_of(folder, text)["pixinsight-preferences"]["files"]
    written = {file["path"].rpartition("/")[2]: file["content"] for file in found}
    assert written["folders"] == "/a/1\n/b/2\n"
    assert json.loads(written["preferences.json"]) == {
        "swap": ["/a/1", "/b/2"],
        "downloads": "/a/1",
    }
    first = written["preferences.js"].partition("\n")[0]
    text = json.loads(first.removeprefix("var text = ").removesuffix(";"))
    assert text == written["preferences.json"]


# --- the file ------------------------------------------------------------------------------------


def test_paths_are_those_of_the_file_and_its_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    spec = spec_of(folder, PIXINSIGHT + 'license = "~/mine"\n')
    assert spec.pixinsight is not None
    assert spec.pixinsight.license == folder / "mine"


def test_a_record_is_read_where_the_files_are_not(folder: Path) -> None:
    spec = spec_of(folder, VOLUMES + LICENSED + 'swap = ["/fast/a"]\n')
    kept = spec.to_json()
    (folder / "mine").unlink()
    (folder / "PI-linux-x64-1.9.3-20250402-c.tar.xz").unlink()
    assert from_json(kept) == spec
    context = Context(uploads={"pixinsight": SUM})
    assert pixinsight.steps(from_json(kept), context) == pixinsight.steps(spec, context)
    assert "a licence of nobody" not in kept


@pytest.mark.parametrize("machine", ['arch = "arm64"', 'type = "m7g.large"'])
def test_only_for_x86_64(folder: Path, machine: str) -> None:
    head = HEAD.replace("cpus = 4", machine)
    with pytest.raises(SpecError) as caught:
        spec_of(folder, PIXINSIGHT, head)
    (problem,) = caught.value.problems
    assert (problem.where, problem.message) == (
        "pixinsight",
        "PixInsight is made for x86_64 only",
    )
    assert spec_of(folder, PIXINSIGHT, HEAD.replace("cpus = 4", 'type = "m7i.large"')).pixinsight


# --- the programs --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLACES.values())
def test_the_shell_reads_it(name: str) -> None:
    subprocess.run(["sh", "-n", str(PROGRAMS / name)], check=True)


class Installed:
    """The programs in a temporary folder, and a PixInsight that notes its words."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.home.mkdir()
        self.swap = root / "scratch" / "swap1"
        (root / "scratch").mkdir()
        (root / "folders").write_text(f"{self.swap}\n")
        (root / "preferences.json").write_text('{"swap": []}')
        self.answer = self.home / ".config" / "roost" / "pixinsight.json"
        self.said = root / "said"
        self.writes = '{"swap": []}'

    def program(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """One of the programs, with the paths of this folder."""
        real = self.program(
            "PixInsight.sh",
            f'#!/bin/sh\nprintf "%s\\n" "$@" >{self.said}\n'
            f"[ -z '{self.writes}' ] || printf %s '{self.writes}' >{self.answer}\n",
        )
        places = {
            "/usr/lib/roost/pixinsight": str(self.root),
            "/opt/PixInsight/bin/PixInsight.sh": str(real),
            "/usr/local/bin/PixInsight": str(self.root / "launcher"),
        }
        for key, source in (("launcher", "pixinsight"), ("it", name)):
            self.program(key, _moved((PROGRAMS / source).read_text(), places))
        # No screen is needed by what only notes its words.
        self.program("xvfb-run", '#!/bin/sh\nshift 2\nexec "$@"\n')
        env = {**os.environ, "HOME": str(self.home), "PATH": f"{self.root}:{os.environ['PATH']}"}
        return subprocess.run(
            [str(self.root / "it"), *words], env=env, capture_output=True, text=True, check=False
        )

    @property
    def words(self) -> list[str]:
        return self.said.read_text().splitlines()


def _moved(text: str, places: dict[str, str]) -> str:
    for old, new in places.items():
        text = text.replace(old, new)
    return text


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_the_first_start_sets_the_folders_and_the_next_does_not(installed: Installed) -> None:
    assert installed.run("pixinsight", "a b.xisf").returncode == 0
    script = f"-r={installed.root}/preferences.js,{installed.answer}"
    assert installed.words == ["a b.xisf", script]
    assert installed.run("pixinsight", "a b.xisf").returncode == 0
    assert installed.words == ["a b.xisf"]


def test_folders_that_are_gone_come_back_and_others_stay(installed: Installed) -> None:
    installed.run("pixinsight")
    assert stat.S_IMODE(installed.swap.stat().st_mode) == 0o1777
    (installed.swap / "file").write_text("mine")
    installed.swap.chmod(0o700)
    installed.run("pixinsight")
    assert (installed.swap / "file").read_text() == "mine"
    assert stat.S_IMODE(installed.swap.stat().st_mode) == 0o700


def test_preferences_are_set_once(installed: Installed) -> None:
    assert installed.run("pixinsight-preferences").returncode == 0
    assert installed.words[:3] == ["-n", "--automation-mode", "--force-exit"]
    installed.said.unlink()
    assert installed.run("pixinsight-preferences").returncode == 0
    assert not installed.said.exists()


def test_preferences_that_were_not_taken_are_a_failure(installed: Installed) -> None:
    installed.writes = "failed: TypeError"
    done = installed.run("pixinsight-preferences")
    assert (done.returncode, done.stderr) == (1, "failed: TypeError")
    installed.writes = ""
    done = installed.run("pixinsight-preferences")
    assert done.returncode == 1
    assert done.stderr == "PixInsight ended with 0 and did not run its script\n"


def test_the_stand_in_has_the_layout_of_the_real_one(tmp_path: Path) -> None:
    first = build(tmp_path).read_bytes()
    assert build(tmp_path).read_bytes() == first
    with tarfile.open(tmp_path / "PI-linux-x64-1.9.3-20250402-c.tar.xz") as archive:
        names = {member.name for member in archive}
    assert {"./installer", "./PixInsight/bin/PixInsight.sh", "./PixInsight/bin/PixInsight"} <= names
