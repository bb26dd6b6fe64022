"""The environment of the own machine is compiled beside the work."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from roost.notebook.dask import bytecode


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
