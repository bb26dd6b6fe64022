"""What the README shows is what a reader gets."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from roost.cli.main import SECTIONS, cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


WRITTEN = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "Makefile", ".pre-commit-config.yaml")
TOLD = [ROOT / name for name in (*WRITTEN, ".ci/run", "tests/bench/README.md")]
TOOLS = ("pytest", "ruff", "mypy", "lint-imports", "pre-commit", "python -m tests.bench")
PLANS = re.findall(r"```\n\$ uv run (roost plan .*?)\n(.*?)```", README, re.DOTALL)
TYPED = sorted(
    set(re.findall(r"`(?:uv run )?roost ([^`\n]+)`", README))
    | set(re.findall(r"^(?:pip install uv && )?\$? ?uv run roost (.*)$", README, re.MULTILINE))
)


@pytest.mark.parametrize(("command", "shown"), PLANS)
def test_the_plan_it_shows_is_the_plan_that_is_printed(command: str, shown: str) -> None:
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "roost", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.strip() == done.stdout.strip()


def test_the_prices_it_names_are_those_of_the_plan() -> None:
    ((_, plan),) = PLANS
    section = README.partition("## From no account")[2].partition("## Examples")[0]
    named = set(re.findall(r"\$[0-9][0-9.,]*[0-9]", section))
    # gp3 in eu-central-1: 500 GB at 0.0952, 3,000 IOPS above the first 3,000 at 0.006, and 375
    # MiB/s above the first 125 at 0.0476
    volume = 500 * 0.0952 + 3000 * 0.006 + 375 * 0.0476
    assert volume == pytest.approx(83.45)
    assert named == {"$1.52", "$0.1208", "$13.48", "$29.70", "$83.45"}
    assert named - {"$83.45"} <= set(re.findall(r"\$[0-9.,]+", plan))


@pytest.mark.parametrize("line", TYPED)
def test_a_command_that_it_names_can_be_typed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(re.split(r"\s{2,}| [|>] ", line)[0], comments=True)
    commands = [name for section in SECTIONS.values() for name in section]
    assert words[0] in commands
    if len(words) > 1:
        found = cli.get_command(click.Context(cli), words[0])
        assert found is not None
        with found.make_context(
            words[0], words[1:], parent=click.Context(cli, **cli.context_settings)
        ):
            pass


def test_every_way_to_pause_and_end_is_named() -> None:
    assert {"down", "park", "resume", "start", "stop"} <= {line.split()[0] for line in TYPED}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_its_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_its_links_to_itself_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9_-]", "", h.lower().replace(" ", "-")) for h in headings}
    linked = set(re.findall(r"\]\(#([^)]*)\)", README))
    assert linked
    assert linked <= anchors


def test_only_the_commands_of_developers_bring_their_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["uv"]["default-groups"] == []
    typed = re.findall(r"uv run ([^\n`]+)", "\n".join(file.read_text() for file in TOLD))
    tools = [words for words in typed if any(tool in words for tool in TOOLS)]
    assert len(tools) > 20
    assert [words for words in tools if "--group dev " not in words] == []
    assert [words for words in typed if words.startswith("roost") and "--group" in words] == []
