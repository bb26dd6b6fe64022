"""The pictures of the README that a script draws are those that it draws today."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import build_plan_picture


def test_the_picture_of_a_changed_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else: make docs"""
    monkeypatch.setenv("ROOST_HOME", str(tmp_path))
    assert build_plan_picture.FILE.read_text() == build_plan_picture.document()
