"""docs/cli.md is what the commands say, and what they say is complete and can be typed."""

import re
import shlex

import click
import pytest

from roost.cli.main import SECTIONS, cli
from scripts.build_cli_docs import FILE, document
from tests.walk import each

LISTED = [name for section in SECTIONS.values() for name in section]


def command(name: str) -> click.Command:
    """Of ``"image bake"``: the command of the group."""
    found: click.Command | None = cli
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None
    return found


def below(name: str) -> list[str]:
    """It, and the commands of a group."""
    found = command(name)
    inner = found.list_commands(click.Context(found)) if isinstance(found, click.Group) else []
    return [name, *(one for word in inner for one in below(f"{name} {word}"))]


COMMANDS = [name for listed in LISTED for name in below(listed)]


def examples(name: str) -> list[list[str]]:
    """The command lines of the help's examples, as lists of words."""
    _, _, block = (command(name).help or "").partition("Example")
    lines = [line.strip() for line in block.splitlines() if line.strip().startswith("roost ")]
    return [_words(line) for line in lines]


def _words(line: str) -> list[str]:
    """Without the remark to its right, and without what the shell does with its output."""
    typed = re.split(r"\s{2,}| [|>] ", line)[0]
    return shlex.split(typed)[1:]


def test_the_committed_file_is_the_generated_one() -> None:
    """Else: uv run python scripts/build_cli_docs.py"""
    assert FILE.read_text() == document()


def test_the_docs_have_the_command() -> None:
    text = FILE.read_text()

    def check(name: str) -> None:
        assert f"\n##{'#' * len(name.split())} roost {name}\n" in text
        assert f"\nUsage: roost {name} " in text

    each(COMMANDS, check)


def test_a_command_has_an_example_that_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILE.parents[1])
    each(COMMANDS, check_examples)


def check_examples(name: str) -> None:
    lines = examples(name)
    assert lines
    for words in lines:
        found, rest = name, words[len(name.split()) :]
        assert words[: len(name.split())] == name.split()
        while isinstance(command(found), click.Group):
            found, rest = f"{found} {rest[0]}", rest[1:]
        with command(found).make_context(
            found, rest, parent=click.Context(cli, **cli.context_settings)
        ) as context:
            assert context.params.keys() == {
                param.name for param in command(found).params if param.expose_value
            }


def test_the_list_of_commands_says_what_the_command_says() -> None:
    """Its first sentence; what follows a semicolon in the list may be of another sentence."""

    def check(name: str) -> None:
        (listed,) = [section[name] for section in SECTIONS.values() if name in section]
        text = " ".join((command(name).help or "").split())
        first = re.split(r"(?<=\.) ", text)[0]
        begun, semicolon, _ = listed.partition(";")
        assert text.startswith(begun) if semicolon else listed == first

    each(LISTED, check)


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        (name, param.opts)
        for name in COMMANDS
        for param in command(name).params
        if isinstance(param, click.Option) and not param.help
    ]
    assert silent == []


def test_a_command_is_found_where_its_name_says() -> None:
    def check(name: str) -> None:
        assert command(name).name == name.rpartition(" ")[2]

    each(COMMANDS, check)


def test_an_example_that_cannot_be_typed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = command("plan")
    monkeypatch.setattr(plan, "help", "Examples:\n  roost plan x.toml --clod aws   a remark\n")
    assert examples("plan") == [["plan", "x.toml", "--clod", "aws"]]
    with pytest.raises(click.NoSuchOption):
        plan.make_context(
            "plan", examples("plan")[0][1:], parent=click.Context(cli, **cli.context_settings)
        )
