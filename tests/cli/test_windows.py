"""On Windows itself there is one sentence, whichever way roost is called."""

from pathlib import Path

import pytest

from tests.cli.calling import Roost

FAKED = """
import sys
class NoUnix:
    def find_spec(self, name, *_):
        if name in ("fcntl", "pwd", "termios", "roost.cli.main"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.platform = "win32"
sys.meta_path.insert(0, NoUnix())
"""


@pytest.mark.parametrize(
    "call",
    [
        "from roost.__main__ import run; run()",
        "import runpy; runpy.run_module('roost', run_name='__main__')",
    ],
)
def test_one_sentence_and_no_traceback(call: str, python: Roost) -> None:
    told = python("-c", f"{FAKED}\n{call}")
    assert (told.code, told.out) == (1, "")
    (line,) = told.err.splitlines()
    assert line.startswith("roost: Windows itself cannot run roost: install WSL2")
    assert "docs/windows.md" in line
    assert (Path(__file__).parents[2] / "docs" / "windows.md").is_file()
