"""docs/spec.md is what the models say, and what it shows is so."""

import re
from pathlib import Path

import pytest

from roost.spec import load
from roost.spec.schema import json_schema
from scripts.build_reference import EXAMPLE, FILE, MISTAKES, document, problems

TEXT = FILE.read_text(encoding="utf-8")
TABLES = json_schema()["$defs"]


def test_the_committed_file_is_the_generated_one() -> None:
    """Else: uv run python scripts/build_reference.py"""
    assert document() == TEXT


def test_the_example_is_right(tmp_path: Path) -> None:
    (tmp_path / "stars.toml").write_text(EXAMPLE)
    assert load(tmp_path / "stars.toml").name == "stars"
    assert problems(EXAMPLE) == ()


def test_the_mistakes_are_all_found() -> None:
    assert all(right in EXAMPLE for right, _ in MISTAKES)
    shown = TEXT.partition("```text")[2].partition("```")[0]
    assert "3 problems" in shown
    assert len(re.findall(r"^  line \d+, ", shown, re.MULTILINE)) == len(MISTAKES) == 3


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_table_is_there_with_its_meaning(table: str) -> None:
    for key, facts in TABLES[table]["properties"].items():
        about = re.escape(facts["description"].replace("``", "`"))
        if key not in ("cloud", "machine"):  # of all kinds in one row
            assert re.search(rf"^\| \[?`{key}`.*\| {about}", TEXT, re.MULTILINE)
        assert re.search(rf"^\| \[?`{key}`", TEXT, re.MULTILINE)


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9_-]", "", h.lower().replace(" ", "-")) for h in headings}
    linked = set(re.findall(r"\]\(#([^)]*)\)", TEXT))
    assert linked
    assert linked <= anchors
    assert len(anchors) == len(headings)


def test_rows_have_as_many_cells_as_their_head() -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE)
    assert len(blocks) > 10
    for block in blocks:
        assert len({row.count("|") for row in block.splitlines()}) == 1
