"""The console script, and ``python -m roost``: what Python itself would answer with a traceback.

Ctrl-C while Python still loads is one word, and native Windows one sentence.
"""

import os
import sys
from typing import NoReturn

WINDOWS = (
    "roost: Windows itself cannot run roost: install WSL2 (in PowerShell: wsl --install), and type"
    " this in its Linux; docs/windows.md has the steps\n"
)


def run() -> NoReturn:
    """Run the command line, whose own imports take the first tenths of a second."""
    if sys.platform == "win32":  # its parts lock files and switch off terminals as Unix does
        _end(WINDOWS, 1)
    try:
        from roost.cli.main import run as begin

        begin()
    except KeyboardInterrupt:
        _end("roost: interrupted\n", 130)


def _end(words: str, code: int) -> NoReturn:
    sys.stderr.write(words)
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
