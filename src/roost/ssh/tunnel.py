"""The tunnel through which a browser reaches a page: opened once, found again, ended."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from roost.errors import RoostError
from roost.home import write_private
from roost.ssh import command, heal
from roost.ssh.connection import Connection
from roost.ssh.keys import no_openssh
from roost.ssh.paths import places
from roost.ssh.paths import socket as socket_path

PERSIST = "30m"
"""A tunnel that no browser uses ends by itself after this."""
FIRST_PORT, PORTS = 20_000, 10_000
"""Local ports lie below those that systems give out by themselves."""
TRIES = 5
PATIENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """An open tunnel: to which instance, where that is, and both ports."""

    instance: str
    address: str
    remote: int
    local: int
    mark: str = ""  # no two tunnels have the same


def opened(
    connection: Connection,
    remote: int,
    *,
    persist: str = PERSIST,
    host: str = "localhost",
    use: str = "",
) -> int:
    """Return the local port of a tunnel in the background: the living one, or a new one.

    ``host`` is the address there that listens; ``use`` keeps it apart from the page's tunnel.
    Raises RoostError with what ssh said.
    """
    node = use or _key(connection)
    living = alive(connection.name, node)
    if living is not None and _same(living, connection, remote):
        return living.local
    close(connection.name, node)
    path, errors = _socket(connection.name, node), ""
    for local in _ports(connection, remote):
        line = command.tunnel(
            connection.config, connection.alias, path, local, remote, persist=persist, host=host
        )
        code, errors = _quietly(line)
        if code == 0:
            _keep(connection, node, remote, local, line)
            return local
        if "cannot listen" not in errors and "in use" not in errors:
            break
    raise RoostError(f"no tunnel to {connection.name}: {errors or 'ssh ended without a message'}")


@contextmanager
def in_foreground(
    connection: Connection, remote: int
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Yield the local port and the process of a tunnel that ends with this command."""
    local = next(_ports(connection, remote))
    line = command.tunnel(
        connection.config,
        connection.alias,
        socket_path("foreground", connection.name, _key(connection), local),
        local,
        remote,
        persist=None,
    )
    try:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise no_openssh("ssh") from None
    try:
        _until_open(process, local, connection.name)
        yield local, process
    finally:
        process.terminate()
        process.wait()


def alive(name: str, node: str = "") -> Tunnel | None:
    """Return the tunnel that is open to a name (or a node), if its process still answers."""
    try:
        found = Tunnel(**json.loads(places(name).tunnel(node).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    code, _ = _quietly(command.control(_socket(name, node), "check"))
    return found if code == 0 and _listens(found.local) else None


def close(name: str, node: str = "") -> bool:
    """End the tunnel to a name's main machine, or to a node; return whether there was one."""
    path = _socket(name, node)
    places(name).tunnel(node).unlink(missing_ok=True)  # first, or it would be healed
    code = _quietly(command.control(path, "exit"))[0] if path.exists() else command.FAILED
    path.unlink(missing_ok=True)  # of a process that was killed
    return code == 0


def close_all(name: str) -> bool:
    """End all tunnels to machines of a name; return whether there was one."""
    nodes = {"", *places(name).tunnels()}
    closed = [close(name, node) for node in sorted(nodes)]  # all of them, whatever the first says
    return any(closed)


def renew(controls: Iterable[Path]) -> None:
    """Take no new login over these open connections: it would have the environment from before.

    Whoever is logged in through them stays so.
    """
    for control in controls:
        if control.exists():
            _quietly(command.control(control, "stop"))


def forget(name: str) -> None:
    """Forget a deleted name: end its tunnels and delete its files, so that nothing is mistaken."""
    if places(name).path.is_dir():
        close_all(name)
        shutil.rmtree(places(name).path, ignore_errors=True)


def _same(tunnel: Tunnel, connection: Connection, remote: int) -> bool:
    """Tell whether it leads to this very machine, at the address that it has now."""
    node = connection.node
    return (tunnel.instance, tunnel.address, tunnel.remote) == (node.id, node.address, remote)


def _keep(connection: Connection, key: str, remote: int, local: int, line: Sequence[str]) -> None:
    """Write down the tunnel that ``line`` has opened, and see that it is opened anew."""
    node = connection.node
    made = Tunnel(
        instance=node.id,
        address=node.address or "",
        remote=remote,
        local=local,
        mark=uuid.uuid4().hex,
    )
    file, control = places(connection.name).tunnel(key), _socket(connection.name, key)
    content = json.dumps(asdict(made))
    write_private(file, content)
    heal.start(
        heal.Kept(
            file=str(file),
            content=content,
            port=local,
            control=str(control),
            check=command.control(control, "check"),
            open=command.silently(line),
        )
    )


def _key(connection: Connection) -> str:
    """Return the node that a tunnel is kept by; the main machine has the name's own."""
    return "" if connection.node == connection.main else connection.node.name


def _socket(name: str, node: str) -> Path:
    return socket_path("tunnel", name, *([node] if node else []))


def _ports(connection: Connection, remote: int) -> Iterator[int]:
    """Yield free ports, the first one always the same for a page: browsers remember by port."""
    digest = sha256(f"{connection.name} {_key(connection)}{remote}".encode()).digest()
    wish = FIRST_PORT + int.from_bytes(digest[:4], "big") % PORTS
    if not _listens(wish) or not _still_listens(wish):
        yield wish
    for _ in range(TRIES):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
        yield port


def answers(port: int, patience: float = 2.0) -> bool:
    """Tell whether something is at the other end: ssh hangs up at once where nothing listens there.

    A server that waits for us to speak first (HTTP, TLS) is silent for all of ``patience``.
    """
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), patience) as end:
        end.settimeout(patience)
        try:
            return end.recv(1) != b""
        except TimeoutError:
            return True
    return False


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
        return True
    return False


def _still_listens(port: int) -> bool:
    """Tell it a moment later: who kept a tunnel that is closed by now leaves at the first knock."""
    time.sleep(0.3)
    return _listens(port)


def _until_open(process: subprocess.Popen[bytes], local: int, name: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _listens(local):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RoostError(f"no tunnel to {name}; ssh says why above")
        time.sleep(0.05)


def _quietly(line: Sequence[str]) -> tuple[int, str]:
    """Run it; return exit code and messages. (A pipe would stay open with the background.)"""
    with tempfile.TemporaryFile("w+") as errors:
        try:
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                check=False,
            )
        except FileNotFoundError:
            raise no_openssh(line[0]) from None
        errors.seek(0)
        return done.returncode, errors.read().strip()
