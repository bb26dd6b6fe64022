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

from tests.sampling import Sweep, the_sample  # noqa: E402

SWEPT = "swept"
LEFT_OUT = pytest.StashKey[list[str]]()

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


@pytest.hookimpl(trylast=True)  # of what the marks have left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out half of the files that go by turns, unless one is named."""
    files = [item.nodeid.partition("::")[0] for item in items]
    turns = {
        file for file, item in zip(files, items, strict=True) if item.get_closest_marker("by_turns")
    }
    named = any(".py" in argument for argument in config.args)
    left_out = set() if named else turns - set(the_sample().of(sorted(turns), "by turns", share=2))
    config.stash[LEFT_OUT] = sorted(left_out)
    if left_out:
        pairs = list(zip(files, items, strict=True))
        config.hook.pytest_deselected(items=[item for file, item in pairs if file in left_out])
        items[:] = [item for file, item in pairs if file not in left_out]


@pytest.fixture(autouse=True)
def no_thread_without_its_server() -> Iterator[None]:
    """Fail where a thread serves a socket that is closed: it takes a core's time until the end."""
    yield
    targets = [getattr(thread, "_target", None) for thread in threads()]
    servers = [t.__self__ for t in targets if getattr(t, "__name__", "") == "serve_forever"]
    assert [server for server in servers if server.fileno() < 0] == []


@pytest.fixture
def sweep(request: pytest.FixtureRequest) -> Iterator[Sweep]:
    """The way through the points of this test; how many they were is printed at the end."""
    sweep = Sweep(request.node.nodeid, the_sample())
    yield sweep
    # So that they also come from another process (pytest -n).
    request.node.user_properties += [(SWEPT, list(count)) for count in sweep.counts.items()]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What is left for another commit; the numbers of the sweeps, of each and in all."""
    left_out = config.stash.get(LEFT_OUT, [])
    if left_out:
        seed = the_sample().seed
        terminalreporter.write_line(f"by turns (ROOST_SEED={seed}), left for another commit:")
    for path in left_out:
        terminalreporter.write_line(f"  {path}")
    points: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == SWEPT:
                    points[value[0]] = value[1]
    if points:
        terminalreporter.write_line(the_sample().title)
    for name, count in sorted(points.items()):
        terminalreporter.write_line(f"{name}: {count} points, all reconciled")
    kinds = sorted({name.split(",")[0] for name in points})
    for kind in kinds:
        total = sum(count for name, count in points.items() if name.split(",")[0] == kind)
        terminalreporter.write_line(f"{kind}: {total:,} points in all")
