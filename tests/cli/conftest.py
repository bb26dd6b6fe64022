"""What the tests of the command line share: roost called in this process, and as a program."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import roost as roost_package
from roost.model.resources import State
from roost.providers.fake.cloud import Weather
from tests.cli.calling import REPO, Ran, Roost, all_ready, caller
from tests.cli.full import Full, done
from tests.cli.made import HERE, THERE


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No network, no credentials, no settings, nothing of the user's; the new <home> of roost."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked for")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(f"socket.socket.{name}", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    for name in list(os.environ):
        if name.startswith(("AWS", "ROOST", "OS_", "XDG", "BOTO")) or name == "NO_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "no-such-home"))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "roost-home"))
    monkeypatch.chdir(REPO)
    return tmp_path / "roost-home"


@pytest.fixture
def roost(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Roost:
    """``roost("plan", "x.toml")``: main() in this process, with what it wrote."""

    all_ready(monkeypatch)
    return caller(monkeypatch, capsys)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a process: where this roost is, and a home of its own for it; nothing else."""
    return {
        "PATH": os.environ["PATH"],
        "ROOST_HOME": str(tmp_path / "roost-home"),
        "PYTHONPATH": str(Path(roost_package.__file__).parents[1]),
    }


@pytest.fixture
def python(environment: dict[str, str]) -> Roost:
    """``python("-c", "...")``: another interpreter, by itself."""

    def call(*words: object, env: dict[str, str] | None = None) -> Ran:
        whole = {**environment, **(env or {})}
        if env and "PYTHONPATH" in env:
            whole["PYTHONPATH"] = f"{env['PYTHONPATH']}{os.pathsep}{environment['PYTHONPATH']}"
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env=whole,
            cwd=REPO,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def program(python: Roost) -> Roost:
    """``program("plan", "x.toml", env={...})``: roost as a process by itself."""

    def call(*words: object, env: dict[str, str] | None = None) -> Ran:
        return python("-m", "roost", *words, env=env)

    return call


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(text)``: a spec file; its path."""

    def file(text: str, name: str = "spec.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return file


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Full:
    """A cloud in memory, which the commands take for AWS; its account allows everything."""
    cloud = Full(Weather(delay=2), name="aws", region="us-east-1")
    for way in ("connect", "locate"):
        monkeypatch.setattr(f"roost.app.resolve.{way}", lambda *_: cloud)
    monkeypatch.setattr("roost.app.cost.so_far", lambda *_: "$12.34")
    monkeypatch.setattr("roost.app.cost.so_far", lambda *_: "$12.34")
    return cloud


@pytest.fixture
def desktop(cloud: Full, roost: Roost, write: Callable[..., Path]) -> Callable[[], State]:
    """A desktop with a volume, up; what there is of it."""
    done(roost("up", write(THERE), "--yes"))
    return lambda: cloud.observe("there")


@pytest.fixture
def cluster(cloud: Full, roost: Roost, write: Callable[..., Path]) -> Callable[[], State]:
    """Head and two workers, up."""
    file = write('cloud = "aws"' + HERE + '[aws]\nregion = "us-east-1"\n')
    done(roost("up", file, "--yes"))
    return lambda: cloud.observe("here")


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``types("data\\n")``: somebody is there, and types this."""

    def arrange(text: str) -> None:
        monkeypatch.setattr("roost.cli.terminal.interactive", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return arrange
