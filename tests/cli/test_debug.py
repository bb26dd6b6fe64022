"""``--debug`` and ``roost debug-bundle``."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.home import folder
from roost.model.resources import State
from tests.cli.calling import Roost
from tests.cli.full import Full, done
from tests.cli.test_json import check

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def parts(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        return {
            member.name: file.read().decode()
            for member in tar.getmembers()
            if (file := tar.extractfile(member)) is not None
        }


def test_a_bundle_has_what_is_there_and_no_secret(
    cloud: Full,
    desktop: Callable[[], State],
    roost: Roost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desktop()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    place = folder("there")
    place.path.mkdir(parents=True, exist_ok=True)
    place.token.write_text("0123456789abcdef")
    monkeypatch.setattr(
        Full, "logs", lambda *_: f"begin\npassword: hunter2\n{SECRET} 0123456789abcdef\nend"
    )
    file = tmp_path / "bug.tar.gz"
    told = roost("debug-bundle", "there", "-o", file)
    assert (told.code, told.out) == (0, f"{file}\n")
    assert file.stat().st_mode & 0o777 == 0o600
    found = parts(file)
    assert set(found) == {
        f"roost-there/{part}"
        for part in ("computer.json", "state.json", "plan.txt", "logs/desktop.txt")
    }
    whole = "\n".join(found.values())
    assert not [word for word in (SECRET, "hunter2", "0123456789abcdef") if word in whole]
    assert found["roost-there/logs/desktop.txt"].endswith("\nend")
    assert '"AWS_SECRET_ACCESS_KEY"' in found["roost-there/computer.json"]
    assert found["roost-there/plan.txt"] == "nothing is left to do"
    other = roost("debug-bundle", "there", "-o", tmp_path / "other.tar.gz", "--json")
    assert check("debug-bundle", other)["name"] == "there"
    again = roost("debug-bundle", "there", "-o", file)
    assert (again.code, "is there already" in again.err) == (1, True)


def test_debug_tells_each_step_and_why(
    cloud: Full,
    roost: Roost,
    write: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.cli.made import THERE

    del cloud
    monkeypatch.setenv("ROOST_DEBUG", "0")  # so that what --debug sets is taken back afterwards
    told = done(roost("--debug", "up", write(THERE), "--yes"))
    lines = [line for line in told.splitlines() if line.startswith("debug ")]
    assert any(
        " plan " in line and "create 1 instance: desktop: not there yet" in line for line in lines
    )
