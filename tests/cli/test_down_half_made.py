"""``roost down`` of what a killed ``up`` had begun, before there was a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import Roost

HALF = (".new-ndvi-a1b2c3d4", ".gone-ndvi-a1b2c3d4")


@pytest.mark.parametrize("left", HALF)
def test_it_goes_though_there_is_no_such_name(alone: Path, roost: Roost, left: str) -> None:
    half, other = alone / "local" / left, alone / "local" / ".new-ndvi-2-a1b2c3d4"
    for folder in (half, other):
        (folder / "tls").mkdir(parents=True)
    told = roost("down", "ndvi", "--yes")
    assert told.code == 2
    assert "ndvi: removed what a killed roost had begun to make or to delete\n" in told.err
    assert not half.exists()
    assert other.exists()


def test_a_name_that_was_never_there_leaves_nothing(alone: Path, roost: Roost) -> None:
    told = roost("down", "ndvi", "--yes")
    assert told.code == 2
    assert "removed" not in told.err
    assert not list(alone.rglob("*ndvi*"))
