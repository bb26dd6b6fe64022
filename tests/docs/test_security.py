"""SECURITY.md: each line names a test, and that test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

REPO = Path(__file__).parents[2]
ROW = re.compile(r"^\| .* \| `(tests/[\w/]+\.py)::(\w+)` \|$")


def test_each_line_of_the_table_names_a_test_that_is_there() -> None:
    lines = (REPO / "SECURITY.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    named = [ROW.match(line) for line in rows]
    assert [line for line, found in zip(rows, named, strict=True) if found is None] == []
    assert len(named) > 10
    missing = []
    for file, test in (found.groups() for found in named if found):
        tree = ast.parse((REPO / file).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        if test not in names:
            missing.append(f"{file}::{test}")
    assert missing == []
