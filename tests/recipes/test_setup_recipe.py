"""The user's own steps and variables: what they become, what runs them again, what is refused."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from roost.errors import SpecError
from roost.recipes.base import Context
from roost.recipes.digest import recipe_digest
from roost.recipes.programs import program
from roost.recipes.registry import steps_of, uploads_of
from roost.recipes.step import Step
from roost.spec import Spec, from_json, load, setup

HEAD = 'name = "stars"\nkind = "{kind}"\ncloud = "aws"\n{more}[aws]\nregion = "eu-central-1"\n'
KINDS = {
    "desktop": "[machine]\ncpus = 2\n",
    "classroom": "[machine]\ncpus = 2\n",
    "cluster": "",
}
MINE = """\
[env]
OMP_NUM_THREADS = "4"
GREETING = "hello, you & me"
[[setup]]
run = '''
# comments are no title
bash install.sh "$1"
'''
files = ["install.sh", "settings"]
timeout = "2h"
[[setup]]
run = "git clone https://example.org/tool ~/tool"
as = "user"
"""


def spec(folder: Path, kind: str, mine: str = MINE) -> Spec:
    more = "seats = 2\n" if kind == "classroom" else ""
    (folder / "roost.toml").write_text(HEAD.format(kind=kind, more=more) + KINDS[kind] + mine)
    return load(folder / "roost.toml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "install.sh").write_text("cp -r settings /opt\n")
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "a.conf").write_text("a = 1\n")
    return tmp_path


def steps(found: Spec, role: Any) -> dict[str, Step]:
    sums = dict.fromkeys(uploads_of(found), "5" * 64)
    return {one.name: one for one in steps_of(found, role, Context(uploads=sums))}


@pytest.mark.parametrize(
    ("kind", "roles"), [("desktop", ["desktop"]), ("classroom", ["seat"]), ("cluster", ["worker"])]
)
def test_own_steps_come_after_the_programs_and_variables_before(
    kind: str, roles: list[str], folder: Path
) -> None:
    found = spec(folder, kind)
    assert from_json(found.to_json()) == found
    for role in roles:
        made = steps(found, role)
        names = list(made)
        assert names[1] == "env"
        assert made["env"].files[0].content == ('OMP_NUM_THREADS="4"\nGREETING="hello, you & me"\n')
        first, second = made["setup-1"], made["setup-2"]
        assert first.title == 'your own set-up: bash install.sh "$1"'
        at = f"/opt/roost/setup/1-{found.setup[0].digest[:16]}"
        assert [(one.to, one.unpack, one.owner) for one in first.uploads] == [
            (f"{at}/install.sh", False, "root"),
            (at, True, "root"),
        ]
        *_, run = first.commands
        assert (run.argv[-2:], run.cwd, run.seconds) == (("setup", at), at, 7200)
        assert dict(run.env)["OMP_NUM_THREADS"] == "4"
        assert (first.own, second.own) == (False, True)
        assert second.commands[-1].user == "user"
        # What serves people begins before, or with, what one does by oneself.
        before = {"desktop-page", "user"} & set(names)
        assert all(names.index(one) < names.index("setup-1") for one in before if kind != "cluster")
    if kind == "cluster":
        (constants,) = (f for f in made["node"].files if f.path == "/etc/roost/node.env")
        assert "OMP_NUM_THREADS=4\n" in constants.content  # roost's own 1 is for who says nothing
        assert "GREETING='hello, you & me'\n" in constants.content


def test_what_changes_runs_again_and_is_another_image(folder: Path) -> None:
    def digests() -> tuple[str, str, str]:
        found = spec(folder, "desktop")
        made = steps(found, "desktop")
        return (
            recipe_digest(found, "desktop"),
            made["setup-1"].to_json()["digest"],
            made["desktop-page"].to_json()["digest"],
        )

    before = digests()
    assert digests() == before
    (folder / "settings" / "a.conf").write_text("a = 2\n")
    after = digests()
    assert (after[0] != before[0], after[1] != before[1]) == (True, True)
    assert after[2] == before[2]
    assert recipe_digest(spec(folder, "desktop", ""), "desktop") not in (before[0], after[0])


def test_only_the_named_machines_of_a_cluster_do_it(folder: Path) -> None:
    found = spec(folder, "cluster", '[[setup]]\nrun = "make"\non = ["workers"]\n')
    assert "setup-1" in steps(found, "worker")
    assert "setup-1" not in steps(found, "head")


def test_a_heap_of_data_is_no_set_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "MOST_FILES", 1)
    with pytest.raises(SpecError, match=r"roost\.toml") as caught:
        spec(folder, "desktop")
    assert "more than 1 files" in str(caught.value.lines())
    text = 'name = "a"\nkind = "cluster"\n[[setup]]\nrun = "make"\n'
    (folder / "roost.toml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load(folder / "roost.toml")
    assert "installs nothing on your own machine" in str(caught.value.lines())


def test_variables_are_merged_into_the_systems_and_once_only(tmp_path: Path) -> None:
    (tmp_path / "roost").mkdir()
    (tmp_path / "environment").write_text('PATH="/usr/bin"\nLANG=C\n')
    script = tmp_path / "env"
    script.write_text(program("env").replace("/etc/", f"{tmp_path}/"))
    for value in ("1", "2", "2"):
        (tmp_path / "roost" / "env").write_text(f'A="{value}"\n')
        subprocess.run(["sh", script], check=True)
    text = (tmp_path / "environment").read_text()
    assert text == 'PATH="/usr/bin"\nLANG=C\n# roost: begin\nA="2"\n# roost: end\n'
    assert os.stat(tmp_path / "environment").st_mode & 0o777 == 0o644
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir())) == (
        '["env", "environment", "roost"]'
    )
