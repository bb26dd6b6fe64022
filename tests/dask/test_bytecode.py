"""The environment of the own machine is compiled beside the work."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from roost.notebook.dask import bytecode
from roost.providers.local.renewal import Renewal


def test_only_a_linked_environment_is_compiled_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "lib").mkdir(parents=True)
    (real / "lib" / "module.py").write_text("x = 1\n")
    (real / "lib" / "wrong.py").write_text("x = (\n")
    link.symlink_to(real)
    later: list[tuple[object, ...]] = []
    loop = SimpleNamespace(call_later=lambda seconds, *words: later.append(words))
    for place in (real, link):
        monkeypatch.setattr(sys, "prefix", str(place))
        bytecode.dask_setup(SimpleNamespace(loop=loop))
    assert later == [(bytecode.begin, real)]
    bytecode.begin(real)
    end = time.monotonic() + 30
    while not (real / bytecode.MARK).exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert len(list((real / "lib" / "__pycache__").iterdir())) == 1
    bytecode.dask_setup(SimpleNamespace(loop=loop))
    assert len(later) == 1


def compiles(environment: Path) -> bool:
    found = False
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            words = one.cmdline()  # a zombie has none
            found = found or str(environment / "lib") in words
    return found


def test_an_environment_that_a_name_of_an_older_roost_uses_stays(tmp_path: Path) -> None:
    """Its processes run from the environment itself, and there is no link to it."""
    environments = tmp_path / "environments"
    used, other, half = (environments / one for one in ("aaaa", "bbbb", ".gone-cccc-1"))
    for one in (used, other, half):
        one.mkdir(parents=True)
    name = tmp_path / "local" / "life"
    name.mkdir(parents=True)
    (name / "spec.json").write_text('{"kind": "cluster", "environment": {"digest": "aaaa"}}')
    for one in (used, other):
        Renewal(tmp_path).prune(one)
    assert list(environments.iterdir()) == [used]


@pytest.mark.slow
def test_an_environment_that_goes_while_it_is_compiled_stays_gone(tmp_path: Path) -> None:
    old = tmp_path / "environments" / "old"
    (old / "lib").mkdir(parents=True)
    for number in range(3):  # each takes a second or two
        lines = (f"def f{n}(x): return [x + {n}, x * {n}, {{'a': x}}]\n" for n in range(5_000))
        (old / "lib" / f"large{number}.py").write_text("".join(lines))
    bytecode.begin(old)
    time.sleep(0.5)
    Renewal(tmp_path).prune(old)
    end = time.monotonic() + 60
    while compiles(old) and time.monotonic() < end:
        time.sleep(0.1)
    assert list((tmp_path / "environments").iterdir()) == []
