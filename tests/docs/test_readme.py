"""What the README shows is what a reader gets."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_plan_it_shows_is_the_plan_that_is_printed() -> None:
    (command, shown) = re.findall(r"```\n\$ uv run (roost plan .*?)\n(.*?)```", README, re.DOTALL)[
        0
    ]
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "roost", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.strip() == done.stdout.strip()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_its_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
