"""Files that are wrong, and what is said of each: ``wrong/NAME.toml`` and ``wrong/NAME.txt``.

A new case is a new file. Write what is said now, and then read the difference as its user would:

    ROOST_WRITE_WRONG=1 uv run --group dev pytest tests/spec/test_wrong.py
    git diff tests/spec/wrong
"""

import os
from pathlib import Path

import pytest

from roost.errors import Problem, SpecError
from roost.spec import load
from tests.walk import each

WRONG = Path(__file__).parent / "wrong"
FILES = sorted(WRONG.glob("*.toml"))


def said_of(file: Path) -> str:
    """The lines that `roost plan FILE` prints, wherever the repository is."""
    with pytest.raises(SpecError) as caught:
        load(file)
    return "".join(f"{line}\n" for line in caught.value.lines()).replace(str(WRONG), "FOLDER")


def name(file: Path) -> str:
    return file.name


def test_what_is_said() -> None:
    def check(file: Path) -> None:
        expected = file.with_suffix(".txt")
        said = said_of(file)
        if os.environ.get("ROOST_WRITE_WRONG"):
            expected.write_text(said, encoding="utf-8")
        assert said == expected.read_text(encoding="utf-8")

    each(FILES, check, name)


def test_every_text_has_its_file() -> None:
    assert {file.stem for file in WRONG.glob("*.txt")} == {file.stem for file in FILES}


def problems(file: Path) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        load(file)
    return tuple(caught.value.problems)


def test_lines_are_those_of_the_file() -> None:
    """In the order of the file; last what stands nowhere in it."""

    def check(file: Path) -> None:
        text = file.read_text(encoding="utf-8").split("\n")
        lines = [problem.line for problem in problems(file)]
        named = [line for line in lines if line is not None]
        assert lines == sorted(named) + [None] * (len(lines) - len(named))
        assert all(1 <= line <= len(text) for line in named)

    each(FILES, check, name)


def test_one_mistake_is_one_problem() -> None:
    def check(file: Path) -> None:
        places = [problem.where for problem in problems(file)]
        assert len(places) == len(set(places))

    each(FILES, check, name)
