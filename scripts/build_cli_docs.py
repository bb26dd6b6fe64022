"""Write docs/cli.md: every command with its help text, as `roost COMMAND --help` shows it.

uv run python scripts/build_cli_docs.py
"""

from pathlib import Path

import click

from roost.cli.main import SECTIONS, cli

FILE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 96
HEAD = """\
# Commands

<!-- Built by scripts/build_cli_docs.py from the commands' own help; do not edit. -->

What each prints with `--json`, and the exit codes: [json.md](json.md).
"""


def document() -> str:
    """The whole text."""
    whole = context(cli, "roost", None)
    parts = [f"{HEAD}\n", block(cli.get_help(whole))]
    for section, names in SECTIONS.items():
        parts.append(f"\n## {section}\n")
        for name in names:
            command = cli.get_command(whole, name)
            assert command is not None
            parts += described(command, context(command, name, whole), "###")
    return "".join(parts)


def described(command: click.Command, here: click.Context, heading: str) -> list[str]:
    """A command's help; of a group, that of its commands too."""
    parts = [f"\n{heading} {here.command_path}\n\n{block(command.get_help(here))}"]
    if isinstance(command, click.Group):
        for name in command.list_commands(here):
            inner = command.get_command(here, name)
            assert inner is not None
            parts += described(inner, context(inner, name, here), f"{heading}#")
    return parts


def context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    """As on a terminal that is WIDTH columns wide, whatever this one is."""
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )


def block(text: str) -> str:
    """A block of plain text."""
    return f"```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    FILE.write_text(document())
    print(f"wrote {FILE}")
