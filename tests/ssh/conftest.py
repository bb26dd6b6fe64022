"""A real sshd on this computer, and a home of roost's own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from roost.ssh import command, connection
from roost.ssh.config import Host
from roost.ssh.keys import public_key

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PROGRAMS = ("ssh", "scp", "ssh-keygen")
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey "{key}"
PidFile none
AuthorizedKeysFile "{authorized}"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
SetEnv ROOST_TEST_SERVER={name}
"""


@dataclass(frozen=True)
class Server:
    """An sshd, and the public half of its host key."""

    port: int
    host_key: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def short() -> Iterator[Path]:
    """A folder with a short path, for files of sockets."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rst-") as place:
        yield Path(place)


@pytest.fixture(scope="session")
def openssh() -> None:
    """OpenSSH's programs for those who connect; Debian installs them only where asked to."""
    missing = [p for p in PROGRAMS if shutil.which(p) is None]
    if missing:
        pytest.skip(f"OpenSSH's {', '.join(missing)} is not installed here")


@pytest.fixture(scope="session")
def serve(short: Path, openssh: None) -> Iterator[Callable[..., Server]]:
    """``serve("name")``: a running sshd with a host key of its own, which lets roost's key in."""
    if not SSHD:
        pytest.skip("OpenSSH's sshd is not installed here")
    if os.getuid() == 0 and not Path("/run/sshd").is_dir():
        pytest.skip("sshd locks itself up in /run/sshd, which is not here: mkdir -m 0755 /run/sshd")
    running: list[Server] = []

    def start(name: str, key: Path | None = None) -> Server:
        place = short / name
        place.mkdir(exist_ok=True)
        key = key or place / "host"
        if not key.exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30
            )
        port = _free_port()
        (place / "config").write_text(
            CONFIG.format(port=port, key=key, authorized=short / "authorized", name=name)
        )
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(SSHD), "-D", "-e", "-f", place / "config"], stderr=log, stdout=log
            )
        host_key = " ".join(key.with_suffix(".pub").read_text().split()[:2])
        server = Server(port, host_key, process)
        running.append(server)
        _until_it_answers(server, place / "log")
        return server

    yield start
    for server in running:
        server.process.terminate()
        server.process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _until_it_answers(server: Server, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", server.port), 1):
                return
        except OSError:
            if server.process.poll() is not None:
                break
            time.sleep(0.02)
    pytest.skip(f"sshd does not run here: {log.read_text()[-300:]}")


@pytest.fixture(scope="session")
def server(serve: Callable[..., Server], short: Path) -> Server:
    """One sshd for all tests; skipped where it lets this account in by no key (a locked one)."""
    server = serve("first")
    key = short / "probe"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shutil.copy(key.with_suffix(".pub"), short / "authorized")
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")
    words = [word for option in options for word in ("-o", option)]
    line = [
        "ssh",
        "-F",
        "/dev/null",
        *words,
        "-i",
        key,
        "-p",
        str(server.port),
        "127.0.0.1",
        "true",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip(f"sshd does not let this account in: {done.stderr[-300:]}")
    return server


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: Path, openssh: None) -> Path:
    """roost's home (odd on purpose) with its key, which the servers let in; nothing of the user's.

    What runs in the background is ended afterwards.
    """
    home = tmp_path / "my 100% home"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROOST_HOME", str(home))
    for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (short / "authorized").write_bytes(public_key() + b"\n")
    return home


@pytest.fixture
def here(
    server: Server, place: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], None]]:
    """Every machine is the sshd of this computer; ``here(port)`` moves it to another port."""
    del place
    ports = [server.port]
    real = connection._host
    made: list[Path] = []

    def local(*args: object) -> Host:
        from dataclasses import replace

        found: Host = real(*args)  # type: ignore[arg-type]
        host = replace(found, port=ports[-1], user=getpass.getuser())
        made.append(host.control)
        return host

    monkeypatch.setattr(connection, "_host", local)
    yield ports.append
    for path in {*made}:
        if path.exists():
            subprocess.run(
                command.control(path, "exit"),
                capture_output=True,
                check=False,
            )
