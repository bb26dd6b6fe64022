"""What users misread before: a folder for a file, Ctrl-C at once, a GPU that nobody has."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from roost.transfer.s3.config import sign_in
from roost.transfer.s3.failures import StoreError
from tests.cli.calling import Ran, Roost


def test_a_folder_is_said_to_be_one(
    roost: Roost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").mkdir()
    told = roost("plan", "d.toml")
    assert (told.code, told.out) == (2, "")
    assert told.err == (
        "roost: d.toml is a folder, and there is no roost.toml in it\n"
        "  next: roost init cluster --file d.toml/roost.toml\n"
    )


def test_a_full_disk_is_named_with_what_can_go(
    roost: Roost, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a" / "spec.json"

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr("roost.cli.commands.ls.command.callback", full)
    for there in (False, True):
        if there:
            (alone / "environments").mkdir(parents=True)
        told = roost("ls")
        assert told.code == 1
        assert told.err.startswith(f"roost: {file} cannot be written: its disk is full")
        assert "GiB free of" in told.err
        assert ("/environments/*" in told.err) == there


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ('cloud = "local"\n', "follows the work, between 0 and 4; it begins with"),
        (
            'cloud = "aws"\n[aws]\nregion = "eu-central-1"\n[head]\ncpus = 2\n',
            "follows the work, between 0 and 4, while `roost follow a` runs",
        ),
    ],
)
def test_what_max_does_and_does_not(roost: Roost, tmp_path: Path, head: str, said: str) -> None:
    file = tmp_path / "roost.toml"
    aws = "cpus = 2\n" if "aws" in head else ""
    for most in ("max = 4\n", ""):
        file.write_text(f'name = "a"\nkind = "cluster"\n{head}[workers]\n{aws}{most}')
        told = roost("plan", file)
        assert told.code == 0, told.err
        assert (said in " ".join(told.out.split())) == bool(most)


def test_ctrl_c_while_roost_still_loads_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [sys.executable, "-m", "roost", "--version"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert Ran(done.returncode, done.stdout, done.stderr) == Ran(130, "", "roost: interrupted\n")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"roost": "roost.__main__:run"}


def test_who_has_no_credentials_for_s3_hears_what_to_type() -> None:
    class Error(Exception):
        name, message = "AWS_AUTH_SIGNING_NO_CREDENTIALS", "Attempt to sign without"

    said = StoreError.of(Error(), "ListObjectsV2", "").explained("s3://b/p/")
    assert (said.what, said.exit_code) == ("s3://b/p/: there are no credentials for S3 here", 5)
    assert "--no-sign-request" in (said.next or "")
    Error.name = "AWS_AUTH_CREDENTIALS_PROVIDER_DELEGATE_FAILURE"
    said = StoreError.of(Error(), "ListObjectsV2", "").explained("s3://b/p/")
    assert (said.exit_code, said.next) == (5, "aws sso login --profile NAME   (your profile)")
    assert sign_in("the lab") == "aws sso login --profile 'the lab'"
    assert sign_in(None) == "aws sso login"
