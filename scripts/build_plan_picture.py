"""The README's picture of `roost plan --diff`: what it prints for a changed file, as an SVG.

    uv run --group dev python scripts/build_plan_picture.py

The desktop of examples/pixinsight.toml is up in a cloud in memory; its file then lets another
network in, and has a larger volume with fewer IOPS.
"""

from __future__ import annotations

import sys
import tempfile
from html import escape
from pathlib import Path
from unittest.mock import patch

import click
from click.testing import CliRunner

from roost.app.resolve import wanted_for
from roost.cli.main import cli
from roost.plan.up import plan_up
from roost.providers.fake.cloud import FakeCloud
from roost.reconcile.loop import reconcile
from roost.spec import load

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "images" / "plan-diff.svg"
EXAMPLE = ROOT / "examples" / "pixinsight.toml"
FIRST = (
    ('ssh = ["me"]', 'ssh = ["me", "198.51.100.0/24"]'),
    ('region = "eu-central-1"', 'region = "eu-central-1"\ninstance_profile = "roost-pixinsight"'),
)
CHANGES = (
    ("198.51.100.0/24", "192.0.2.0/24"),
    ('size = "500GB"', 'size = "800GB"'),
    ("iops = 6000", "iops = 4000"),
)
LINE, LEFT, TOP, WIDTH = 19, 18, 56, 900
STYLE = (
    "text{font:13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#e0e0e0}"
    ".b{font-weight:700;fill:#fff}.d{fill:#80cbc4}"
)


def changed(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    """Return a file's text, changed."""
    for old, new in changes:
        if text.count(old) != 1:
            raise SystemExit(f"{EXAMPLE.name} has not one {old}")
        text = text.replace(old, new)
    return text


def printed() -> str:
    """Return what `roost plan --diff` prints for the changed file."""
    cloud = FakeCloud(name="aws", region="eu-central-1")
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("roost.app.resolve.connect", lambda *_: cloud),
    ):
        file = Path(folder) / EXAMPLE.name
        before = changed(EXAMPLE.read_text(), FIRST)
        file.write_text(before)
        want = wanted_for(load(file))
        reconcile(cloud, want.name, lambda have, _: plan_up(want, have))
        file.write_text(changed(before, CHANGES))
        done = CliRunner().invoke(cli, ["plan", str(file), "--diff"], catch_exceptions=False)
    return click.unstyle(done.stdout)


def document() -> str:
    """Return the whole picture."""
    command = f"$ roost plan {EXAMPLE.name} --diff"
    lines = [command, *printed().rstrip().splitlines()]
    height = TOP + LINE * len(lines)
    texts = []
    for number, line in enumerate(lines):
        kind = "d" if number == 0 else "b" if number == 1 or line.startswith("WHILE") else ""
        style = f' class="{kind}"' if kind else ""
        y = TOP + LINE * number
        texts.append(f'<text x="{LEFT}" y="{y}" xml:space="preserve"{style}>{escape(line)}</text>')
    dots = "".join(
        f'<circle cx="{22 + 20 * i}" cy="20" r="6" fill="{colour}"/>'
        for i, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            ' aria-label="roost plan --diff of a changed file">',
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#263238"/>{dots}',
            *texts,
            "</svg>\n",
        ]
    )


def main() -> int:
    """Write it."""
    FILE.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
