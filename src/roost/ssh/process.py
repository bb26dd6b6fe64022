"""Run a program that has the terminal to itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from roost.errors import RoostError, command_line
from roost.log import debug
from roost.ssh.keys import no_openssh


def run_through(
    line: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> int:
    """Run ``line`` and wait; return its exit code, or 128 + the signal that ended it.

    Ctrl-C goes to the program, and roost waits for what it makes of it.
    Raises RoostError where the program is not found.
    """
    debug("run", command_line(*line))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            line,
            env=env,
            cwd=cwd,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
        )
        code = process.wait()
    except FileNotFoundError as error:
        if line[0] in ("ssh", "scp"):
            raise no_openssh(line[0]) from None
        raise RoostError(f"cannot run {line[0]}: {os.strerror(error.errno or 0)}") from None
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def scp_speaks_sftp() -> bool:
    """Tell whether this computer's scp knows ``-s``. Raises RoostError without OpenSSH."""
    from roost.ssh.command import speaks_sftp

    try:
        said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise no_openssh("ssh") from None
    return speaks_sftp(re.sub(r"\s", "", said.stderr + said.stdout))
