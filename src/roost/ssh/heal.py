"""Heal a tunnel: where ssh has ended, who asks next at its port has it opened anew.

A machine that restarts, a network that was away, half an hour without a browser: a page that is
still open in a tab goes on asking, and finds its tunnel again. Nothing runs on the way to the
machine until then, so that a tunnel alone keeps no machine from being idle.

This file is a program of its own, of the standard library alone: it reads a ``Kept`` as JSON from
its input. It ends when the tunnel's file is another one, or gone.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

LOOK = 1.0
"""Seconds between two looks at whether the tunnel is still wanted."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds after each failure in a row."""
LONGEST = 24 * 3600.0
"""Seconds without a tunnel after which nobody is expected any more."""
RUNS = re.compile(r"\(pid=(\d{1,9})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A tunnel: its file and what is in it, its local port and its control socket; the commands
    that ask for its process and that open it.
    """

    file: str
    content: str
    port: int
    control: str
    check: list[str]
    open: list[str]

    def is_wanted(self) -> bool:
        """Tell whether this very tunnel was neither closed nor opened anew by somebody else."""
        with suppress(OSError, ValueError):
            return Path(self.file).read_text() == self.content
        return False


def start(kept: Kept) -> None:
    """Begin to keep a tunnel, by a process that outlives this one."""
    line = [sys.executable, "-I", "-S", __file__]
    words = json.dumps(asdict(kept)).encode()
    nothing = subprocess.DEVNULL
    subprocess.run(
        line, input=words, stdout=nothing, stderr=nothing, start_new_session=True, check=False
    )


def keep(kept: Kept, pauses: tuple[float, ...] = PAUSES, longest: float = LONGEST) -> None:
    """Open the tunnel anew, each time that somebody asks for it, until it is wanted no more."""
    failed, since = 0, time.monotonic()
    while kept.is_wanted() and time.monotonic() - since < longest:
        pid = _process(kept)
        if pid is not None:
            failed = 0
            while kept.is_wanted() and _lives(pid):
                time.sleep(LOOK)
            since = time.monotonic()
        elif _asked(kept.port) and kept.is_wanted():
            # One that was killed has left it behind, and ssh would go without.
            Path(kept.control).unlink(missing_ok=True)
            if _run(kept.open)[0] != 0:
                time.sleep(pauses[min(failed, len(pauses) - 1)])
                failed += 1


def _run(line: list[str]) -> tuple[int, str]:
    """Run it with its messages in a file: a pipe would stay open with the background."""
    with tempfile.TemporaryFile("w+") as said:
        code = subprocess.call(line, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        said.seek(0)
        return code, said.read(10_000)


def _process(kept: Kept) -> int | None:
    """Return the number of ssh's process, if it answers."""
    code, said = _run(kept.check)
    found = RUNS.search(said) if code == 0 else None
    return None if found is None else int(found[1])


def _lives(pid: int) -> bool:
    with suppress(OSError):  # gone, or somebody else's by now
        os.kill(pid, 0)
        return True
    return False


def _asked(port: int) -> bool:
    """Tell whether somebody comes to the port within a moment; they are hung up on."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.settimeout(LOOK)
        try:
            door.bind(("127.0.0.1", port))
            door.listen()
        except OSError:
            time.sleep(LOOK)  # another program has it now; perhaps for a moment
            return False
        try:
            door.accept()[0].close()
        except OSError:
            return False
        return True


def main() -> None:
    """Keep the tunnel that the input tells, in the background."""
    kept = Kept(**json.load(sys.stdin))
    if os.fork() == 0:
        keep(kept)


if __name__ == "__main__":
    main()
