"""``roost init`` and ``roost schema``: files to start from, and what an editor knows of them."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.calling import REPO, Roost

KINDS = ("cluster", "desktop", "classroom")


@pytest.fixture
def here(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "My Project 2"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_can_be_planned(kind: str, here: Path, roost: Roost) -> None:
    told = roost("init", kind)
    assert (told.code, told.out) == (0, "roost.toml\n")
    assert "next: roost plan roost.toml" in told.err
    facts = tomllib.loads(Path("roost.toml").read_text())
    assert (facts["kind"], facts["name"]) == (kind, "my-project-2")
    planned = roost("plan")
    assert planned.code == 0, planned.err
    assert planned.out.startswith(f"my-project-2: a {kind} on ")
    assert roost("plan", "--cloud", "aws").code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_optional_line_can_be_used(kind: str, here: Path, roost: Roost) -> None:
    """The comments of a starter file that are keys are right, too."""
    roost("init", kind)
    schema = json.loads(roost("schema").out)
    lines = Path("roost.toml").read_text().splitlines()
    keys = [line for line in lines if re.match(r"# ([a-z_]+ = |\[)", line)]
    assert len(keys) > 3
    whole = [line.removeprefix("# ") if line in keys else line for line in lines]
    facts = tomllib.loads("\n".join(whole))
    Draft202012Validator(schema).validate(json.loads(json.dumps(facts, default=str)))


def test_it_writes_over_nothing(here: Path, roost: Roost) -> None:
    Path("roost.toml").write_text("mine")
    told = roost("init", "cluster")
    assert (told.code, told.out) == (2, "")
    assert "roost.toml is there already" in told.err
    assert "--file OTHER.toml" in told.err
    assert Path("roost.toml").read_text() == "mine"
    assert roost("init", "cluster", "--force").code == 0
    assert 'kind = "cluster"' in Path("roost.toml").read_text()


def test_another_file_and_another_name(here: Path, roost: Roost) -> None:
    assert roost("init", "desktop", "--file", "other.toml", "--name", "stars").out == "other.toml\n"
    assert not Path("roost.toml").exists()
    assert tomllib.loads(Path("other.toml").read_text())["name"] == "stars"


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("My Stars", "my-stars"),
        ('a"\nkind = "x', "a-kind-x"),
        ("9", "my-cluster"),
        ("a" * 31, "a" * 30),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, usable: str, here: Path, roost: Roost) -> None:
    told = roost("init", "cluster", "--name", name)
    assert told.code == 2
    assert f"next: roost init cluster --name {usable}\n" in told.err
    assert not Path("roost.toml").exists()


def test_where_it_cannot_write(here: Path, roost: Roost) -> None:
    told = roost("init", "cluster", "--file", "no/such/folder.toml")
    assert (told.code, told.err) == (1, "roost: No such file or directory (no/such/folder.toml)\n")
    assert roost("init", "cluster", "--file", ".").code == 2


def test_a_kind_that_is_none(here: Path, roost: Roost) -> None:
    told = roost("init", "supercomputer")
    assert told.code == 2
    assert all(kind in told.err for kind in KINDS)


class TestTheSchema:
    @pytest.fixture
    def validator(self, roost: Roost) -> Draft202012Validator:
        schema = roost("schema").json
        Draft202012Validator.check_schema(schema)
        return Draft202012Validator(schema)

    @pytest.mark.parametrize(
        "file", sorted(REPO.glob("examples/*.toml")), ids=lambda path: path.name
    )
    def test_the_examples_are_as_it_says(self, file: Path, validator: Draft202012Validator) -> None:
        facts = json.loads(json.dumps(tomllib.loads(file.read_text()), default=str))
        validator.validate(facts)
        assert not validator.is_valid({**facts, "nonsense": 1})
        assert not validator.is_valid({**facts, "kind": "nonsense"})
