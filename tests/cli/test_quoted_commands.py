"""Commands that are printed for people to paste: nothing in them means anything to a shell."""

import ast
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.cli.main import SECTIONS
from roost.cli.text.parking import removal_command
from roost.errors import command_line
from roost.providers.aws.machine_role import commands as role_commands
from roost.providers.aws.rights import commands
from tests.aws.test_stored import COPY
from tests.cli.calling import Roost
from tests.cli.made import HERE

SOURCES = Path(__file__).parents[2] / "src" / "roost"
HOSTILE = "a b; $(touch x)"
DESKTOP = """
name = "stars"
kind = "desktop"
cloud = "aws"
protocol = "dcv"
[aws]
region = "us-east-1"
[machine]
cpus = 4
image = "ubuntu-24.04"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """``file(text)``: a spec below a folder whose name a shell would run; its path from here."""
    monkeypatch.chdir(tmp_path)
    Path(HOSTILE).mkdir()

    def write(text: str) -> str:
        path = Path(HOSTILE, "c.toml")
        path.write_text(text)
        return str(path)

    return write


def pasted(command: str) -> list[str]:
    """The words that sh makes of a command; each is a program's argument and nothing else."""
    shown = subprocess.run(
        ["sh", "-c", f"set -- {command}\nprintf '%s\\0' \"$@\""],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split("\0")[:-1]


# --- files ----------------------------------------------------------------------------------------


def test_the_file_of_a_plan(roost: Roost, file: Callable[[str], str]) -> None:
    path = file(DESKTOP)
    told = roost("plan", path)
    assert told.code == 0, told.err
    (command,) = re.findall(r"`(roost iam [^`]*)`", told.out)
    assert pasted(command) == ["roost", "iam", path, "--machine"]


def test_the_file_of_a_plan_of_ones_own_machine(roost: Roost, file: Callable[[str], str]) -> None:
    path = file(HERE + '[aws]\nregion = "us-east-1"\n')
    told = roost("plan", path)
    command = told.err.partition("on AWS: ")[2].splitlines()[0]
    assert pasted(command) == ["roost", "plan", path, "--cloud", "aws"]
    told = roost("plan", path, "--region", "us-east-1")
    command = told.err.partition("next: ")[2].splitlines()[0]
    assert pasted(command) == ["roost", "plan", path, *["--cloud", "aws", "--region", "us-east-1"]]


def test_the_file_that_up_begins_with(roost: Roost, file: Callable[[str], str]) -> None:
    path = file("kind = 1")
    told = roost("up", path)
    assert pasted(told.err.splitlines()[0]) == ["roost", "up", path]


def test_a_file_of_nearly_that_name(roost: Roost, file: Callable[[str], str]) -> None:
    path = file(HERE)
    told = roost("up", path.replace("c.toml", "cc.toml"))
    assert pasted(told.err.partition("next: ")[2].splitlines()[0]) == ["roost", "up", path]


def test_the_file_that_init_wrote(roost: Roost, file: Callable[[str], str]) -> None:
    path = file("").replace("c.toml", "new.toml")
    told = roost("init", "cluster", "--name", "ndvi", "--file", path)
    assert pasted(told.err.partition("next: ")[2].splitlines()[0]) == ["roost", "plan", path]


def test_operators_that_are_commands_are_refused(roost: Roost, file: Callable[[str], str]) -> None:
    path = file(DESKTOP + '[access]\noperators = ["ada", "$(touch x)"]\n')
    told = roost("iam", path, "--operator")
    assert (told.code, told.out) == (2, "")
    assert f"{path}: 1 problem" in told.err
    assert "line 12, access.operators[2]: not the name of an IAM user" in told.err


def test_none_of_them_was_run(roost: Roost, file: Callable[[str], str], tmp_path: Path) -> None:
    """The control: unquoted, the same path does run a command."""
    subprocess.run(["sh", "-c", f"true {HOSTILE}"], cwd=tmp_path, check=False)
    assert (tmp_path / "x").exists()


# --- names ----------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(words, min_size=1))
def test_any_word_comes_back_from_a_shell(line: list[str]) -> None:
    assert shlex.split(command_line(*line)) == line


@pytest.mark.parametrize("word", ["ndvi", "worker-1", "s3://my-bucket/a/b", "FILE", "...", "a=s3"])
def test_a_plain_word_is_shown_as_it_is(word: str) -> None:
    assert command_line("roost", word) == f"roost {word}"


def test_what_an_administrator_pastes() -> None:
    attach = commands("roost-x", (HOSTILE,))[-1]
    assert shlex.split(attach)[:5] == ["aws", "iam", "attach-user-policy", "--user-name", HOSTILE]
    for command in role_commands("lab", f"{HOSTILE}.json"):
        assert ";" not in shlex.split(command)
    assert f"file://{HOSTILE}.json" in shlex.split(role_commands("lab", f"{HOSTILE}.json")[1])


def test_what_removes_a_copy() -> None:
    place = f"s3://my-bucket/{HOSTILE}/x"
    copy = replace(COPY, place=place, endpoint="http://h:1/$(x)")
    words = ["aws", "s3", "rm", "--recursive", place, "--endpoint-url", "http://h:1/$(x)"]
    assert shlex.split(removal_command(copy)) == words


# --- all of them ----------------------------------------------------------------------------------

VALUE = "\0"
"""Stands for a value that nothing has quoted."""
VERBS = "|".join(name for section in SECTIONS.values() for name in section if name != "image")
COMMAND = re.compile(
    rf"(?<![=\w])(roost ({VERBS}|image \w+)|aws (account|configure|ec2|iam|s3|s3api|sso|sts)"
    rf"|uv \w+|chmod|mv) [^`(;\n]*{VALUE}"
)
QUOTES = {"command_line", "quote", "join"}


def text_of(node: ast.expr) -> str:
    """A text as it is written, with VALUE for each value that is not quoted."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(text_of, parts))
        case ast.FormattedValue(value=value):
            return text_of(value) if isinstance(value, ast.JoinedStr) else value_of(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left) + text_of(right)
    return value_of(node)


def value_of(node: ast.expr) -> str:
    """VALUE, or nothing for a call that quotes."""
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return "" if name in QUOTES else VALUE
    return VALUE


def unquoted(source: str) -> set[int]:
    """The lines of commands that are put together without quotes."""
    texts = ast.JoinedStr | ast.BinOp
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, texts)]
    return {node.lineno for node in nodes if COMMAND.search(text_of(node))}


@pytest.mark.parametrize(
    "source",
    [
        'next=f"roost up {name}"',
        'say("or: roost open " + name + ".")',
        'mend=f"roost iam {file} --machine   ({PRINTS})"',
        'f"see `roost image rm {name}`"',
        'f"aws s3 rm --recursive {place}{endpoint}"',
        'f"chmod 700 {place}"',
    ],
)
def test_the_check_finds(source: str) -> None:
    assert unquoted(source) == {1}


@pytest.mark.parametrize(
    "source",
    [
        'next=command_line("roost", "up", name) + "   (again)"',
        "f\"`{command_line('roost', 'up', name)}` fills up {name}\"",
        'f"`roost up` fills up {name}"',
        'tags = {"Name": f"roost image {name}"}',
    ],
)
def test_the_check_lets_pass(source: str) -> None:
    assert unquoted(source) == set()


def test_every_command_in_the_sources_is_quoted() -> None:
    wrong = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in sorted(SOURCES.rglob("*.py"))
        for line in sorted(unquoted(path.read_text()))
    ]
    assert wrong == []
