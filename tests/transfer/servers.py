"""Other S3 servers that none of us wrote: moto's, and ministack. Each is a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.transfer.weed import Weed, weed

BIN = Path(sys.executable).parent


@contextmanager
def moto(folder: Path) -> Iterator[Weed]:
    port = _free_port()
    with _running([BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], folder, port) as url:
        yield Weed(url, "moto")


@contextmanager
def ministack(folder: Path) -> Iterator[Weed]:
    port = _free_port()
    where = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(folder)}
    with _running([BIN / "ministack"], folder, port, **where) as url:
        yield Weed(url, "ministack")


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Weed]]] = {
    "seaweedfs": weed,
    "moto": moto,
    "ministack": ministack,
}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _running(line: list[object], folder: Path, port: int, **env: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            list(map(str, line)), env={**os.environ, **env}, stdout=log, stderr=log, cwd=folder
        )
        try:
            _wait(url, process, folder / "log")
            yield url
        finally:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text()[-3000:])
