"""The console script, and ``python -m roost``: Ctrl-C while Python still loads is no traceback."""

import os
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line, whose own imports take the first tenths of a second."""
    try:
        from roost.cli.main import run as begin

        begin()
    except KeyboardInterrupt:
        sys.stderr.write("roost: interrupted\n")
        sys.stderr.flush()
        os._exit(130)


if __name__ == "__main__":
    run()
