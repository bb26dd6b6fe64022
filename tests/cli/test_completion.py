"""``roost completion``: scripts that a shell can read, and what they complete."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.calling import REPO, Roost


@pytest.fixture
def path(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that finds `roost`, with two names on this machine."""
    shim = tmp_path / "bin" / "roost"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m roost "$@"\n')
    shim.chmod(0o755)
    for name in ("ndvi", "nova"):
        (tmp_path / "roost-home" / "local" / name).mkdir(parents=True)
    return {**environment, "PATH": f"{shim.parent}:{environment['PATH']}"}


def shell(name: str, *words: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [name, *words], env=env, cwd=REPO, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_script(
    name: str, program: Roost, path: dict[str, str], tmp_path: Path
) -> None:
    told = program("completion", name)
    assert (told.code, told.err) == (0, "")
    assert f"_ROOST_COMPLETE={name}_complete" in told.out
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here to read it")
    script = tmp_path / "script"
    script.write_text(told.out)
    assert shell(name, "-n", str(script), env=path) == ""


def test_another_shell_is_refused(program: Roost) -> None:
    assert program("completion", "csh").code == 2


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("roost pl", "plan"),
        ("roost s", "stages show ssh sync ssh-config scale stage swap stop start schema"),
        ("roost down ''", "ndvi nova"),
        ("roost show no", "nova"),
        ("roost plan --cloud a", "aws"),
        ("roost plan --qu", "--quotation"),
        ("roost completion f", "fish"),
        ("roost init d", "desktop"),
    ],
)
def test_bash_completes(
    typed: str, offered: str, program: Roost, path: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(program("completion", "bash").out)
    asked = (
        f"source {script}; COMP_WORDS=({typed}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); "
        '_roost_completion roost; echo "${COMPREPLY[@]}"'
    )
    assert shell("bash", "-c", asked, env=path).split() == offered.split()


@pytest.mark.parametrize("typed", ["roost plan ex", "roost up ", "roost plan --quotation ex"])
def test_files_are_left_to_the_shell(typed: str, path: dict[str, str]) -> None:
    at = str(typed.count(" "))
    asked = {**path, "_ROOST_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": at}
    assert shell("roost", env=asked) == f"file,{typed.rsplit(' ', maxsplit=1)[-1]}\n"


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_are_told_what_a_command_does(name: str, path: dict[str, str]) -> None:
    asked = {**path, "_ROOST_COMPLETE": f"{name}_complete"}
    if name == "zsh":
        asked |= {"COMP_WORDS": "roost pri", "COMP_CWORD": "1"}
    else:
        asked |= {"COMP_WORDS": "roost pri", "COMP_CWORD": "pri"}
    told = shell("roost", env=asked)
    assert "prices" in told
    assert "List the cheapest AWS machines that fit" in told


def test_completing_imports_nothing_slow(python: Roost) -> None:
    code = "import sys; from roost.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print(' '.join(sorted(set(sys.modules) & {'pydantic', 'rich', 'distributed'})))"
    env = {"_ROOST_COMPLETE": "bash_complete", "COMP_WORDS": "roost ", "COMP_CWORD": "1"}
    told = python("-c", code, env=env)
    *offered, slow = told.out.split("\n")[:-1]
    assert "plain,plan" in offered
    assert slow == ""
