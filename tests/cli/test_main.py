"""Exit codes, messages, colours, pipes, and what is (not) imported."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from roost import __version__, errors
from roost.cli.main import SECTIONS
from roost.errors import Problem, RoostError, SpecError
from roost.reconcile.quorum import PartlyUpError
from tests.cli.calling import REPO, Roost

CODES = {
    "RoostError": 1,
    "UsageError": 2,
    "SpecError": 2,
    "NotFoundError": 2,
    "PartlyDoneError": 3,
    PartlyUpError.__name__: 3,
    "NeedsConfirmationError": 4,
    "AccessError": 5,
    "CredentialsError": 5,
    "QuotaError": 5,
    "BusyError": 1,
    "SetupError": 1,
    "UnreachableError": 1,
    "CloudError": 1,
    "CapacityError": 1,
    "ThrottledError": 1,
    "NotYetError": 1,
}


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """``fails(error)``: from now on `roost schema` fails so."""

    def arrange(error: BaseException) -> None:
        def fail() -> NoReturn:
            raise error

        monkeypatch.setattr("roost.spec.schema.json_schema", fail)

    return arrange


def every(kind: type[RoostError]) -> list[type[RoostError]]:
    return [kind, *(one for below in kind.__subclasses__() for one in every(below))]


# --- exit codes -----------------------------------------------------------------------------------


def test_every_error_has_its_code() -> None:
    assert {kind.__name__: kind.exit_code for kind in every(RoostError)} == CODES
    documented = re.findall(r"(\w+Error) +(\d)\b", errors.__doc__ or "")
    assert {name: int(code) for name, code in documented} == CODES


@pytest.mark.parametrize("kind", every(RoostError), ids=lambda kind: kind.__name__)
def test_it_ends_the_command_with_the_code(
    kind: type[RoostError], roost: Roost, fails: Callable[[BaseException], None]
) -> None:
    error = kind("x.toml", (Problem("a", "b"),)) if kind is SpecError else kind("it broke")
    fails(error)
    told = roost("schema")
    assert (told.code, told.out) == (CODES[kind.__name__], "")
    what = "x.toml: 1 problem" if kind is SpecError else "it broke"
    assert told.err.startswith(f"roost: {what}\n")
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "roost: interrupted\n"),
        (click.exceptions.Abort(), 130, "roost: interrupted\n"),
        (FileNotFoundError(2, "No such file", "a/b"), 1, "roost: No such file (a/b)\n"),
        (OSError(28, "No space left on device", "/x"), 1, "/x cannot be written: its disk is full"),
        (BrokenPipeError(32, "Broken pipe"), 1, "roost: a program that roost talked to went away"),
        (click.exceptions.Exit(7), 7, ""),
    ],
)
def test_other_ends(
    error: BaseException,
    code: int,
    text: str,
    roost: Roost,
    fails: Callable[[BaseException], None],
) -> None:
    fails(error)
    told = roost("schema")
    assert (told.code, told.out) == (code, "")
    assert text in told.err
    assert "Traceback" not in told.err


def test_a_mistake_of_ours_is_not_hidden(
    roost: Roost, fails: Callable[[BaseException], None]
) -> None:
    fails(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        roost("schema")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--help", 0),
        ("-h", 0),
        ("plan --help", 0),
        ("--version", 0),
        ("", 2),
        ("--nonsense", 2),
        ("plan --nonsense", 2),
        ("plan a b", 2),
        ("show", 2),
        ("show nothing", 2),
        ("scale here -1", 2),
        ("plan missing.toml", 2),
    ],
)
def test_codes_of_whole_calls(words: str, code: int, roost: Roost) -> None:
    told = roost(*words.split())
    assert told.code == code
    assert told.err if code else told.out


def test_it_is_called_roost_however_it_is_called(program: Roost) -> None:
    """`python -m roost` too: in what it tells people to type, and for the shell's completion."""
    assert program("plann").err.startswith("Usage: roost [OPTIONS]")


def test_the_process_ends_with_the_code(program: Roost) -> None:
    assert program("plan", "missing.toml").code == 2
    assert program("prices", "--cpus", 9999).code == 1
    assert program("--version").code == 0


# --- messages -------------------------------------------------------------------------------------


def test_an_error_says_what_exists_and_what_to_type_next(
    roost: Roost, fails: Callable[[BaseException], None]
) -> None:
    fails(RoostError("it broke", exists=("head (running)", "data"), next="roost down x"))
    assert roost("schema").err == (
        "roost: it broke\n  there now: head (running), data\n  next: roost down x\n"
    )


WRONG = """\
name = "Demo"
kind = "cluster"
workrs = 3

[workers]
count = "two"

[aws]
region = "eu-cental-1"
"""


def test_all_problems_of_a_file_with_their_lines(roost: Roost, write: Callable[..., Path]) -> None:
    told = roost("plan", write(WRONG))
    assert (told.code, told.out) == (2, "")
    head, *lines = told.err.splitlines()
    assert head.endswith("spec.toml: 4 problems")
    places = [line.partition(": ")[0] for line in lines if line.startswith("  line ")]
    assert places == [
        "  line 1, name",
        "  line 3, workrs",
        "  line 6, workers.count",
        "  line 9, aws.region",
    ]
    assert 'did you mean "eu-central-1"?' in told.err
    assert 'found "two"' in told.err


@pytest.mark.parametrize(
    ("typed", "meant"), [("plann", "plan"), ("lst", "ls"), ("statr", "start"), ("pirces", "prices")]
)
def test_a_mistyped_command_is_suggested(typed: str, meant: str, roost: Roost) -> None:
    told = roost(typed, "x.toml")
    assert told.code == 2
    assert f'no such command "{typed}"; did you mean "{meant}"?' in told.err


def test_a_word_that_is_like_nothing(roost: Roost) -> None:
    assert 'no such command "xyzzy"\n' in roost("xyzzy").err


def test_help_lists_every_command_in_its_section(roost: Roost) -> None:
    told = roost("--help").out
    for section, commands in SECTIONS.items():
        _, _, after = told.partition(f"\n{section}:\n")
        block = after.partition("\n\n")[0]
        assert [line.split()[0] for line in block.splitlines() if line[2] != " "] == list(commands)
    assert roost("-V").out == f"roost {__version__}\n"


# --- colours --------------------------------------------------------------------------------------


def on_a_terminal(environment: dict[str, str], *words: str, **more: str) -> str:
    """All that roost writes where stdin, stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "roost", *words],
        env={**environment, "TERM": "xterm-256color", **more},
        cwd=REPO,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        written = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the terminal is closed
                break
            if not chunk:
                break
            written += chunk
    os.close(ours)
    return written.decode()


COLOURED = [("prices", "--limit", "2"), ("plan", "examples/scipion.toml"), ("plan", "missing.toml")]


@pytest.mark.parametrize("words", COLOURED, ids=" ".join)
def test_colours_on_a_terminal_and_nowhere_else(
    words: tuple[str, ...], environment: dict[str, str], program: Roost
) -> None:
    assert "\x1b[" in on_a_terminal(environment, *words)
    assert "\x1b" not in on_a_terminal(environment, *words, NO_COLOR="1")
    piped = program(*words)
    assert "\x1b" not in piped.out + piped.err


# --- pipes ----------------------------------------------------------------------------------------


def unread(environment: dict[str, str], *words: str, both: bool = False) -> tuple[int, str]:
    """roost's exit code and stderr, where nobody reads its stdout (or either)."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "roost", *words],
        env=environment,
        cwd=REPO,
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "words", ["--help", "--version", "ls --json", "prices", "plan examples/training.toml", "schema"]
)
def test_who_has_read_enough_ends_it_in_silence(words: str, environment: dict[str, str]) -> None:
    assert unread(environment, *words.split()) == (0, "")


def test_an_error_that_nobody_reads_has_its_code(environment: dict[str, str]) -> None:
    assert unread(environment, "plann", both=True)[0] == 2
    assert unread(environment, "plan", "missing.toml", both=True)[0] == 2


def test_work_goes_on_when_nobody_reads_of_its_progress(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """`roost init cluster` says something on stderr, and prints the file's name."""
    file = tmp_path / "roost.toml"
    assert unread(environment, "init", "cluster", "--file", str(file), both=True)[0] == 0
    assert file.exists()


# --- imports --------------------------------------------------------------------------------------

HEAVY = {"boto3", "botocore", "dask", "distributed", "openstack", "pandas", "rich", "tornado"}
SHOW = """
import json, sys
from roost.cli.main import main
code = main()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(code)
"""


def imported(python: Roost, *words: str) -> set[str]:
    told = python("-c", SHOW, *words)
    assert told.code == 0, told.err
    return set(json.loads(told.err.splitlines()[-1]))


@pytest.mark.parametrize(
    "words", ["--help", "--version", "plan examples/scipion.toml", "plan examples/ndvi.toml", "ls"]
)
def test_nothing_heavy_is_imported(words: str, python: Roost) -> None:
    assert imported(python, *words.split()) & HEAVY == set()


@pytest.mark.parametrize("words", ["--help", "--version", "ls", "completion bash"])
def test_the_models_are_not_imported_where_no_file_is_read(words: str, python: Roost) -> None:
    assert imported(python, *words.split()) & {"pydantic", "cryptography"} == set()


def test_help_imports_no_command(python: Roost) -> None:
    told = python("-c", SHOW.replace('.partition(".")[0]', ""), "--help")
    modules = {name for name in json.loads(told.err.splitlines()[-1]) if name.startswith("roost.")}
    assert modules == {"roost.cli", "roost.cli.main", "roost.cli.output", "roost.errors"}
