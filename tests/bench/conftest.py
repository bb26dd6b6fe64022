"""One bench for all tests of a session; an empty account and a home of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.bench import Bench, Roost, missing


@pytest.fixture(scope="session")
def the_bench() -> Iterator[Bench]:
    """A running bench; skipped with the reason where there can be none."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    bench = Bench.start()
    yield bench
    bench.stop()


@pytest.fixture
def bench(the_bench: Bench) -> Iterator[Bench]:
    """The bench, with nothing in its account before and after."""
    the_bench.clear()
    yield the_bench
    the_bench.clear()


@pytest.fixture
def roost(bench: Bench, tmp_path: Path) -> Roost:
    """``roost("up", file, "--yes")``: the real program, against the bench."""
    home = tmp_path / "home"
    home.mkdir()
    return Roost(bench, home)
