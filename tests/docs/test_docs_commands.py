"""The commands that the pages of docs/ name can be typed, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from roost.cli.main import cli
from tests.walk import each

ROOT = Path(__file__).parents[2]
GENERATED = {"cli.md", "spec.md"}
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED]
PLACEHOLDER = re.compile(r"\.\.\.|…")


def typed(page: Path) -> list[str]:
    """The command lines of a page: in its text, and in its blocks; not those with "..."."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(
        r"`(roost [^`\n]+)`", re.sub(r"(?s)^```.*?^```", "", text, flags=re.MULTILINE)
    )
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [
        line
        for line in (*inline, *lines)
        if line.startswith("roost ") and not PLACEHOLDER.search(line)
    ]


def can_be_typed(line: str) -> None:
    plain = re.sub(r"\b[A-Z]{3,}\b", lambda found: found[0].lower(), line)  # NAME stands for any
    words = shlex.split(re.split(r"\s{2,}| [|>] ", plain)[0], comments=True)[1:]
    found: click.Command | None = cli
    names: list[str] = []
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        names.append(name)
        found = found.get_command(click.Context(found), name)
        assert found is not None, f"no command {' '.join(names)}"
    assert found is not None
    if words and not isinstance(found, click.Group):
        parent = click.Context(cli, **cli.context_settings)
        with found.make_context(names[-1], words, parent=parent):
            pass


def test_every_command_of_the_docs_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = [(page.name, line) for page in PAGES for line in typed(page)]
    assert len(lines) > 100
    each(lines, lambda one: can_be_typed(one[1]), lambda one: f"{one[0]}: {one[1]}")


def test_every_link_between_the_pages_leads_somewhere() -> None:
    def check(page: Path) -> None:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), target

    each(PAGES, check, lambda page: page.name)
