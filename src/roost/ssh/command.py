"""The commands that reach a machine: system OpenSSH, its words put together here. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roost.home import check_name

FAILED = 255
"""What ssh ends with where it could not connect (or where the command itself did)."""
SFTP_SINCE = (8, 7)
"""From this OpenSSH on, scp speaks SFTP (``-s``), where no remote shell reads the paths."""


def shell(config: Path, alias: str, line: Sequence[str] = (), *, tty: bool = False) -> list[str]:
    """Return a login, or a command.

    Words arrive unchanged (``echo 'a b'`` stays two words); one alone is a line for its shell.
    """
    options = ["-t"] if tty and line else []
    command = line if len(line) < 2 else [shlex.join(line)]
    return ["ssh", "-F", str(config), *options, "--", alias, *command]


def batch(config: Path, alias: str, line: Sequence[str]) -> list[str]:
    """Return a command that nobody watches: it asks for nothing, and gives up soon."""
    return silently(["ssh", "-F", str(config), "--", alias, shlex.join(line)])


def forward(config: Path, alias: str, address: str, port: int) -> list[str]:
    """Return the way to a port of another machine, as ``alias`` reaches it; it asks nothing."""
    return silently(["ssh", "-F", str(config), "-W", f"[{address}]:{port}", "--", alias])


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a copy. ``name`` is None for a path on this computer."""

    path: str
    name: str | None = None
    node: str | None = None


REMOTE = re.compile(
    r"(?P<name>[a-z][a-z0-9-]*)(/(?P<node>[a-z][a-z0-9-]*))?:(?P<path>.*)", re.DOTALL
)


def side(text: str) -> Side:
    """Return a side: ``ndvi:results`` and ``ndvi/worker-1:/tmp/x`` are there, all else is here.

    Raises UsageError where what looks like a name is too long to be one, or ends with a hyphen.
    """
    match = REMOTE.fullmatch(text)
    if match is None:
        return Side(text)
    return Side(match["path"], check_name(match["name"]), match["node"])


def copy(
    config: Path,
    alias: str,
    sources: Sequence[Side],
    target: Side,
    *,
    sftp: bool = True,
) -> list[str]:
    """Return the copy of paths, times kept. Without ``sftp`` a remote shell reads them, quoted."""

    def word(one: Side) -> str:
        if one.name is None:
            return one.path if one.path.startswith("/") else f"./{one.path}"
        path = one.path or "."
        return f"{alias}:{path if sftp else shlex.quote(path)}"

    options = ["-s"] if sftp else []
    words = [word(one) for one in (*sources, target)]
    return ["scp", *options, "-F", str(config), "-r", "-p", "--", *words]


def speaks_sftp(version: str) -> bool:
    """Tell whether the scp that comes with ``OpenSSH_9.2p1 ...`` (``ssh -V``) knows ``-s``."""
    match = re.search(r"OpenSSH\D*(\d+)\.(\d+)", version)
    return match is None or (int(match[1]), int(match[2])) >= SFTP_SINCE


# --- tunnels -------------------------------------------------------------------------------------


def tunnel(
    config: Path,
    alias: str,
    control: Path,
    local: int,
    remote: int,
    *,
    persist: str | None,
    host: str = "localhost",
) -> list[str]:
    """Return a tunnel from a port here to a port of the machine's own loopback.

    ``host`` is another address of that machine, for what listens on no loopback.

    With ``persist`` ("30m") it goes into the background once it is open, and ends when nobody has
    used it for so long: an open connection alone must not keep a machine from stopping when idle.
    Without, it stays in the foreground.
    """
    # Its own socket, and never one of another connection: it is asked and ended by it.
    master = ["-M", "-S", _socket(control)]
    keep = ["-f", "-o", f"ControlPersist={persist}"] if persist else ["-o", "ControlPersist=no"]
    forward = f"127.0.0.1:{local}:{host}:{remote}"
    strict = ["-o", "ExitOnForwardFailure=yes"]
    return ["ssh", "-F", str(config), *master, *keep, *strict, "-N", "-L", forward, "--", alias]


def silently(line: Sequence[str]) -> list[str]:
    """Return a line of ssh that asks for nothing and gives up soon."""
    return with_options(line, "BatchMode=yes", "ConnectTimeout=10")


def with_options(line: Sequence[str], *options: str) -> list[str]:
    """Return a line of ssh with these options; they win over the configuration's."""
    return [line[0], *(word for one in options for word in ("-o", one)), *line[1:]]


def control(socket: Path, what: str) -> list[str]:
    """Ask a running connection: ``what`` is "check", "stop" or "exit"."""
    return ["ssh", "-F", "/dev/null", "-S", _socket(socket), "-O", what, "--", "roost"]


def _socket(path: Path) -> str:
    """Escape the path: ssh looks for tokens (%) in this word."""
    return str(path).replace("%", "%%")


# --- logs ----------------------------------------------------------------------------------------

LOGS = ("/var/log/cloud-init-output.log", "/var/log/roost.log")
"""What a machine writes while it sets itself up, and later."""


def follow(lines: int, files: Sequence[str] = LOGS) -> list[str]:
    """Return the command on the machine that prints the logs' ends and follows them."""
    return ["sudo", "-n", "tail", "-n", str(lines), "-q", "-F", *files]
