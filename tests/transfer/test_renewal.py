"""A watch survives credentials that expire, as long as there can be new ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interrupts import heeds_interrupts
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Answer, Hostile, Request, error, hostile


@pytest.fixture
def s3() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


def only(server: Hostile, access: str) -> None:
    """Let in whoever signs with this key; other ones have expired."""

    def before(request: Request) -> Answer | None:
        signed = f"Credential={access}/" in request.headers.get("authorization", "")
        return None if signed else error(400, "ExpiredToken", "The provided token has expired.")

    server.before = before


def keys(path: Path, access: str) -> None:
    lines = f"[default]\naws_access_key_id = {access}\naws_secret_access_key = secret\n"
    path.write_text(lines)


class Watch:
    """``roost sync --watch`` as a process, and what it writes."""

    def __init__(self, source: Path, env: dict[str, str]) -> None:
        line = [sys.executable, "-m", "roost", "sync", str(source), "s3://bucket/p", "--watch"]
        self.process = subprocess.Popen(
            [*line, "--min-age", "0"],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeds_interrupts,
        )
        self.lines: list[str] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stderr
        self.lines += self.process.stderr

    def until(self, so: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not so():
            assert time.monotonic() < end, self.process.poll()
            time.sleep(0.1)

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.thread.join(10)
        return code, "".join(self.lines)


def environment(server: Hostile, folder: Path, **more: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env |= {k: v for k, v in server.env().items() if "KEY" not in k}
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    return {**env, **files, "ROOST_HOME": str(folder / "home"), **more}


@pytest.mark.slow
def test_new_keys_in_the_file_are_taken(tmp_path: Path, s3: Hostile) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    keys(tmp_path / "credentials", "OLD")
    only(s3, "OLD")
    watch = Watch(source, environment(s3, tmp_path))
    try:
        watch.until(lambda: s3.bodies("p/") == {"a": b"1"})
        only(s3, "NEW")
        grow(source, {"b": b"2"})
        watch.until(lambda: len([one for one in s3.log if one.key == "p/b"]) >= 2)
        assert watch.process.poll() is None
        keys(tmp_path / "credentials", "NEW")
        watch.until(lambda: s3.bodies("p/") == tree(source))
        time.sleep(0.5)
    finally:
        code, told = watch.end()
    assert code in {0, 130}
    assert told.count("waiting for new credentials") == 1
    assert "there are new credentials" in told
    assert "Traceback" not in told


def test_keys_of_the_environment_cannot_be_new(tmp_path: Path, s3: Hostile) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    only(s3, "OLD")
    old = {"AWS_ACCESS_KEY_ID": "OLD", "AWS_SECRET_ACCESS_KEY": "secret"}
    watch = Watch(source, environment(s3, tmp_path, **old))
    watch.until(lambda: s3.bodies("p/") == {"a": b"1"})
    only(s3, "NEW")
    grow(source, {"b": b"2"})
    watch.until(lambda: watch.process.poll() is not None)
    assert watch.end()[0] == 5
