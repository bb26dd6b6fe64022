"""What all tests share."""

from __future__ import annotations

import os
import sys

# Before what is large is imported. Where Python may keep no bytecode, each worker and each of the
# many processes that the tests start compiles all it imports, every time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from collections.abc import Iterator  # noqa: E402
from threading import enumerate as threads  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# How long an example takes depends on what else the computer does; what matters is measured in
# benchmarks/.
settings.register_profile("roost", deadline=None)
settings.load_profile("roost")


def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """Let a worker that has nothing left take tests from another; some take a thousand times as
    long as others, and those of a file begin together."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getvalue("dist") == "load" else None


def pytest_xdist_auto_num_workers(config: Any) -> int:
    """Take two workers a core: many tests wait, for a process, a lock or an answer."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def no_thread_without_its_server() -> Iterator[None]:
    """Fail where a thread serves a socket that is closed: it takes a core's time until the end."""
    yield
    targets = [getattr(thread, "_target", None) for thread in threads()]
    servers = [t.__self__ for t in targets if getattr(t, "__name__", "") == "serve_forever"]
    assert [server for server in servers if server.fileno() < 0] == []
